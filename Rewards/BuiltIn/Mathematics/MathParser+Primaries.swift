// Numbers, letters, brackets, commands, matrices.
extension MathParser {
  mutating func primary() throws(Unreadable) -> MathValue {
    guard let token else { throw Unreadable("it ends where a term should follow") }
    at += 1
    switch token {
    case .number(let digits): return .scalar(try number(digits))
    case .word(let letters): return try word(letters)
    case .text(let text): return try textual(text)
    case .command(let name): return try command(name)
    case .mark("("), .mark("["), .mark("⦃"): return try bracketed(token)
    case .mark("{"):
      let value = Self.listed(try items(expanding: false))
      guard take(.mark("}")) else { throw Unreadable("a brace is not closed") }
      guard let value else { throw Unreadable("a group is empty") }
      return value
    case .mark("|"):
      bars += 1
      let inside = try sum()
      bars -= 1
      guard take(.mark("|")) else { throw Unreadable("| is not closed") }
      return .scalar(Scalar(magnitude(try scalar(inside).value)))
    case .begin(let environment): return try matrix(environment)
    default: throw Unreadable("\(Self.name(token)) stands where a term should follow")
    }
  }

  // MARK: Numbers

  /// A number's digits, with its fraction and exponent.
  static func literal(_ digits: String) throws(Unreadable) -> Scalar {
    let parts = digits.split(separator: "e", maxSplits: 1)
    let mantissa = parts[0].split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    let fraction = mantissa.count > 1 ? String(mantissa[1]) : ""
    guard digits.utf8.count <= 4000, let value = BigInteger(digits: mantissa[0] + fraction),
      let exponent = parts.count > 1 ? Int(parts[1]) : 0, exponent.magnitude <= 4000
    else { throw Unreadable("a number is too long") }
    let place = exponent - fraction.count
    var scalar = Scalar(Rational(value).scaled(byTenTo: place))
    if mantissa.count > 1 {
      let written = (mantissa[0] + fraction).drop { $0 == "0" }
      scalar.decimal = DecimalWriting(digits: written.count, place: place)
    }
    scalar.isTwoDigits = mantissa.count == 1 && parts.count == 1 && digits.count == 2
    return scalar
  }

  private mutating func number(_ digits: String) throws(Unreadable) -> Scalar {
    let number = try Self.literal(digits)
    if let repeating = try repeatingDecimal(digits) { return repeating }
    if token == .mark("_"), number.decimal == nil { return try based(digits) }
    guard number.decimal == nil, let fraction = try properFraction() else { return number }
    return Scalar(try algebra.sum(number.value, Expression(fraction)))
  }

  /// The rest of a repeating decimal, as 0.\overline{3} is.
  private mutating func repeatingDecimal(_ digits: String) throws(Unreadable) -> Scalar? {
    let start = at
    if !digits.contains("."), !take(.mark(".")) { return nil }
    guard take(.command("overline")) || take(.command("dot")), take(.mark("{")),
      case .number(let period)? = token, period.allSatisfy(\.isNumber), period.count <= 40
    else {
      at = start
      return nil
    }
    at += 1
    guard take(.mark("}")), let repeated = BigInteger(digits: period),
      let share = Rational(repeated, over: (10 as BigInteger).power(period.count) - 1)
    else {
      at = start
      return nil
    }
    let head = try Self.literal(digits)
    let places = digits.split(separator: ".", omittingEmptySubsequences: false).dropFirst().first
    let tail = share.scaled(byTenTo: -(places?.count ?? 0))
    return Scalar(try algebra.sum(head.value, Expression(tail)))
  }

  /// 204_5: digits in another base are an answer of their own, not the number that they denote.
  private mutating func based(_ digits: String) throws(Unreadable) -> Scalar {
    at += 1
    let base = try argument(wholeNumbers: true)
    if case .scalar(let base) = base, let radix = base.value.small {
      if radix == 10 { return try Self.literal(digits) }
      let plain = digits.drop { $0 == "0" }
      return Scalar(
        Expression(.function("base", [Expression(.symbol(String(plain))), base.value])))
    }
    throw Unreadable("the index of a number is not a number")
  }

  /// The fraction of a mixed number: 2\frac{1}{2}, 2 1/2.
  private mutating func properFraction() throws(Unreadable) -> Rational? {
    let start = at
    var parts: [BigInteger] = []
    if take(.command("frac")) {
      let saved = tokens
      for _ in 0..<2 {
        let isGroup = take(.mark("{"))
        guard case .number(let digits)? = token, digits.allSatisfy(\.isNumber) else { break }
        if isGroup || digits.count == 1 {
          at += 1
          parts.append(BigInteger(digits: digits) ?? 0)
        } else {
          parts.append(BigInteger(digits: digits.prefix(1)) ?? 0)
          tokens[at].token = .number(String(digits.dropFirst()))
        }
        if isGroup, !take(.mark("}")) { break }
      }
      if parts.count == 2, parts[0] < parts[1], token != .mark("^") {
        return Rational(parts[0], over: parts[1])
      }
      tokens = saved
    } else if isSpaced, case .number(let above)? = token, token(after: 1) == .mark("/"),
      case .number(let below)? = token(after: 2), above.allSatisfy(\.isNumber),
      below.allSatisfy(\.isNumber), let above = BigInteger(digits: above),
      let below = BigInteger(digits: below), above < below
    {
      at += 3
      return Rational(above, over: below)
    }
    at = start
    return nil
  }

