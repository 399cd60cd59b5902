// Products, quotients, powers, and what follows a number: %, °, !, units.
extension MathParser {
  mutating func product() throws(Unreadable) -> MathValue {
    var value = try power()
    while let token {
      if take(.mark("*")) {
        value = try product(value, try signedPower())
      } else if take(.mark("/")) {
        value = try quotient(value, try signedPower())
      } else if let measured = try takeUnit(of: value) {
        value = measured
      } else if startsFactor(token), !isNumberAfterNumber(token) {
        if case .words = value { return value }
        value = try product(value, try power())
      } else {
        return value
      }
    }
    return value
  }

  private mutating func signedPower() throws(Unreadable) -> MathValue {
    guard let sign = signs() else { return try power() }
    return try product(.scalar(Scalar(Rational(sign))), try power())
  }

  /// Two numbers side by side are no product.
  private func isNumberAfterNumber(_ token: MathToken) -> Bool {
    guard case .number = token, at > 0, case .number = tokens[at - 1].token else { return false }
    return true
  }

  /// Whether a factor may begin with a token.
  func startsFactor(_ token: MathToken) -> Bool {
    switch token {
    case .number, .begin: return true
    case .word(let word): return word != "and" && word != "or"
    case .command(let name): return !Self.operators.contains(name) && RelationSign(token) == nil
    case .mark("("), .mark("["), .mark("{"): return true
    case .mark("|"): return bars == 0
    case .text(let text): return at == 0 && !Self.isConnective(text)
    default: return false
    }
  }

  private static let operators: Set<String> = [
    "cup", "cap", "setminus", "pm", "mp", "and", "or", "rfloor", "rceil", "circ", "qquad",
  ]

  // MARK: Arithmetic of values

  mutating func product(_ a: MathValue, _ b: MathValue) throws(Unreadable) -> MathValue {
    switch (a, b) {
    case (.scalar(let a), .scalar(let b)):
      var result = Scalar(try algebra.product(try plainValue(a), try plainValue(b)))
      result.unit = a.unit ?? b.unit
      // 1.5 · 10³ shows as many digits as 1.5.
      if let decimal = a.decimal, let exponent = Self.powerOfTen(b.value) {
        result.decimal = DecimalWriting(digits: decimal.digits, place: decimal.place + exponent)
      }
      return .scalar(result)
    case (.scalar(let a), .matrix(let rows)), (.matrix(let rows), .scalar(let a)):
      var result = rows
      for row in rows.indices {
        for column in rows[row].indices {
          result[row][column] = Scalar(try algebra.product(a.value, rows[row][column].value))
        }
      }
      return .matrix(result)
    case (.matrix(let a), .matrix(let b)):
      guard a[0].count == b.count else {
        throw Unreadable("it multiplies matrices that do not fit")
      }
      var rows: [[Scalar]] = []
      for row in a {
        var cells: [Scalar] = []
        for column in b[0].indices {
          var sum = Expression(.zero)
          for index in b.indices {
            let term = try algebra.product(row[index].value, b[index][column].value)
            sum = try algebra.sum(sum, term)
          }
          cells.append(Scalar(sum))
        }
        rows.append(cells)
      }
      return .matrix(rows)
    default: throw Unreadable("it multiplies what are not numbers")
    }
  }

  private mutating func quotient(_ a: MathValue, _ b: MathValue) throws(Unreadable) -> MathValue {
    let divisor = try scalar(b)
    let inverse = try algebra.reciprocal(try plainValue(divisor))
    var result = try product(a, .scalar(Scalar(inverse)))
    if case .scalar(var scalar) = result {
      scalar.decimal = nil
      result = .scalar(scalar)
    }
    return result
  }

  private static func powerOfTen(_ value: Expression) -> Int? {
    guard let number = value.rational, number > .zero else { return nil }
    let (digits, sign) = number.isWhole ? (number.above, 1) : (number.below, -1)
    guard number.isWhole || number.above == 1 else { return nil }
    let text = "\(digits)"
    return text.first == "1" && text.dropFirst().allSatisfy { $0 == "0" }
      ? sign * (text.count - 1) : nil
  }

  // MARK: Powers

  mutating func power() throws(Unreadable) -> MathValue {
    var value = try nested { (parser) throws(Unreadable) in try parser.primary() }
    while let token {
      if case .scalar(let scalar) = value, scalar.value.weight > Algebra.weightLimit {
        throw .tooLarge
      }
      switch token {
      case .mark("^"):
        at += 1
        if try takeDegreeOrOrdinal(&value) { continue }
        let exponent = try scalar(try exponentArgument())
        if case .matrix = value {
          guard let times = exponent.value.small, (1...8).contains(times) else {
            throw Unreadable("it takes an unusual power of a matrix")
          }
          let base = value
          for _ in 1..<times { value = try product(value, base) }
        } else {
          let base = try scalar(value)
          value = .scalar(Scalar(try algebra.power(base.value, exponent.value)))
        }
      case .mark("!"):
        at += 1
        value = .scalar(Scalar(try algebra.factorial(try scalar(value).value)))
      case .mark("%"):
        at += 1
        var number = try scalar(value)
        number.isPercent = true
        value = .scalar(number)
      case .mark("°"):
        at += 1
        value = .scalar(try Self.measured(try scalar(value), "°"))
      default: return value
      }
    }
    return value
  }

