// Fractions, roots, functions, sums over an index, and names with decorations.
extension MathParser {
  mutating func command(_ name: String) throws(Unreadable) -> MathValue {
    switch name {
    case "frac":
      let above = try argument()
      let below = try scalar(try argument())
      guard case .scalar(let above) = above else {
        throw Unreadable("the numerator of a fraction is not a number")
      }
      return .scalar(
        Scalar(try algebra.quotient(try plainValue(above), try plainValue(below))))
    case "sqrt": return .scalar(Scalar(try root()))
    case "binom":
      let total = try scalar(try argument()).value
      return .scalar(Scalar(try algebra.binomial(total, try scalar(try argument()).value)))
    case "pi": return .scalar(Scalar(.pi))
    case "infty": return .scalar(Scalar(Expression(.infinity)))
    case "emptyset": return .group(Group(open: "⦃", close: "⦄", items: []))
    case "i": return .scalar(Scalar(Expression(.imaginaryUnit)))
    case "lfloor": return try rounded("floor", until: "rfloor")
    case "lceil": return try rounded("ceil", until: "rceil")
    case "mathbb", "mathcal", "mathfrak", "mathscr": return .scalar(Scalar(try styledLetter(name)))
    case "overline", "vec", "hat", "tilde", "widehat", "dot", "mathring":
      return .scalar(Scalar(Expression(.function("\\" + name, [try scalar(try argument()).value]))))
    case "angle", "triangle", "measuredangle", "Delta", "nabla", "partial":
      guard let token, startsFactor(token) else { break }
      let inside = try scalar(try product()).value
      return .scalar(Scalar(Expression(.function("\\" + name, [inside]))))
    case "sum", "prod", "int", "iint", "oint", "lim", "bigoplus":
      return .scalar(Scalar(try operation(name)))
    case "not":
      // \not= is \ne; \not\in is no relation that is known.
      throw Unreadable("\\not is not read")
    default: break
    }
    if MathSpelling.functions.contains(name) { return .scalar(Scalar(try function(name))) }
    return try namedSymbol(name)
  }

  /// A Greek letter, or a command that is not known: a name, with its index.
  private mutating func namedSymbol(_ name: String) throws(Unreadable) -> MathValue {
    var full = "\\" + name
    while take(.mark("'")) { full += "'" }
    guard take(.mark("_")) else { return .scalar(Scalar(Expression(.symbol(full)))) }
    let index = try argument(wholeNumbers: true)
    if case .words(let text) = index {
      return .scalar(Scalar(Expression(.symbol(full + "_" + text))))
    }
    return .scalar(Scalar(Expression(.function(full + "_", [try scalar(index).value]))))
  }

  private mutating func styledLetter(_ style: String) throws(Unreadable) -> Expression {
    guard take(.mark("{")), case .word(let letter)? = token, token(after: 1) == .mark("}") else {
      if case .word(let letter)? = token {
        at += 1
        return Expression(.symbol("\\\(style){\(letter)}"))
      }
      throw Unreadable("\\\(style) stands before no letter")
    }
    at += 2
    return Expression(.symbol("\\\(style){\(letter)}"))
  }

  private mutating func root() throws(Unreadable) -> Expression {
    var degree = 2
    if take(.mark("[")) {
      let index = try scalar(try sum()).value
      guard take(.mark("]")) else { throw Unreadable("a bracket is not closed") }
      guard let whole = index.small else {
        let radicand = try scalar(try argument()).value
        return try algebra.power(radicand, try algebra.reciprocal(index))
      }
      degree = whole
    }
    let radicand = try scalar(try argument(wholeNumbers: isSpaced)).value
    return degree == 1 ? radicand : try algebra.root(radicand, degree)
  }

  private mutating func rounded(
    _ name: String, until end: String
  ) throws(Unreadable) -> MathValue {
    let inside = try scalar(try sum()).value
    guard take(.command(end)) else { throw Unreadable("\\\(end) is missing") }
    guard let value = inside.rational else {
      return .scalar(Scalar(Expression(.function(name, [inside]))))
    }
    let floor = Rational(name == "floor" ? value.floor : -(-value).floor)
    return .scalar(Scalar(floor))
  }

  // MARK: Functions

  private mutating func function(_ name: String) throws(Unreadable) -> Expression {
    if name == "sqrt" { return try root() }
    var exponent: Expression?
    var base: Expression?
    while true {
      if exponent == nil, take(.mark("^")) {
        exponent = try scalar(try argument(wholeNumbers: true)).value
      } else if base == nil, take(.mark("_")) {
        base = try scalar(try argument(wholeNumbers: false)).value
      } else {
        break
      }
    }
    guard let token, startsFactor(token) || isSignedArgument else {
      guard exponent == nil, base == nil else { throw Unreadable("\\\(name) lacks its argument") }
      return Expression(.symbol("\\" + name))
    }
    let arguments = try functionArguments()
    let isInverse = exponent?.small == -1 && ["sin", "cos", "tan"].contains(name)
    let value = try apply(isInverse ? "arc" + name : name, arguments, base: base)
    guard let exponent, !isInverse else { return value }
    return try algebra.power(value, exponent)
  }

