// Scalars as quotients of polynomials over atoms, with exact rational coefficients.
//
//   2\sqrt{3}+\frac{\pi}{x}   is   (2·√3·x + π) / x   over the atoms √3, π, x
//
// Sums and products are exact. What two values have in common beyond that (sin² + cos² = 1) is for
// NumericProbe to find out.

/// What algebra can't take apart: an unknown, a root, a logarithm, a power, a function's value.
indirect enum Atom: Hashable {
  /// An unknown, or a constant with a name: x, F_{n-1}, π, e, ∞.
  case symbol(String)
  /// √n for a whole n ≥ 2 or for −1; the n-th root of a whole number ≥ 2.
  case root(BigInteger, degree: Int)
  /// ln n for a whole n ≥ 2.
  case logarithm(BigInteger)
  /// A power that is neither.
  case power(Expression, Expression)
  /// sin x, n!, a sum over an index.
  case function(String, [Expression])

  static let pi = Atom.symbol("π")
  static let e = Atom.symbol("e")
  static let infinity = Atom.symbol("∞")
  static let imaginaryUnit = Atom.root(-1, degree: 2)

  /// How much it is made of: what comparing it costs.
  fileprivate var weight: Int {
    switch self {
    case .symbol, .root, .logarithm: return 1
    case .power(let base, let exponent): return 1 + base.weight + exponent.weight
    case .function(_, let arguments): return arguments.reduce(1) { $0 + $1.weight }
    }
  }
}

/// A product of atoms, each with an exponent above 0.
struct Monomial: Hashable {
  var exponents: [Atom: Int] = [:]
}

/// A sum of products with rational coefficients, none of them 0.
struct Polynomial: Hashable {
  private(set) var terms: [Monomial: Rational] = [:]

  init() {}
  init(_ value: Rational) { add(value, Monomial()) }
  init(_ atom: Atom) { add(.one, Monomial(exponents: [atom: 1])) }

  mutating func add(_ coefficient: Rational, _ monomial: Monomial) {
    if coefficient.isZero { return }
    let sum = (terms[monomial] ?? .zero) + coefficient
    terms[monomial] = sum.isZero ? nil : sum
  }

  var isZero: Bool { terms.isEmpty }

  /// The value where no atom occurs.
  var constant: Rational? {
    if terms.isEmpty { return .zero }
    return terms.count == 1 ? terms[Monomial()] : nil
  }

  /// How much it is made of.
  var weight: Int {
    terms.keys.reduce(0) { $0 + $1.exponents.keys.reduce(1) { $0 + $1.weight } }
  }

  /// Every atom that occurs.
  var atoms: Set<Atom> { Set(terms.keys.flatMap(\.exponents.keys)) }

  func scaled(by factor: Rational) -> Polynomial {
    var result = self
    result.terms = factor.isZero ? [:] : terms.mapValues { $0 * factor }
    return result
  }
}

/// A quotient of polynomials; the denominator is not 0.
struct Expression: Hashable {
  let above: Polynomial
  let below: Polynomial
  /// How much it is made of, atoms within atoms included.
  let weight: Int
  private let fingerprint: Int

  /// A quotient, whose denominator the caller knows not to be 0.
  ///
  /// A constant denominator is divided out.
  init(_ above: Polynomial, over below: Polynomial) {
    if let divisor = below.constant?.reciprocal {
      self.above = divisor == .one ? above : above.scaled(by: divisor)
      self.below = Polynomial(.one)
    } else {
      self.above = above
      self.below = below
    }
    weight = self.above.weight + self.below.weight
    var hasher = Hasher()
    hasher.combine(self.above)
    hasher.combine(self.below)
    fingerprint = hasher.finalize()
  }

  // Expressions are within atoms within expressions: each is hashed once, when it is made.
  func hash(into hasher: inout Hasher) { hasher.combine(fingerprint) }

  static func == (left: Expression, right: Expression) -> Bool {
    left.fingerprint == right.fingerprint && left.weight == right.weight
      && left.above == right.above && left.below == right.below
  }

  init(_ value: Rational) { self.init(Polynomial(value), over: Polynomial(.one)) }
  init(_ atom: Atom) { self.init(Polynomial(atom), over: Polynomial(.one)) }

  static let pi = Expression(.pi)

  /// The value where it is a rational number.
  var rational: Rational? { below.constant == .one ? above.constant : nil }
  /// The value where it is a machine integer.
  var small: Int? { rational?.small }

  /// The one atom that it is, if it is one.
  var atom: Atom? {
    guard below.constant == .one, above.terms.count == 1,
      let (monomial, factor) = above.terms.first,
      factor == .one, monomial.exponents.count == 1,
      let (atom, exponent) = monomial.exponents.first,
      exponent == 1
    else { return nil }
    return atom
  }

  var negated: Expression { Expression(above.scaled(by: Rational(-1)), over: below) }
}
