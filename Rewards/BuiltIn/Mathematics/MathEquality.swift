// Whether two answers are the same: one relation on values, structural but for scalars.
//
// Decimals: equal to another decimal or terminating fraction where the numbers are; equal to any
// other exact value where they show at least 7 significant digits and are that value rounded, or
// cut off, at the last of them ("seven-digit rule").

/// Compares answers, with a bound on the work.
struct MathEquality {
  /// The fewest significant digits of a decimal that stands for an exact value.
  static let significantDigits = 7
  /// The longest lists that are compared without order.
  private static let listLimit = 64

  var algebra = Algebra()
  private var comparisons = 5000

  /// Whether an answer is the row's.
  static func verdict(gold: MathReading, given: MathReading) -> Verdict {
    var equality = MathEquality()
    if gold.isText || given.isText {
      return gold.plain == given.plain && !gold.plain.isEmpty ? .equal : .different
    }
    var verdict = Verdict.different
    for left in gold.values {
      for right in given.values {
        switch equality.compare(left, right) {
        case .equal: return .equal
        case .undecided: verdict = .undecided
        case .different: break
        }
      }
    }
    return verdict
  }

  // MARK: Statements

  mutating func compare(_ a: MathValue, _ b: MathValue) -> Verdict {
    if a == b { return .equal }
    comparisons -= 1
    guard comparisons > 0 else { return .undecided }
    let (left, right) = (MathStatement(a, in: &algebra), MathStatement(b, in: &algebra))
    switch (left, right) {
    case (.value(let x), .value(let y)): return compareValues(x, y)
    case (.named(let name, let x), .named(let other, let y)):
      if name.isFunctionName && other.isFunctionName || compare(name, other) == .equal,
        compare(x, y) == .equal
      {
        return .equal
      }
      let (unfoldedX, unfoldedY) = (unfolded(name, x), unfolded(other, y))
      if unfoldedX != x || unfoldedY != y, name.magnitudeOf ?? name == other.magnitudeOf ?? other {
        return compareValues(unfoldedX, unfoldedY)
      }
      return proportional(difference(name, x), difference(other, y), keepsSign: false)
    case (.named(let name, let x), .value(let y)): return compareValues(unfolded(name, x), y)
    case (.value(let x), .named(let name, let y)): return compareValues(x, unfolded(name, y))
    case (.named(let name, let x), .equation(let y)):
      return proportional(difference(name, x), y, keepsSign: false)
    case (.equation(let x), .named(let name, let y)):
      return proportional(x, difference(name, y), keepsSign: false)
    case (.equation(let x), .equation(let y)): return proportional(x, y, keepsSign: false)
    case (.inequation(let x), .inequation(let y)): return proportional(x, y, keepsSign: false)
    case (.inequation, .value(let y)): return compareInterval(a, y)
    case (.value(let x), .inequation): return compareInterval(b, x)
    case (.inequality(let x, let isStrict), .inequality(let y, let isStrictToo)):
      return isStrict == isStrictToo ? proportional(x, y, keepsSign: true) : .different
    case (.inequality, .value(let y)): return compareInterval(a, y)
    case (.value(let x), .inequality): return compareInterval(b, x)
    case (.inequality, .named(let name, let set)), (.named(let name, let set), .inequality):
      guard let (other, interval) = MathStatement.interval(of: a) ?? MathStatement.interval(of: b),
        compare(name, other) == .equal
      else { return .different }
      return compareValues(set, unfolded(other, interval))
    case (.other(.relation(let x, let signs)), .other(.relation(let y, let others))):
      return signs == others && x.count == y.count ? ordered(x, y) : .different
    default: return .different
    }
  }

  private mutating func compareInterval(_ relation: MathValue, _ set: MathValue) -> Verdict {
    guard let (name, interval) = MathStatement.interval(of: relation) else { return .different }
    return compareValues(unfolded(name, interval), set)
  }