  private var isSignedArgument: Bool {
    token == .mark("-") && token(after: 1).map { startsFactor($0) } == true
  }

  /// What a function is applied to: a bracket, or factors up to the next function or sign.
  private mutating func functionArguments() throws(Unreadable) -> [Scalar] {
    if case .mark(let open)? = token, "([{".contains(open) {
      let value = try nested { (parser) throws(Unreadable) in try parser.primary() }
      guard case .group(let group) = value else { return [try scalar(value)] }
      var arguments: [Scalar] = []
      for item in group.items { arguments.append(try scalar(item)) }
      return arguments
    }
    let sign = signs()
    var value = try power()
    while let token, startsFactor(token), !isFunction(token), token != .mark("(") {
      value = try product(value, try power())
    }
    if let sign { value = try product(.scalar(Scalar(Rational(sign))), value) }
    return [try scalar(value)]
  }

  private func isFunction(_ token: MathToken) -> Bool {
    switch token {
    case .command(let name), .word(let name): return MathSpelling.functions.contains(name)
    default: return false
    }
  }

  private mutating func apply(
    _ name: String, _ arguments: [Scalar], base: Expression?
  ) throws(Unreadable) -> Expression {
    guard let first = arguments.first else { throw Unreadable("\\\(name) lacks its argument") }
    var value = first.value
    switch name {
    case "ln": return try algebra.logarithm(value)
    case "log":
      let base = base ?? Expression(Rational(10))
      return try algebra.quotient(try algebra.logarithm(value), try algebra.logarithm(base))
    case "exp": return try algebra.power(Expression(.e), value)
    case "gcd", "lcm", "max", "min": return try ofWholes(name, arguments.map(\.value))
    default: break
    }
    if first.unit == "°", let degree = Rational(1, over: 180) {
      let factor = try algebra.product(.pi, Expression(degree))
      value = try algebra.product(value, factor)
    }
    if arguments.count == 1, value.rational?.isZero == true, ["sin", "tan", "sinh"].contains(name) {
      return Expression(.zero)
    }
    return Expression(.function(name, [value] + arguments.dropFirst().map(\.value)))
  }

  private func ofWholes(_ name: String, _ values: [Expression]) throws(Unreadable) -> Expression {
    let numbers = values.compactMap(\.rational)
    guard numbers.count == values.count, let first = numbers.first else {
      return Expression(.function(name, values))
    }
    switch name {
    case "max": return Expression(numbers.max() ?? first)
    case "min": return Expression(numbers.min() ?? first)
    default:
      guard numbers.allSatisfy({ $0.isWhole }), numbers.count <= 16 else {
        return Expression(.function(name, values))
      }
      var result = first.above.magnitude
      for number in numbers.dropFirst() {
        let shared = BigInteger.greatestCommonDivisor(result, number.above)
        if name == "gcd" {
          result = shared
        } else {
          guard let (quotient, _) = result.quotientAndRemainder(dividingBy: shared) else {
            return Expression(.zero)
          }
          result = (quotient * number.above).magnitude
        }
      }
      return Expression(Rational(result))
    }
  }

  /// A sum, product, integral or limit: its bounds and its body, as written.
  private mutating func operation(_ name: String) throws(Unreadable) -> Expression {
    var parts: [Expression] = []
    for script in ["_", "^", "_"] where take(.mark(Character(script))) {
      parts.append(Expression(.symbol(script)))
      parts += try expressions(in: try argument(wholeNumbers: true))
    }
    guard let token, startsFactor(token) else { throw Unreadable("\\\(name) lacks its argument") }
    parts.append(try scalar(try product()).value)
    return Expression(.function("\\" + name, parts))
  }

  private func expressions(in value: MathValue) throws(Unreadable) -> [Expression] {
    switch value {
    case .scalar(let scalar): return [scalar.value]
    case .relation(let sides, let signs):
      var parts = [Expression(.symbol("\(signs)"))]
      for side in sides { parts += try expressions(in: side) }
      return parts
    case .group(let group):
      var parts: [Expression] = []
      for item in group.items { parts += try expressions(in: item) }
      return parts
    case .words(let text): return [Expression(.symbol(text))]
    default: throw Unreadable("a bound is not a number")
    }
  }
}
