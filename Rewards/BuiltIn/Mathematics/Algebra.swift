// The operations on expressions, with a bound on their work.

/// A text that can't be read as mathematics, or only with too much work; says why in a clause.
struct Unreadable: Error, Equatable, CustomStringConvertible {
  let description: String
  init(_ reason: String) { description = reason }

  static let tooLarge = Unreadable("it takes too much work to expand")
}

/// Adds, multiplies, divides expressions exactly, and stops where that takes too long.
struct Algebra {
  /// The widest whole number, in bits; 2,500! has 25,000.
  static let bitLimit = 32_768
  /// The greatest number of terms of a sum.
  static let termLimit = 300
  /// The most that an expression is made of, atoms within atoms included.
  static let weightLimit = 2000

  /// Steps left: about a limb's product each.
  private var work = 250_000

  mutating func charge(_ steps: Int) throws(Unreadable) {
    work -= steps
    if work < 0 { throw .tooLarge }
  }

  private mutating func checked(_ value: Rational) throws(Unreadable) -> Rational {
    let bits = value.bitWidth
    if bits > Self.bitLimit { throw .tooLarge }
    try charge(1 + bits / 32)
    return value
  }

  private mutating func product(_ a: Rational, _ b: Rational) throws(Unreadable) -> Rational {
    let (left, right) = (a.bitWidth / 32 + 1, b.bitWidth / 32 + 1)
    // The greatest common divisor takes as many divisions as there are digits.
    try charge(left * right + (left + right > 8 ? (left + right) * (left + right) * 4 : 0))
    return try checked(a * b)
  }

  // MARK: Polynomials

  mutating func sum(_ a: Polynomial, _ b: Polynomial) throws(Unreadable) -> Polynomial {
    var result = a
    let weights = a.weight + b.weight
    try charge(8 * weights)
    if weights > 2 * Self.weightLimit { throw .tooLarge }
    for (monomial, coefficient) in b.terms {
      result.add(try checked(coefficient), monomial)
    }
    if result.terms.count > Self.termLimit { throw .tooLarge }
    return result
  }

  mutating func product(_ a: Polynomial, _ b: Polynomial) throws(Unreadable) -> Polynomial {
    if let factor = a.constant, factor == .one { return b }
    if let factor = b.constant, factor == .one { return a }
    var result = Polynomial()
    try charge(8 * (a.weight * b.terms.count + b.weight * a.terms.count))
    for (left, x) in a.terms {
      for (right, y) in b.terms {
        var (factor, monomial) = (try product(x, y), left)
        if !right.exponents.isEmpty {
          if left.exponents.isEmpty {
            monomial = right
          } else {
            monomial.exponents.merge(right.exponents, uniquingKeysWith: +)
            let reduced = try reduce(monomial)
            factor = try product(factor, reduced.factor)
            monomial = reduced.monomial
          }
        }
        result.add(factor, monomial)
      }
      if result.terms.count > Self.termLimit { throw .tooLarge }
    }
    if result.weight > 2 * Self.weightLimit { throw .tooLarge }
    return result
  }

  /// Takes whole powers out of roots: √2·√2 = 2, √2·√6 = 2√3, i·i = −1.
  private mutating func reduce(
    _ monomial: Monomial
  ) throws(Unreadable) -> (factor: Rational, monomial: Monomial) {
    var factor = Rational.one
    var result = Monomial()
    var radicand: BigInteger = 1
    for (atom, exponent) in monomial.exponents {
      guard case .root(let number, let degree) = atom else {
        result.exponents[atom] = exponent
        continue
      }
      let (whole, rest) = (exponent / degree, exponent % degree)
      if whole > 0 {
        if number.bitWidth * whole > Self.bitLimit { throw .tooLarge }
        factor = try product(factor, Rational(number.power(whole)))
      }
      if rest == 0 { continue }
      if degree == 2, number > 0 {
        let shared = BigInteger.greatestCommonDivisor(radicand, number)
        factor = try product(factor, Rational(shared))
        radicand =
          (radicand.quotientAndRemainder(dividingBy: shared)?.0 ?? radicand)
          * (number.quotientAndRemainder(dividingBy: shared)?.0 ?? number)
      } else {
        result.exponents[atom] = rest
      }
    }
    if radicand != 1 { result.exponents[.root(radicand, degree: 2)] = 1 }
    return (factor, result)
  }

  // MARK: Expressions

  mutating func sum(_ a: Expression, _ b: Expression) throws(Unreadable) -> Expression {
    if a.below == b.below { return Expression(try sum(a.above, b.above), over: a.below) }
    return Expression(
      try sum(try product(a.above, b.below), try product(b.above, a.below)),
      over: try product(a.below, b.below))
  }

  mutating func difference(_ a: Expression, _ b: Expression) throws(Unreadable) -> Expression {
    try sum(a, b.negated)
  }

  mutating func product(_ a: Expression, _ b: Expression) throws(Unreadable) -> Expression {
    let below = try product(a.below, b.below)
    return Expression(try product(a.above, b.above), over: below)
  }

  mutating func quotient(_ a: Expression, _ b: Expression) throws(Unreadable) -> Expression {
    try product(a, try reciprocal(b))
  }

  mutating func reciprocal(_ a: Expression) throws(Unreadable) -> Expression {
    if a.above.isZero { throw Unreadable("it divides by 0") }
    return Expression(a.below, over: a.above)
  }

  /// Whether a product or power would stay within the limits: others stay as they are written.
  private func canExpand(_ base: Expression, _ exponent: Int) -> Bool {
    let terms = max(base.above.terms.count, base.below.terms.count)
    let bits = (base.above.terms.values.map(\.bitWidth) + base.below.terms.values.map(\.bitWidth))
    guard exponent <= Self.bitLimit, (bits.max() ?? 0) * exponent <= Self.bitLimit else {
      return false
    }
    if terms <= 1 { return true }
    var count = 1.0
    for step in 1..<terms { count *= Double(exponent + step) / Double(step) }
    return count <= Double(Self.termLimit)
  }

  /// A whole power; nil where it is too large to write out.
  mutating func wholePower(
    _ base: Expression, _ exponent: Int
  ) throws(Unreadable) -> Expression? {
    guard exponent.magnitude <= UInt(Self.bitLimit), canExpand(base, abs(exponent)) else {
      return nil
    }
    let base = exponent < 0 ? try reciprocal(base) : base
    var (result, square, rest) = (Expression(.one), base, abs(exponent))
    while rest > 0 {
      if rest & 1 == 1 { result = try product(result, square) }
      rest >>= 1
      if rest > 0 { square = try product(square, square) }
    }
    return result
  }
}
