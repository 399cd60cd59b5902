/// An exact fraction in lowest terms, with a denominator above 0.
struct Rational: Hashable, Comparable {
  let above: BigInteger
  let below: BigInteger

  init(_ whole: BigInteger) {
    above = whole
    below = 1
  }

  init(_ whole: Int) { self.init(BigInteger(whole)) }

  /// Nil for a denominator of 0.
  init?(_ above: BigInteger, over below: BigInteger) {
    guard !below.isZero else { return nil }
    self.init(above, nonzero: below)
  }

  private init(_ above: BigInteger, nonzero below: BigInteger) {
    if below == 1 {
      self.above = above
      self.below = below
      return
    }
    let divisor = BigInteger.greatestCommonDivisor(above, below)
    let sign: BigInteger = below.isNegative ? -1 : 1
    let (numerator, denominator) =
      divisor == 1
      ? (above, below)
      : (
        above.quotientAndRemainder(dividingBy: divisor)?.0 ?? above,
        below.quotientAndRemainder(dividingBy: divisor)?.0 ?? below
      )
    self.above = numerator * sign
    self.below = denominator * sign
  }

  static let zero = Rational(0)
  static let one = Rational(1)

  var isZero: Bool { above.isZero }
  var isWhole: Bool { below == 1 }
  var isNegative: Bool { above.isNegative }
  var magnitude: Rational { isNegative ? -self : self }
  /// The value as a machine integer, where it is one.
  var small: Int? { isWhole ? above.small : nil }
  var bitWidth: Int { max(above.bitWidth, below.bitWidth) }
  /// 1 / self, nil for 0.
  var reciprocal: Rational? { Rational(below, over: above) }

  /// The greatest whole number that is at most this one.
  var floor: BigInteger {
    guard let (quotient, rest) = above.quotientAndRemainder(dividingBy: below) else { return above }
    return rest.isNegative ? quotient - 1 : quotient
  }

  /// A double within a few units of its last place; infinite or 0 beyond a double's range.
  var double: Double {
    let widest = bitWidth
    if widest <= 960 { return above.double / below.double }
    // Both parts lose the same power of two.
    let unit = (2 as BigInteger).power(widest - 960)
    let top = above.quotientAndRemainder(dividingBy: unit)?.0 ?? above
    let bottom = below.quotientAndRemainder(dividingBy: unit)?.0 ?? below
    return top.double / bottom.double
  }

  static func < (left: Rational, right: Rational) -> Bool {
    left.above * right.below < right.above * left.below
  }
  static prefix func - (value: Rational) -> Rational {
    Rational(-value.above, nonzero: value.below)
  }
  static func + (left: Rational, right: Rational) -> Rational {
    left.below == right.below
      ? Rational(left.above + right.above, nonzero: left.below)
      : Rational(
        left.above * right.below + right.above * left.below, nonzero: left.below * right.below)
  }
  static func - (left: Rational, right: Rational) -> Rational { left + -right }
  static func * (left: Rational, right: Rational) -> Rational {
    Rational(left.above * right.above, nonzero: left.below * right.below)
  }

  /// A power of ten times this number; the caller bounds the exponent.
  func scaled(byTenTo exponent: Int) -> Rational {
    let power = Rational((10 as BigInteger).power(exponent.magnitude.asInt))
    return exponent >= 0 ? self * power : self * (power.reciprocal ?? power)
  }
}

extension UInt {
  fileprivate var asInt: Int { Int(clamping: self) }
}

extension Rational: CustomStringConvertible {
  var description: String { isWhole ? "\(above)" : "\(above)/\(below)" }
}
