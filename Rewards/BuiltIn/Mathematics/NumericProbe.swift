import Foundation
// Whether a difference of two expressions is 0: by algebra where that decides, else by values.
//
// A polynomial over atoms that are independent of one another (unknowns, π, e, square roots of
// numbers whose products are not squares, logarithms of primes) is 0 only where all its coefficients
// are. Others, as sin²x + cos²x − 1, are evaluated where the unknowns have fixed "random" values; a
// value below 1e−11 of the sum of the terms' magnitudes counts as 0 (after Schwartz and Zippel).
import Rollouts

/// An answer to "are they equal?".
enum Verdict {
  case equal
  case different
  /// Neither could be shown; a reward pays nothing for it.
  case undecided
}

/// Evaluates expressions at fixed points.
struct NumericProbe {
  private static let tolerance = 1e-11
  private let seed: UInt64
  private let isNegative: Bool

  /// Whether two expressions are equal for all values of their unknowns.
  static func compare(_ a: Expression, _ b: Expression, in algebra: inout Algebra) -> Verdict {
    if a == b { return .equal }
    guard let left = try? algebra.product(a.above, b.below),
      let right = try? algebra.product(b.above, a.below),
      let difference = try? algebra.sum(left, right.scaled(by: Rational(-1)))
    else { return .undecided }
    return isZero(difference)
  }

  /// Whether a polynomial vanishes for all values of its unknowns.
  static func isZero(_ polynomial: Polynomial) -> Verdict {
    if polynomial.isZero { return .equal }
    let atoms = polynomial.atoms
    if areIndependent(atoms) { return .different }
    if let verdict = isZeroSumOfLogarithms(polynomial) { return verdict }
    let dependsOnSigns = atoms.contains { $0.contains(\.dependsOnSigns) }
    var points = 0
    for probe in probes(withNegative: dependsOnSigns) {
      guard let (value, scale) = probe.value(of: polynomial), scale > 0 else { continue }
      if value.magnitude > tolerance * scale { return .different }
      points += 1
    }
    return points >= 2 ? .equal : .undecided
  }

  /// Whether a/b is the same real number at all points; nil where that can't be told.
  static func constantRatio(_ a: Polynomial, _ b: Polynomial) -> Double? {
    var ratios: [Double] = []
    for probe in probes(withNegative: true) {
      guard let (top, topScale) = probe.value(of: a),
        let (bottom, bottomScale) = probe.value(of: b),
        top.magnitude > tolerance * topScale, bottom.magnitude > tolerance * bottomScale
      else { continue }
      let ratio = top / bottom
      guard abs(ratio.imaginary) <= 1e-9 * ratio.magnitude else { return nil }
      ratios.append(ratio.real)
    }
    guard ratios.count >= 3, let first = ratios.first,
      ratios.allSatisfy({ abs($0 - first) <= 1e-9 * abs(first) })
    else { return nil }
    return first
  }

  /// The value of an expression without unknowns, where it is real and finite.
  static func realValue(of expression: Expression) -> Double? {
    let atoms = expression.above.atoms.union(expression.below.atoms)
    guard !atoms.contains(where: { $0.contains { $0.isUnknown } }),
      let value = NumericProbe(seed: 0, isNegative: false).value(of: expression),
      abs(value.imaginary) <= 1e-12 * value.magnitude
    else { return nil }
    return value.real
  }

  /// Points where the unknowns are positive; and where they are negative, all of them and some.
  private static func probes(withNegative: Bool) -> [NumericProbe] {
    var probes = (1...3).map { NumericProbe(seed: $0, isNegative: false) }
    if withNegative { probes += (4...6).map { NumericProbe(seed: $0, isNegative: true) } }
    return probes
  }

  /// No polynomial relation over the rationals holds between the atoms.
  private static func areIndependent(_ atoms: Set<Atom>) -> Bool {
    var squares: [BigInteger] = []
    var higher = 0
    for atom in atoms {
      switch atom {
      case .symbol: break
      case .root(let radicand, let degree):
        if degree == 2 { squares.append(radicand) } else { higher += 1 }
      case .logarithm(let number):
        // Beyond, trial division has not shown it to be prime.
        if number.bitWidth > 19 { return false }
      case .power, .function: return false
      }
    }
    guard higher == 0 || (higher == 1 && squares.isEmpty), squares.count <= 12 else { return false }
    for (index, first) in squares.enumerated() {
      for second in squares[(index + 1)...] where (first * second).exactRoot(2) != nil {
        return false
      }
    }
    return true
  }

