// What a relation states: a value under a name, an equation, an inequality.

/// A relation, understood.
enum MathStatement {
  /// No relation.
  case value(MathValue)
  /// x = 5, x ∈ [1, 2], 1 < x < 2: a value, or the set that holds it, under a name.
  case named(MathValue, MathValue)
  /// An equation of two expressions, as their difference.
  case equation(Expression)
  /// What is above 0, or at least 0.
  case inequality(Expression, isStrict: Bool)
  /// What is not 0.
  case inequation(Expression)
  /// Anything else, as it is written.
  case other(MathValue)

  init(_ value: MathValue, in algebra: inout Algebra) {
    guard case .relation(var sides, var signs) = value else {
      self = .value(value)
      return
    }
    // x = 1/3 ≈ 0.33 states 1/3.
    if let first = signs.firstIndex(of: .approximately) {
      if first == 0, !sides[0].isName {
        self = .value(sides[0])
        return
      }
      let kept = first == 0 ? 1 : first
      if first == 0 { signs[0] = .equal }
      signs = Array(signs.prefix(kept))
      sides = Array(sides.prefix(kept + 1))
    }
    self =
      Self.equality(sides, signs, in: &algebra) ?? Self.membership(sides, signs)
      ?? Self.bounds(sides, signs, in: &algebra) ?? .other(value)
  }

  private static func difference(
    _ a: MathValue, _ b: MathValue, in algebra: inout Algebra
  ) -> Expression? {
    guard case .scalar(let a) = a, case .scalar(let b) = b else { return nil }
    return try? algebra.difference(a.value, b.value)
  }

  private static func equality(
    _ sides: [MathValue], _ signs: [RelationSign], in algebra: inout Algebra
  ) -> MathStatement? {
    guard signs.allSatisfy({ $0 == .equal }), let last = sides.last else { return nil }
    if sides.count > 2 {
      return sides.dropLast().first { $0.isName }.map { .named($0, last) }
    }
    if sides[0].isName { return .named(sides[0], last) }
    if last.isName { return .named(last, sides[0]) }
    guard let difference = difference(sides[0], last, in: &algebra) else { return nil }
    // 2 + 3 = 5 states 5; 5 = 6 states nothing.
    if difference.rational?.isZero == true { return .value(last) }
    return .equation(difference)
  }

  private static func membership(
    _ sides: [MathValue], _ signs: [RelationSign]
  ) -> MathStatement? {
    signs == [.element] && sides[0].isName ? .named(sides[0], sides[1]) : nil
  }

  private static func bounds(
    _ sides: [MathValue], _ signs: [RelationSign], in algebra: inout Algebra
  ) -> MathStatement? {
    if signs == [.notEqual] {
      return difference(sides[0], sides[1], in: &algebra).map { .inequation($0) }
    }
    let isAscending = signs.allSatisfy { $0 == .less || $0 == .atMost }
    let isDescending = signs.allSatisfy { $0 == .greater || $0 == .atLeast }
    guard isAscending || isDescending else { return nil }
    let ordered = isAscending ? sides : sides.reversed()
    let strict = (isAscending ? signs : signs.reversed()).map { $0 == .less || $0 == .greater }
    if ordered.count == 3, ordered[1].isName {
      return .named(
        ordered[1],
        .group(
          Group(
            open: strict[0] ? "(" : "[", close: strict[1] ? ")" : "]",
            items: [ordered[0], ordered[2]])
        ))
    }
    guard ordered.count == 2 else { return nil }
    return difference(ordered[1], ordered[0], in: &algebra).map {
      .inequality($0, isStrict: strict[0])
    }
  }

  /// The set of a name's values that an inequality leaves: x > 5 is (5, ∞).
  static func interval(of value: MathValue) -> (name: MathValue, set: MathValue)? {
    guard case .relation(let sides, let signs) = value, signs.count == 1, sides.count == 2 else {
      return nil
    }
    let (name, bound, sign) =
      sides[0].isName ? (sides[0], sides[1], signs[0]) : (sides[1], sides[0], signs[0].flipped)
    guard name.isName, !bound.isName || bound == .scalar(Scalar(Expression(.infinity))) else {
      return nil
    }
    let infinity = MathValue.scalar(Scalar(Expression(.infinity)))
    let minusInfinity = MathValue.scalar(Scalar(Expression(.infinity).negated))
    switch sign {
    case .less: return (name, .group(Group(open: "(", close: ")", items: [minusInfinity, bound])))
    case .atMost:
      return (name, .group(Group(open: "(", close: "]", items: [minusInfinity, bound])))
    case .greater: return (name, .group(Group(open: "(", close: ")", items: [bound, infinity])))
    case .atLeast: return (name, .group(Group(open: "[", close: ")", items: [bound, infinity])))
    case .notEqual:
      let line = MathValue.scalar(Scalar(Expression(.symbol("\\mathbb{R}"))))
      let point = MathValue.group(Group(open: "⦃", close: "⦄", items: [bound]))
      return (name, .operation("setminus", [line, point]))
    default: return nil
    }
  }
}

extension MathValue {
  /// Whether it names something: x, AB, f(x), |AB|, \angle ABC, a ratio or tuple of names, a text.
  var isName: Bool {
    switch self {
    case .scalar(let scalar):
      return scalar.unit == nil && !scalar.isPercent && scalar.value.isName
    case .group(let group):
      return group.open != nil && !group.items.isEmpty && group.items.allSatisfy(\.isName)
    case .ratio(let parts): return parts.allSatisfy { $0.value.isName }
    case .words: return true
    default: return false
    }
  }

  /// Whether it names the value of a function: f(x).
  var isFunctionName: Bool {
    guard case .scalar(let scalar) = self, case .function(let name, _)? = scalar.value.atom else {
      return false
    }
    return name.hasSuffix("()")
  }
}

extension Expression {
  fileprivate var isName: Bool {
    guard !atomsAreConstants else { return false }
    return above.isProductOfNames && (below.constant == .one || below.isProductOfNames)
  }

  private var atomsAreConstants: Bool {
    above.atoms.union(below.atoms).allSatisfy { [.pi, .e, .infinity].contains($0) }
  }
}

extension Polynomial {
  fileprivate var isProductOfNames: Bool {
    guard terms.count == 1, let (monomial, factor) = terms.first, factor == .one else {
      return false
    }
    return !monomial.exponents.isEmpty
      && monomial.exponents.allSatisfy { atom, exponent in
        guard exponent == 1 else { return false }
        switch atom {
        case .symbol: return atom != .infinity
        case .function(let name, _): return name != "base"
        case .root(let number, _): return number.isNegative
        case .power, .logarithm: return false
        }
      }
  }
}