  private static func measured(_ scalar: Scalar, _ unit: String) throws(Unreadable) -> Scalar {
    var scalar = scalar
    scalar.unit = unit
    return scalar
  }

  /// ^\circ, and the letters of 4^{\text{th}}.
  private mutating func takeDegreeOrOrdinal(_ value: inout MathValue) throws(Unreadable) -> Bool {
    let start = at
    let isGroup = take(.mark("{"))
    if take(.command("circ")) || take(.mark("°")) {
      value = .scalar(try Self.measured(try scalar(value), "°"))
    } else if case .text? = token {
      at += 1
    } else {
      at = start
      return false
    }
    if isGroup, !take(.mark("}")) {
      at = start
      return false
    }
    return true
  }

  private mutating func exponentArgument() throws(Unreadable) -> MathValue {
    guard let sign = signs() else { return try argument(wholeNumbers: true) }
    let value = try argument(wholeNumbers: true)
    return try product(.scalar(Scalar(Rational(sign))), value)
  }

  /// The argument of a command: a group, one digit, one letter, one command.
  mutating func argument(wholeNumbers: Bool = false) throws(Unreadable) -> MathValue {
    guard let token else { throw Unreadable("it ends where an argument should follow") }
    switch token {
    case .number(let digits) where !wholeNumbers && digits.count > 1:
      tokens[at].token = .number(String(digits.dropFirst()))
      guard let digit = digits.first?.wholeNumberValue else { return try nestedPrimary() }
      return .scalar(Scalar(Rational(digit)))
    case .number(let digits) where wholeNumbers:
      at += 1
      return .scalar(try Self.literal(digits))
    case .number, .mark("{"), .mark("("), .command, .text, .begin: return try nestedPrimary()
    case .word(let letters) where letters.count > 1:
      tokens[at].token = .word(String(letters.dropFirst()))
      return .scalar(Scalar(Self.letter(letters.prefix(1))))
    case .word(let letter):
      at += 1
      return .scalar(Scalar(Self.letter(letter)))
    default: throw Unreadable("\(Self.name(token)) stands where an argument should follow")
    }
  }

  private mutating func nestedPrimary() throws(Unreadable) -> MathValue {
    try nested { (parser) throws(Unreadable) in try parser.primary() }
  }

  // MARK: Units

  /// A unit, or another word, behind a number; nil where none follows.
  private mutating func takeUnit(of value: MathValue) throws(Unreadable) -> MathValue? {
    guard case .scalar(var scalar) = value else { return nil }
    let start = at
    var names: [String] = []
    var link = ""
    while let word = unitWord(isFirst: names.isEmpty && scalar.unit == nil) {
      at += 1
      var name = Unit.canonical(word)
      if take(.mark("^")) {
        guard case .scalar(let power)? = try? exponentArgument(), let exponent = power.value.small
        else {
          at = start
          return nil
        }
        name += "^\(exponent)"
      }
      names.append(link + name)
      link = ""
      if token == .mark("/") || token == .mark("*"), unitWord(isFirst: false, offset: 1) != nil {
        link = token == .mark("/") ? "/" : "·"
        at += 1
      }
    }
    guard !names.isEmpty else { return nil }
    // 6 remainder 3: the word joins two numbers.
    if let token, startsFactor(token) {
      at = start
      return nil
    }
    if names.count == 1, Unit.percents.contains(names[0]) {
      scalar.isPercent = true
    } else {
      let unit = Unit.canonical(
        names.joined(separator: names.contains { "/·".contains($0.first ?? " ") } ? "" : " "))
      scalar.unit = scalar.unit == "°" && unit != "?" ? "°" + unit : unit
    }
    return .scalar(scalar)
  }

  private func unitWord(isFirst: Bool, offset: Int = 0) -> String? {
    switch token(after: offset) {
    case .text(let text)? where !Self.isConnective(text):
      return text.contains { $0.isNumber && $0.isASCII } && !Unit.isKnown(text) ? nil : text
    case .word(let word)?:
      if Unit.isKnown(word), word.count > 1 || !isFirst { return word }
      let isWord =
        word.count >= 3 && word.lowercased().contains { "eiou".contains($0) }
        && !MathSpelling.functions.contains(word) && !["pi", "infinity"].contains(word)
      return isWord ? word : nil
    default: return nil
    }
  }
}