  /// c₁ ln n₁ + c₂ ln n₂ + … is 0 where n₁^c₁ n₂^c₂ … is 1; nil for anything else, or too large.
  private static func isZeroSumOfLogarithms(_ polynomial: Polynomial) -> Verdict? {
    var (above, below) = (1 as BigInteger, 1 as BigInteger)
    let shared = polynomial.terms.values.reduce(1 as BigInteger) { $0 * $1.below }
    for (monomial, coefficient) in polynomial.terms {
      guard monomial.exponents.count == 1, let (atom, exponent) = monomial.exponents.first,
        case .logarithm(let number) = atom, exponent == 1,
        let times = (coefficient * Rational(shared)).small,
        number.bitWidth *| Int(clamping: times.magnitude) < Algebra.bitLimit / 8
      else { return nil }
      if times > 0 {
        above = above * number.power(times)
      } else {
        below = below * number.power(-times)
      }
    }
    return above == below ? .equal : .different
  }

  // MARK: Values

  private func value(of expression: Expression, depth: Int = 0) -> Complex? {
    guard depth < 40, let (above, _) = value(of: expression.above, depth: depth) else { return nil }
    if expression.below.constant == .one { return above }
    guard let (below, scale) = value(of: expression.below, depth: depth),
      below.magnitude > 1e-13 * scale
    else { return nil }
    let result = above / below
    return result.isFinite ? result : nil
  }

  /// The value and the sum of the terms' magnitudes, up to a common factor for huge coefficients.
  private func value(of polynomial: Polynomial, depth: Int = 0) -> (Complex, scale: Double)? {
    var (sum, scale) = (Complex(real: 0), 0.0)
    let widest = polynomial.terms.values.max { $0.magnitude < $1.magnitude }
    let isHuge = depth == 0 && (widest?.bitWidth ?? 0) > 900
    for (monomial, coefficient) in polynomial.terms {
      let factor =
        isHuge ? (coefficient * (widest?.reciprocal ?? .one)).double : coefficient.double
      var term = Complex(real: factor)
      for (atom, exponent) in monomial.exponents {
        guard let value = value(of: atom, depth: depth + 1) else { return nil }
        term = term * value.raised(to: Complex(real: Double(exponent)))
      }
      sum = sum + term
      scale += term.magnitude
    }
    return sum.isFinite && scale.isFinite ? (sum, scale) : nil
  }

  private func value(of atom: Atom, depth: Int) -> Complex? {
    switch atom {
    case .symbol("π"): return Complex(real: .pi)
    case .symbol("e"): return Complex(real: M_E)
    case .symbol("∞"): return nil
    case .symbol(let name): return Complex(real: value(ofUnknown: name))
    case .root(let number, 2) where number.isNegative: return .i
    case .root(let number, let degree):
      return Complex(
        real: degree == 2 ? number.double.squareRoot() : pow(number.double, 1 / Double(degree)))
    case .logarithm(let number): return Complex(real: log(number.double))
    case .power(let base, let exponent):
      let result = power(base, exponent, depth: depth)
      return result?.isFinite == true ? result : nil
    case .function("ln", let arguments) where isNegative:
      guard let argument = arguments.first, let value = value(of: argument, depth: depth),
        value.real > 0 || value.imaginary != 0
      else { return nil }
      return value.logarithm
    case .function(let name, let arguments):
      let values = arguments.compactMap { value(of: $0, depth: depth) }
      guard values.count == arguments.count, let first = values.first else { return nil }
      let result = Self.function(name, first, values) ?? opaque(name, values)
      return result.isFinite ? result : nil
    }
  }