  private mutating func difference(_ name: MathValue, _ value: MathValue) -> Expression? {
    guard case .scalar(let name) = name, case .scalar(let value) = value else { return nil }
    return try? algebra.difference(name.value, value.value)
  }

  /// Whether one expression is a constant times the other: they vanish together.
  private mutating func proportional(
    _ a: Expression?, _ b: Expression?, keepsSign: Bool
  ) -> Verdict {
    guard let a, let b else { return .different }
    if keepsSign, a.below.constant == nil || b.below.constant == nil { return .undecided }
    guard let (monomial, x) = a.above.terms.first, a.above.constant == nil,
      b.above.constant == nil
    else { return .different }
    if let y = b.above.terms[monomial], let inverse = x.reciprocal {
      let ratio = y * inverse
      if let rest = try? algebra.sum(b.above, a.above.scaled(by: -ratio)), rest.isZero {
        return !keepsSign || !ratio.isNegative ? .equal : .different
      }
    }
    if a.above.terms.count == b.above.terms.count,
      let ratio = NumericProbe.constantRatio(a.above, b.above)
    {
      return !keepsSign || ratio > 0 ? .equal : .different
    }
    return .different
  }

  /// |z| in an interval says where z is.
  private func unfolded(_ name: MathValue, _ set: MathValue) -> MathValue {
    guard name.magnitudeOf != nil,
      case .group(let interval) = set, interval.items.count == 2, interval.open != "⦃",
      case .scalar(let low) = interval.items[0], case .scalar(let high) = interval.items[1]
    else { return set }
    func negated(_ scalar: Scalar) -> MathValue { .scalar(Scalar(scalar.value.negated)) }
    let isUnbounded = low.value == Expression(.infinity).negated
    let mirrored: Character = interval.close == "]" ? "[" : "("
    if isUnbounded || (low.value.rational.map { $0.isNegative } ?? false) {
      return .group(
        Group(open: mirrored, close: interval.close, items: [negated(high), .scalar(high)]))
    }
    return .union([
      .group(
        Group(
          open: mirrored, close: interval.open == "[" ? "]" : ")",
          items: [negated(high), negated(low)])),
      .group(interval),
    ])
  }

  // MARK: Values

  private mutating func compareValues(_ a: MathValue, _ b: MathValue) -> Verdict {
    if a == b { return .equal }
    switch (a, b) {
    case (.relation, _), (_, .relation): return compare(a, b)
    case (.scalar(let x), .scalar(let y)): return compareScalars(x, y)
    case (.group(let x), .group(let y)): return compareGroups(x, y)
    case (.group(let group), _) where group.items.count == 1 && group.open == "⦃":
      return compare(group.items[0], b)
    case (_, .group(let group)) where group.items.count == 1 && group.open == "⦃":
      return compare(a, group.items[0])
    case (.union, _), (_, .union), (.operation, _), (_, .operation): return compareSets(a, b)
    case (.matrix(let x), .matrix(let y)):
      guard x.count == y.count, x[0].count == y[0].count else { return .different }
      return ordered(x.joined().map { .scalar($0) }, y.joined().map { .scalar($0) })
    case (.ratio(let x), .ratio(let y)): return compareRatios(x, y)
    case (.ratio(let x), .scalar(let y)), (.scalar(let y), .ratio(let x)):
      guard x.count == 2, let value = try? algebra.quotient(x[0].value, x[1].value) else {
        return .different
      }
      return compareScalars(Scalar(value), y)
    case (.scalar, .group(let y)) where y.open != nil, (.group(let y), .scalar) where y.open != nil:
      return compareSets(a, b)
    case (.phrase(let x), .phrase(let y)): return x.count == y.count ? ordered(x, y) : .different
    default: return .different
    }
  }