  // MARK: Letters

  static func letter(_ letter: some StringProtocol) -> Expression {
    switch letter {
    case "e": return Expression(.e)
    case "i": return Expression(.imaginaryUnit)
    default: return Expression(.symbol(String(letter)))
    }
  }

  private mutating func word(_ letters: String) throws(Unreadable) -> MathValue {
    if MathSpelling.functions.contains(letters) { return try command(letters) }
    switch letters.lowercased() {
    case "pi": return .scalar(Scalar(.pi))
    case "infinity", "inf", "infty": return .scalar(Scalar(Expression(.infinity)))
    default: break
    }
    if letters.count > 1 {
      // The other letters are factors that follow.
      at -= 1
      tokens[at] = (.word(String(letters.dropFirst())), false)
      if letters.first?.isASCII == true || letters.first?.isLetter == true {
        return .scalar(Scalar(Self.letter(letters.prefix(1))))
      }
    }
    return try symbol(letters)
  }

  /// A name with its primes, its index, and the argument of a function: f'(x), a_{n+1}.
  private mutating func symbol(_ letter: String) throws(Unreadable) -> MathValue {
    var name = letter
    while take(.mark("'")) { name += "'" }
    var value = name == letter ? Self.letter(name) : Expression(.symbol(name))
    if take(.mark("_")) {
      let index = try argument(wholeNumbers: true)
      switch index {
      case .scalar(let index): value = Expression(.function(name + "_", [index.value]))
      case .words(let text): value = Expression(.symbol(name + "_" + text))
      case .group(let group):
        var parts: [Expression] = []
        for item in group.items { parts.append(try scalar(item).value) }
        value = Expression(.function(name + "_", parts))
      default: throw Unreadable("an index is not a number")
      }
      while take(.mark("'")) {}
    }
    guard isApplied(letter) else { return .scalar(Scalar(value)) }
    at += 1
    var values: [Expression] = []
    for argument in try items(expanding: false).joined() {
      values.append(try scalar(argument).value)
    }
    guard take(.mark(")")), !values.isEmpty else { throw Unreadable("a bracket is not closed") }
    return .scalar(Scalar(Expression(.function(name + "()", values))))
  }

  /// Whether a letter is a function of the bracket that follows: f(x + 1), W(n); A(h + r) is a product.
  private func isApplied(_ letter: String) -> Bool {
    guard token == .mark("("), letter.count == 1 else { return false }
    if "fgh".contains(letter) { return true }
    guard letter.first?.isUppercase == true else { return false }
    var place = at + 1
    while place + 1 < tokens.count {
      switch tokens[place].token {
      case .number, .command: break
      case .word(let word) where word.count == 1: break
      default: return false
      }
      if tokens[place + 1].token == .mark(")") { return true }
      guard tokens[place + 1].token == .mark(",") else { return false }
      place += 2
    }
    return false
  }

  // MARK: Text

  /// A text that holds mathematics is read as such.
  private mutating func textual(_ text: String) throws(Unreadable) -> MathValue {
    let plain = text.trimmed()
    if plain.count == 1, plain.first?.isLetter == true {
      return try symbol(plain)
    }
    if plain.contains(where: { $0.isNumber || "\\$".contains($0) }) {
      let inner = try MathLexer.tokens(of: plain, comma: .thousands).tokens
      var parser = MathParser(inner)
      parser.depth = depth
      if let value = try? parser.answer() { return value }
    }
    return .words(PlainText.of(text))
  }

  // MARK: Brackets

  private mutating func bracketed(_ open: MathToken) throws(Unreadable) -> MathValue {
    let isSet = open == .mark("⦃")
    let openBars = bars
    bars = 0
    defer { bars = openBars }
    let groups = try items(expanding: isSet)
    guard case .mark(let close)? = token, isSet ? close == "⦄" : close == ")" || close == "]",
      case .mark(let opening) = open
    else { throw Unreadable("a bracket is not closed") }
    at += 1
    let values = Self.flattened(groups)
    if !isSet, values.count == 1, (opening == "(") == (close == ")") { return values[0] }
    guard isSet || values.count > 1 else { throw Unreadable("a bracket holds nothing to read") }
    return .group(Group(open: opening, close: close, items: values))
  }

  func magnitude(_ value: Expression) -> Expression {
    value.rational.map { Expression($0.magnitude) } ?? Expression(.function("abs", [value]))
  }

  private mutating func matrix(_ environment: String) throws(Unreadable) -> MathValue {
    guard environment.hasSuffix("matrix") || environment == "array" else {
      throw Unreadable("\\begin{\(environment.prefix(20))} holds no single answer")
    }
    var rows: [[Scalar]] = [[]]
    while token != .end(environment) {
      guard let token else { throw Unreadable("\\begin{\(environment)} is not ended") }
      if take(.rowBreak) {
        rows.append([])
      } else if token == .mark("&") {
        at += 1
      } else if token == .command("hline") {
        at += 1
      } else {
        rows[rows.count - 1].append(try scalar(try sum()))
      }
    }
    at += 1
    if rows.last?.isEmpty == true { rows.removeLast() }
    guard let width = rows.first?.count, width > 0, rows.allSatisfy({ $0.count == width }) else {
      throw Unreadable("the rows of a matrix differ in length")
    }
    guard environment == "vmatrix" else { return .matrix(rows) }
    return .scalar(Scalar(Expression(.function("det\(width)", rows.joined().map(\.value)))))
  }
}
