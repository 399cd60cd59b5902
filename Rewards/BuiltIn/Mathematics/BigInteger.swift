// Whole numbers of any size: sign and magnitude, schoolbook arithmetic on 32-bit limbs.
//
// Answers are short, so that simple algorithms are the fast ones; whoever multiplies bounds the size
// (see Algebra.bitLimit).

/// A whole number of any size.
struct BigInteger: Hashable, Comparable, ExpressibleByIntegerLiteral {
  /// Limbs of the magnitude, least first, without leading zeros; empty for 0.
  private(set) var limbs: [UInt32]
  /// Whether it is below 0; never for 0.
  private(set) var isNegative: Bool

  private init(limbs: [UInt32], isNegative: Bool) {
    var limbs = limbs
    while limbs.last == 0 { limbs.removeLast() }
    self.limbs = limbs
    self.isNegative = isNegative && !limbs.isEmpty
  }

  init(_ value: Int) {
    let magnitude = value.magnitude
    self.init(
      limbs: [UInt32(truncatingIfNeeded: magnitude), UInt32(truncatingIfNeeded: magnitude >> 32)],
      isNegative: value < 0)
  }

  init(integerLiteral value: Int) { self.init(value) }

  /// Reads decimal digits; nil where there is none or another character.
  init?(digits: some StringProtocol, radix: UInt32 = 10) {
    guard !digits.isEmpty else { return nil }
    var limbs: [UInt32] = []
    for scalar in digits.unicodeScalars {
      guard scalar.isASCII, let digit = Character(scalar).hexDigitValue, digit < radix else {
        return nil
      }
      var carry = UInt64(digit)
      for index in limbs.indices {
        carry += UInt64(limbs[index]) * UInt64(radix)
        limbs[index] = UInt32(truncatingIfNeeded: carry)
        carry >>= 32
      }
      if carry > 0 { limbs.append(UInt32(carry)) }
    }
    self.init(limbs: limbs, isNegative: false)
  }

  var isZero: Bool { limbs.isEmpty }
  var isOdd: Bool { (limbs.first ?? 0) & 1 == 1 }
  var magnitude: BigInteger { BigInteger(limbs: limbs, isNegative: false) }

  /// The number of bits of the magnitude.
  var bitWidth: Int {
    limbs.last.map { limbs.count * 32 - $0.leadingZeroBitCount } ?? 0
  }

  /// The value as a machine integer, where it fits.
  var small: Int? {
    guard bitWidth < 63 else { return nil }
    let value = limbs.reversed().reduce(0) { $0 << 32 | Int($1) }
    return isNegative ? -value : value
  }

  /// The nearest double, or infinity; its error is at most one unit in the last place.
  var double: Double {
    let magnitude = limbs.reversed().reduce(0.0) { $0 * 4_294_967_296 + Double($1) }
    return isNegative ? -magnitude : magnitude
  }

  // MARK: Order

  static func < (left: BigInteger, right: BigInteger) -> Bool {
    if left.isNegative != right.isNegative { return left.isNegative }
    let order = compare(left.limbs, right.limbs)
    return left.isNegative ? order > 0 : order < 0
  }

  private static func compare(_ left: [UInt32], _ right: [UInt32]) -> Int {
    if left.count != right.count { return left.count < right.count ? -1 : 1 }
    for index in left.indices.reversed() where left[index] != right[index] {
      return left[index] < right[index] ? -1 : 1
    }
    return 0
  }

  // MARK: Arithmetic

  static prefix func - (value: BigInteger) -> BigInteger {
    BigInteger(limbs: value.limbs, isNegative: !value.isNegative)
  }

  static func + (left: BigInteger, right: BigInteger) -> BigInteger {
    if left.isNegative == right.isNegative {
      return BigInteger(limbs: sum(left.limbs, right.limbs), isNegative: left.isNegative)
    }
    let order = compare(left.limbs, right.limbs)
    if order == 0 { return 0 }
    return order > 0
      ? BigInteger(limbs: difference(left.limbs, right.limbs), isNegative: left.isNegative)
      : BigInteger(limbs: difference(right.limbs, left.limbs), isNegative: right.isNegative)
  }