  /// Unions and what else is made of sets: by their intervals, else as they are written.
  private mutating func compareSets(_ a: MathValue, _ b: MathValue) -> Verdict {
    let (a, b) = (asUnion(a), asUnion(b))
    if let x = RealSet(a), let y = RealSet(b) {
      let (left, right) = (x.groups, y.groups)
      return left.count == right.count ? ordered(left, right) : .different
    }
    switch (a, b) {
    case (.union(let x), .union(let y)): return unordered(x, y)
    case (.operation(let name, let x), .operation(let other, let y)):
      return name == other && x.count == y.count ? ordered(x, y) : .different
    default: return .different
    }
  }

  /// x < 1 or x > 3 is a union.
  private func asUnion(_ value: MathValue) -> MathValue {
    guard case .group(let group) = value, group.open == nil else { return value }
    return .union(group.items.map { MathStatement.interval(of: $0)?.set ?? $0 })
  }

  private mutating func compareRatios(_ a: [Scalar], _ b: [Scalar]) -> Verdict {
    guard a.count == b.count else { return .different }
    // Two clock times, or two ratios: only the latter can be reduced.
    if a.count == 2, !(a[1].isTwoDigits && b[1].isTwoDigits),
      let x = try? algebra.product(a[0].value, b[1].value),
      let y = try? algebra.product(b[0].value, a[1].value)
    {
      return compareScalars(Scalar(x), Scalar(y))
    }
    return ordered(a.map { .scalar($0) }, b.map { .scalar($0) })
  }

  mutating func compareScalars(_ a: Scalar, _ b: Scalar) -> Verdict {
    if Unit.differ(a.unit, b.unit) { return .different }
    let verdict = NumericProbe.compare(a.value, b.value, in: &algebra)
    if verdict == .equal { return .equal }
    if a.isPercent != b.isPercent, let hundredth = Rational(1, over: 100) {
      // 20% is 20, and is 0.2.
      let (percent, plain) = a.isPercent ? (a.value, b.value) : (b.value, a.value)
      if let share = try? algebra.product(percent, Expression(hundredth)),
        NumericProbe.compare(share, plain, in: &algebra) == .equal
      {
        return .equal
      }
    }
    if let decimal = a.decimal, b.decimal == nil, isRounded(a, decimal, of: b) { return .equal }
    if let decimal = b.decimal, a.decimal == nil, isRounded(b, decimal, of: a) { return .equal }
    return verdict
  }

  /// Whether a decimal is an exact value that is not whole, rounded or cut off at its last digit.
  private func isRounded(_ scalar: Scalar, _ decimal: DecimalWriting, of exact: Scalar) -> Bool {
    guard decimal.digits >= Self.significantDigits, let written = scalar.value.rational else {
      return false
    }
    if let value = exact.value.rational {
      let unit = Rational(1).scaled(byTenTo: decimal.place)
      let error = value.magnitude - written.magnitude
      let isNearest = (error + error).magnitude <= unit
      return !value.isWhole && value.isNegative == written.isNegative
        && (isNearest || (!error.isNegative && error < unit))
    }
    guard let value = NumericProbe.realValue(of: exact.value) else { return false }
    let unit = Rational(1).scaled(byTenTo: decimal.place).double
    let error = abs(value) - abs(written.double)
    let noise = 4 * abs(value).ulp
    return (value < 0) == written.isNegative
      && (abs(error) <= unit / 2 + noise || (error >= -noise && error < unit + noise))
  }

  // MARK: Lists

  private typealias Entry = (name: MathValue?, value: MathValue, whole: MathValue)

  private mutating func entries(_ group: Group) -> [Entry] {
    var entries: [Entry] = []
    for item in group.items {
      if case .named(let name, let value) = MathStatement(item, in: &algebra) {
        // (x, y) = (5, 8) and (8, 5): the name stands for all that follow.
        entries.append((name, value, item))
      } else {
        entries.append((nil, item, item))
      }
    }
    return entries
  }

  private func haveDistinctNames(_ entries: [Entry]) -> Bool {
    let names = entries.compactMap(\.name)
    return names.count == entries.count && names.count > 1 && Set(names).count == names.count
  }

