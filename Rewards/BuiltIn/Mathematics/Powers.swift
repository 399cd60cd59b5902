// Powers, roots, logarithms and factorials: exact where they are, atoms where they aren't.

extension Algebra {
  /// base^exponent.
  ///
  /// The real root is taken of a negative base where the root is odd: (−8)^{1/3} = −2.
  mutating func power(_ base: Expression, _ exponent: Expression) throws(Unreadable) -> Expression {
    guard let value = exponent.rational else {
      return Expression(.power(base, exponent))
    }
    if let whole = value.small {
      if whole == 0 { return Expression(.one) }
      return try wholePower(base, whole) ?? Expression(.power(base, exponent))
    }
    guard let degree = value.below.small, degree <= 64, let times = value.above.small else {
      return Expression(.power(base, exponent))
    }
    let root = try root(base, degree)
    return try wholePower(root, times) ?? Expression(.power(base, exponent))
  }

  /// The root of a degree of at least 2.
  mutating func root(_ base: Expression, _ degree: Int) throws(Unreadable) -> Expression {
    guard degree >= 2, degree <= 64 else { throw Unreadable("a root of degree \(degree)") }
    guard let value = base.rational else {
      return Expression(.power(base, Expression(Rational(1, over: BigInteger(degree)) ?? .one)))
    }
    if value.isZero { return base }
    if value.isNegative {
      if degree % 2 == 1 { return try root(base.negated, degree).negated }
      guard degree == 2 else {
        return Expression(.power(base, Expression(Rational(1, over: BigInteger(degree)) ?? .one)))
      }
      return try product(Expression(.imaginaryUnit), try root(base.negated, 2))
    }
    // (a/b)^{1/n} = (a b^{n−1})^{1/n} / b
    guard value.above.bitWidth + value.below.bitWidth * (degree - 1) <= Self.bitLimit / 8 else {
      throw .tooLarge
    }
    let radicand = value.above * value.below.power(degree - 1)
    let limbs = radicand.bitWidth / 32 + 1
    try charge(50 * limbs * limbs)
    let (outside, inside, least) = Self.simplified(radicand, degree)
    let factor = Rational(outside, over: value.below) ?? .zero
    guard inside != 1 else { return Expression(factor) }
    return try product(Expression(factor), Expression(.root(inside, degree: least)))
  }

  /// n^{1/d} as outside · inside^{1/least}: perfect powers and small squared primes come out.
  private static func simplified(
    _ number: BigInteger, _ degree: Int
  ) -> (outside: BigInteger, inside: BigInteger, least: Int) {
    if let exact = number.exactRoot(degree) { return (exact, 1, 1) }
    for prime in [2, 3, 5, 7] where degree % prime == 0 && degree > prime {
      if let root = number.exactRoot(prime) { return simplified(root, degree / prime) }
    }
    var (outside, inside) = (1 as BigInteger, number)
    for prime in smallPrimes {
      let power = BigInteger(prime).power(degree)
      if power > inside { return (outside, inside, degree) }
      while let (quotient, rest) = inside.quotientAndRemainder(dividingBy: power), rest.isZero {
        outside = outside * BigInteger(prime)
        inside = quotient
      }
    }
    // What is left may be a prime times the power of a large one.
    for prime in smallPrimes {
      guard let (quotient, rest) = inside.quotientAndRemainder(dividingBy: BigInteger(prime)),
        rest.isZero, quotient.bitWidth > 19, let root = quotient.exactRoot(degree)
      else { continue }
      return (outside * root, BigInteger(prime), degree)
    }
    return (outside, inside, degree)
  }

  static let smallPrimes: [Int] = (2..<1000).filter { number in
    !(2..<number).prefix { $0 * $0 <= number }.contains { number % $0 == 0 }
  }

  /// The natural logarithm; of a positive rational number as a sum over its primes.
  mutating func logarithm(_ argument: Expression) throws(Unreadable) -> Expression {
    if argument.atom == .e { return Expression(.one) }
    guard let value = argument.rational, value > .zero else {
      return Expression(.function("ln", [argument]))
    }
    let above = try logarithm(value.above)
    return value.isWhole ? above : try difference(above, try logarithm(value.below))
  }

  private mutating func logarithm(_ whole: BigInteger) throws(Unreadable) -> Expression {
    var (rest, sum) = (whole, Expression(.zero))
    let limbs = whole.bitWidth / 32 + 1
    try charge(limbs * (200 + limbs))
    for prime in Self.smallPrimes {
      if BigInteger(prime * prime) > rest { break }
      var times = 0
      while let (quotient, remainder) = rest.quotientAndRemainder(dividingBy: BigInteger(prime)),
        remainder.isZero
      {
        rest = quotient
        times += 1
      }
      guard times > 0 else { continue }
      let term = Polynomial(.logarithm(BigInteger(prime))).scaled(by: Rational(times))
      sum = try self.sum(sum, Expression(term, over: Polynomial(.one)))
    }
    guard rest != 1 else { return sum }
    var times = 1
    for degree in [2, 3, 5, 7] {
      while let root = rest.exactRoot(degree) { (rest, times) = (root, times * degree) }
    }
    let term = Polynomial(.logarithm(rest)).scaled(by: Rational(times))
    return try self.sum(sum, Expression(term, over: Polynomial(.one)))
  }

  /// n!, exact up to 2,500!.
  mutating func factorial(_ argument: Expression) throws(Unreadable) -> Expression {
    guard let number = argument.small, (0...2500).contains(number) else {
      return Expression(.function("!", [argument]))
    }
    try charge(number * number / 100)
    return Expression(Rational((1...max(1, number)).reduce(1) { $0 * BigInteger($1) }))
  }

  /// n choose k, exact for whole n up to 2,000.
  mutating func binomial(_ n: Expression, _ k: Expression) throws(Unreadable) -> Expression {
    guard let total = n.small, let chosen = k.small, (0...2000).contains(total) else {
      return Expression(.function("choose", [n, k]))
    }
    guard (0...total).contains(chosen) else { return Expression(.zero) }
    try charge(total * total / 100)
    var value: BigInteger = 1
    for step in 0..<min(chosen, total - chosen) {
      value = value * BigInteger(total - step)
      value = value.quotientAndRemainder(dividingBy: BigInteger(step + 1))?.0 ?? value
    }
    return Expression(Rational(value))
  }
}