  static func - (left: BigInteger, right: BigInteger) -> BigInteger { left + -right }

  static func * (left: BigInteger, right: BigInteger) -> BigInteger {
    if left.isZero || right.isZero { return 0 }
    var product = [UInt32](repeating: 0, count: left.limbs.count + right.limbs.count)
    for (i, a) in left.limbs.enumerated() {
      var carry: UInt64 = 0
      for (j, b) in right.limbs.enumerated() {
        carry += UInt64(a) * UInt64(b) + UInt64(product[i + j])
        product[i + j] = UInt32(truncatingIfNeeded: carry)
        carry >>= 32
      }
      product[i + right.limbs.count] = UInt32(carry)
    }
    return BigInteger(limbs: product, isNegative: left.isNegative != right.isNegative)
  }

  private static func sum(_ left: [UInt32], _ right: [UInt32]) -> [UInt32] {
    var result = left.count >= right.count ? left : right
    let shorter = left.count >= right.count ? right : left
    var carry: UInt64 = 0
    for index in result.indices {
      carry += UInt64(result[index]) + (index < shorter.count ? UInt64(shorter[index]) : 0)
      result[index] = UInt32(truncatingIfNeeded: carry)
      carry >>= 32
    }
    if carry > 0 { result.append(UInt32(carry)) }
    return result
  }

  /// left − right, where left is at least right.
  private static func difference(_ left: [UInt32], _ right: [UInt32]) -> [UInt32] {
    var result = left
    var borrow: Int64 = 0
    for index in result.indices {
      var value = Int64(result[index]) - borrow - (index < right.count ? Int64(right[index]) : 0)
      borrow = value < 0 ? 1 : 0
      if value < 0 { value += 4_294_967_296 }
      result[index] = UInt32(value)
    }
    return result
  }

  /// Quotient towards zero, and remainder with the dividend's sign; nil for a divisor of 0.
  func quotientAndRemainder(dividingBy divisor: BigInteger) -> (BigInteger, BigInteger)? {
    guard !divisor.isZero else { return nil }
    guard Self.compare(limbs, divisor.limbs) >= 0 else { return (0, self) }
    let (quotient, remainder) =
      divisor.limbs.count == 1
      ? Self.divide(limbs, by: divisor.limbs[0]) : Self.divide(limbs, by: divisor.limbs)
    return (
      BigInteger(limbs: quotient, isNegative: isNegative != divisor.isNegative),
      BigInteger(limbs: remainder, isNegative: isNegative)
    )
  }

  private static func divide(_ limbs: [UInt32], by divisor: UInt32) -> ([UInt32], [UInt32]) {
    var quotient = limbs
    var remainder: UInt64 = 0
    for index in limbs.indices.reversed() {
      let value = remainder << 32 | UInt64(limbs[index])
      quotient[index] = UInt32(value / UInt64(divisor))
      remainder = value % UInt64(divisor)
    }
    return (quotient, [UInt32(remainder)])
  }

  /// Knuth's algorithm D (The Art of Computer Programming, volume 2, 4.3.1), for two limbs or more.
  private static func divide(_ limbs: [UInt32], by divisor: [UInt32]) -> ([UInt32], [UInt32]) {
    let count = divisor.count
    let shift = divisor[count - 1].leadingZeroBitCount
    let v = shifted(divisor, left: shift)
    var u = shifted(limbs, left: shift)
    while u.count <= limbs.count { u.append(0) }
    var quotient = [UInt32](repeating: 0, count: u.count - count)
    let base: UInt64 = 1 << 32
    for j in quotient.indices.reversed() {
      let top = UInt64(u[j + count]) << 32 | UInt64(u[j + count - 1])
      var guess = top / UInt64(v[count - 1])
      var rest = top % UInt64(v[count - 1])
      while guess >= base || guess * UInt64(v[count - 2]) > (rest << 32 | UInt64(u[j + count - 2]))
      {
        guess -= 1
        rest += UInt64(v[count - 1])
        if rest >= base { break }
      }
      var borrow: Int64 = 0
      var carry: UInt64 = 0
      for i in 0..<count {
        carry += guess * UInt64(v[i])
        let value = Int64(u[i + j]) - borrow - Int64(carry & 0xFFFF_FFFF)
        carry >>= 32
        u[i + j] = UInt32(truncatingIfNeeded: value)
        borrow = value < 0 ? 1 : 0
      }
      let value = Int64(u[j + count]) - borrow - Int64(carry)
      u[j + count] = UInt32(truncatingIfNeeded: value)
      if value < 0 {
        guess -= 1
        var carry: UInt64 = 0
        for i in 0..<count {
          carry += UInt64(u[i + j]) + UInt64(v[i])
          u[i + j] = UInt32(truncatingIfNeeded: carry)
          carry >>= 32
        }
        u[j + count] = UInt32(truncatingIfNeeded: UInt64(u[j + count]) + carry)
      }
      quotient[j] = UInt32(truncatingIfNeeded: guess)
    }
    return (quotient, shifted(Array(u[..<count]), right: shift))
  }