  private mutating func compareGroups(_ a: Group, _ b: Group) -> Verdict {
    var (left, right) = (entries(a), entries(b))
    // Sets, and lists of points, have no multiplicity; a list of numbers may be one of roots.
    let arePoints = (left + right).allSatisfy { $0.value.isBracketed }
    if a.open == "⦃" && b.open == "⦃" || arePoints && a.open == nil && b.open == nil {
      (left, right) = (distinct(left), distinct(right))
    }
    guard left.count == right.count else { return .different }
    let isLeftNamed = haveDistinctNames(left), isRightNamed = haveDistinctNames(right)
    if isLeftNamed, isRightNamed {
      let areSame = Set(left.compactMap(\.name)) == Set(right.compactMap(\.name))
      guard areSame else { return .different }
      let order = left.map { entry in right.first { $0.name == entry.name }?.value ?? entry.whole }
      return ordered(left.map(\.value), order)
    }
    if isLeftNamed || isRightNamed {
      // x = 3, y = 2 and (3, 2): by position. A set has none.
      let other = isLeftNamed ? b : a
      if other.open == "⦃" || other.open == "[" { return .different }
      return ordered(left.map(\.value), right.map(\.value))
    }
    let names = Set((left + right).compactMap(\.name).filter { !$0.isFunctionName })
    guard names.count <= 1 else { return unordered(left.map(\.whole), right.map(\.whole)) }
    switch (a.open, b.open) {
    case (nil, nil), (nil, "⦃"), ("⦃", nil), ("⦃", "⦃"):
      return unordered(left.map(\.value), right.map(\.value))
    case (nil, "("), ("(", nil):
      let bracketed = a.open == nil ? b : a
      return bracketed.close == ")" ? ordered(left.map(\.value), right.map(\.value)) : .different
    default:
      guard a.open == b.open, a.close == b.close else { return .different }
      return ordered(left.map(\.value), right.map(\.value))
    }
  }

  private mutating func distinct(_ entries: [Entry]) -> [Entry] {
    guard entries.count <= Self.listLimit else { return entries }
    var kept: [Entry] = []
    for entry in entries {
      var isNew = true
      for other in kept where compare(entry.whole, other.whole) == .equal { isNew = false }
      if isNew { kept.append(entry) }
    }
    return kept
  }

  private mutating func ordered(_ a: [MathValue], _ b: [MathValue]) -> Verdict {
    var result = Verdict.equal
    for (x, y) in zip(a, b) {
      switch compare(x, y) {
      case .different: return .different
      case .undecided: result = .undecided
      case .equal: break
      }
    }
    return result
  }

  private mutating func unordered(_ a: [MathValue], _ b: [MathValue]) -> Verdict {
    guard a.count == b.count else { return .different }
    guard a.count <= Self.listLimit else { return ordered(a, b) == .equal ? .equal : .undecided }
    var rest = b
    var isUndecided = false
    for item in a {
      var place: Int?
      for index in rest.indices {
        let verdict = compare(item, rest[index])
        if verdict == .equal {
          place = index
          break
        }
        if verdict == .undecided { isUndecided = true }
      }
      guard let place else { return isUndecided ? .undecided : .different }
      rest.remove(at: place)
    }
    return .equal
  }
}

extension MathValue {
  /// x of |x|.
  fileprivate var magnitudeOf: MathValue? {
    guard case .scalar(let scalar) = self, case .function("abs", let inside)? = scalar.value.atom,
      let first = inside.first
    else { return nil }
    return .scalar(Scalar(first))
  }

  fileprivate var isBracketed: Bool {
    if case .group(let group) = self { return group.open != nil }
    return false
  }
}

extension MathReading {
  /// Whether it is a text: compared by its letters.
  fileprivate var isText: Bool {
    if case .words? = values.first { return true }
    return false
  }
}