  /// A power; where unknowns are negative only one that real numbers have: √x√y is √(xy) wherever both are
  /// defined, and √(x²) is not x.
  private func power(_ base: Expression, _ exponent: Expression, depth: Int) -> Complex? {
    guard let base = value(of: base, depth: depth),
      let power = value(of: exponent, depth: depth)
    else { return nil }
    guard isNegative, base.imaginary == 0, base.real < 0 else { return base.raised(to: power) }
    guard let exact = exponent.rational, let degree = exact.below.small, degree % 2 == 1,
      let times = exact.above.small
    else { return nil }
    let magnitude = pow(-base.real, exact.double)
    return Complex(real: times % 2 == 0 ? magnitude : -magnitude)
  }

  /// Between 0.4 and 2.4, by the name (FNV-1a), the same in every process.
  private func value(ofUnknown name: String) -> Double {
    let hash = (name + "\(seed)").utf8.reduce(14_695_981_039_346_656_037 as UInt64) {
      ($0 ^ UInt64($1)) &* 1_099_511_628_211
    }
    let value = 0.4 + Double((hash ^ hash >> 29) % 1_000_003) / 500_001.5
    return isNegative && (seed == 4 || (hash >> 7) % 2 == 0) ? -value : value
  }

  /// A function that is not known is the same for the same arguments, and no more.
  private func opaque(_ name: String, _ values: [Complex]) -> Complex {
    let text = values.map { String(format: "%.9e,%.9e", $0.real, $0.imaginary) }
    return Complex(real: value(ofUnknown: name + text.joined(separator: ";")))
  }

  private static func function(_ name: String, _ x: Complex, _ all: [Complex]) -> Complex? {
    let one = Complex(real: 1)
    let isReal = x.imaginary == 0
    switch name {
    case "sin": return x.sine
    case "cos": return x.cosine
    case "tan": return x.sine / x.cosine
    case "cot": return x.cosine / x.sine
    case "sec": return one / x.cosine
    case "csc": return one / x.sine
    case "arcsin" where isReal && abs(x.real) <= 1: return Complex(real: asin(x.real))
    case "arccos" where isReal && abs(x.real) <= 1: return Complex(real: acos(x.real))
    case "arctan" where isReal: return Complex(real: atan(x.real))
    case "sinh" where isReal: return Complex(real: sinh(x.real))
    case "cosh" where isReal: return Complex(real: cosh(x.real))
    case "tanh" where isReal: return Complex(real: tanh(x.real))
    case "ln": return x.magnitude == 0 ? nil : x.logarithm
    case "abs": return Complex(real: x.magnitude)
    case "sgn" where isReal: return Complex(real: x.real > 0 ? 1 : x.real < 0 ? -1 : 0)
    case "floor" where isReal: return Complex(real: x.real.rounded(.down))
    case "ceil" where isReal: return Complex(real: x.real.rounded(.up))
    case "Re": return Complex(real: x.real)
    case "Im": return Complex(real: x.imaginary)
    case "conjugate": return Complex(real: x.real, imaginary: -x.imaginary)
    case "!" where isReal: return Complex(real: tgamma(x.real + 1))
    case "max" where all.allSatisfy { $0.imaginary == 0 }:
      return all.map(\.real).max().map { Complex(real: $0) }
    case "min" where all.allSatisfy { $0.imaginary == 0 }:
      return all.map(\.real).min().map { Complex(real: $0) }
    default: return nil
    }
  }
}

extension Atom {
  /// Whether a condition holds for this atom or one within it.
  func contains(_ condition: (Atom) -> Bool) -> Bool {
    if condition(self) { return true }
    func within(_ expression: Expression) -> Bool {
      expression.above.atoms.union(expression.below.atoms).contains { $0.contains(condition) }
    }
    switch self {
    case .symbol, .root, .logarithm: return false
    case .power(let base, let exponent): return within(base) || within(exponent)
    case .function(_, let arguments): return arguments.contains(where: within)
    }
  }

  /// Whether it may be one thing of positive unknowns and another of negative ones.
  fileprivate var dependsOnSigns: Bool {
    switch self {
    case .power, .function("abs", _), .function("sgn", _): true
    default: false
    }
  }

  /// Whether it is a name without a value.
  fileprivate var isUnknown: Bool {
    guard case .symbol(let name) = self else { return false }
    return !["π", "e", "∞"].contains(name)
  }
}