  private static func shifted(_ limbs: [UInt32], left shift: Int) -> [UInt32] {
    guard shift > 0 else { return limbs }
    var carry: UInt32 = 0
    var result = limbs.map { limb in
      defer { carry = limb >> (32 - UInt32(shift)) }
      return limb << UInt32(shift) | carry
    }
    result.append(carry)
    return result
  }

  private static func shifted(_ limbs: [UInt32], right shift: Int) -> [UInt32] {
    guard shift > 0 else { return limbs }
    return limbs.indices.map { index in
      let high = index + 1 < limbs.count ? limbs[index + 1] << (32 - UInt32(shift)) : 0
      return limbs[index] >> UInt32(shift) | high
    }
  }

  // MARK: Number theory

  /// The greatest common divisor, at least 0.
  static func greatestCommonDivisor(_ a: BigInteger, _ b: BigInteger) -> BigInteger {
    var (a, b) = (a.magnitude, b.magnitude)
    while !b.isZero {
      if let x = a.small, let y = b.small {
        var (x, y) = (x, y)
        while y != 0 { (x, y) = (y, x % y) }
        return BigInteger(x)
      }
      guard let (_, rest) = a.quotientAndRemainder(dividingBy: b) else { return a }
      (a, b) = (b, rest)
    }
    return a
  }

  /// The power with an exponent of at least 0.
  func power(_ exponent: Int) -> BigInteger {
    var (result, base, rest) = (1 as BigInteger, self, exponent)
    while rest > 0 {
      if rest & 1 == 1 { result = result * base }
      rest >>= 1
      if rest > 0 { base = base * base }
    }
    return result
  }

  /// The greatest whole number whose power is at most this one, which is at least 0 (Newton).
  func root(_ degree: Int) -> BigInteger {
    guard !isZero, degree > 1 else { return self }
    guard degree <= bitWidth else { return 1 }
    var guess = (2 as BigInteger).power(bitWidth / degree + 1)
    while true {
      let power = guess.power(degree - 1)
      guard let (quotient, _) = quotientAndRemainder(dividingBy: power),
        let (next, _) = (guess * BigInteger(degree - 1) + quotient)
          .quotientAndRemainder(dividingBy: BigInteger(degree))
      else { return guess }
      if next >= guess { return guess }
      guess = next
    }
  }

  /// The exact root, nil where there is none.
  func exactRoot(_ degree: Int) -> BigInteger? {
    guard !isNegative else { return degree % 2 == 1 ? (-self).exactRoot(degree).map { -$0 } : nil }
    let root = root(degree)
    return root.power(degree) == self ? root : nil
  }
}

extension BigInteger: CustomStringConvertible {
  var description: String {
    var parts: [String] = []
    var rest = magnitude
    while let (quotient, remainder) = rest.quotientAndRemainder(dividingBy: 1_000_000_000) {
      let digits = String(remainder.small ?? 0)
      if quotient.isZero {
        parts.append(digits)
        break
      }
      parts.append(String(repeating: "0", count: 9 - digits.count) + digits)
      rest = quotient
    }
    return (isNegative ? "-" : "") + parts.reversed().joined()
  }
}
