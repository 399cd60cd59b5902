// Sets of real numbers as intervals in order, so that [0,1]∪[1,2] is [0,2] and ℝ∖{0} is
// (−∞,0)∪(0,∞).

/// A union of intervals that do not touch, in ascending order; a point is an interval.
struct RealSet {
  /// An end of an interval, with the value that orders it.
  struct End {
    let scalar: Scalar
    let value: Double
    var isClosed: Bool

    func with(isClosed: Bool) -> End { End(scalar: scalar, value: value, isClosed: isClosed) }
  }

  private(set) var intervals: [(low: End, high: End)]

  private static let limit = 32

  /// Nil where the value is no set of real numbers, or one with unknowns in it.
  init?(_ value: MathValue) {
    guard let intervals = Self.intervals(of: value, depth: 0), intervals.count <= Self.limit else {
      return nil
    }
    self.intervals = Self.merged(intervals)
  }

  private static func intervals(of value: MathValue, depth: Int) -> [(low: End, high: End)]? {
    guard depth < 8 else { return nil }
    switch value {
    case .scalar(let scalar) where scalar.value.atom == .symbol("\\mathbb{R}"):
      return [(infinity(-1), infinity(1))]
    case .group(let group) where group.open == "⦃":
      var points: [(low: End, high: End)] = []
      for item in group.items {
        guard case .scalar(let scalar) = item, let point = end(scalar, isClosed: true) else {
          return nil
        }
        points.append((point, point))
      }
      return points
    case .group(let group) where group.open != nil && group.items.count == 2:
      guard case .scalar(let low) = group.items[0], case .scalar(let high) = group.items[1],
        let lower = end(low, isClosed: group.open == "["),
        let upper = end(high, isClosed: group.close == "]"), lower.value < upper.value
      else { return nil }
      return [(lower, upper)]
    case .union(let parts):
      var all: [(low: End, high: End)] = []
      for part in parts {
        guard let intervals = intervals(of: part, depth: depth + 1) else { return nil }
        all += intervals
      }
      return all
    case .operation("setminus", let parts):
      guard parts.count == 2, let whole = intervals(of: parts[0], depth: depth + 1),
        let removed = intervals(of: parts[1], depth: depth + 1), removed.count <= limit
      else { return nil }
      return removed.reduce(whole) { rest, hole in rest.flatMap { minus($0, hole) } }
    default: return nil
    }
  }

  private static func infinity(_ sign: Double) -> End {
    let value = Expression(.infinity)
    return End(
      scalar: Scalar(sign < 0 ? value.negated : value), value: sign * .infinity, isClosed: false)
  }

  private static func end(_ scalar: Scalar, isClosed: Bool) -> End? {
    if scalar.value.atom == .infinity { return infinity(1) }
    if scalar.value.negated.atom == .infinity { return infinity(-1) }
    return NumericProbe.realValue(of: scalar.value).map {
      End(scalar: scalar, value: $0, isClosed: isClosed)
    }
  }

  private static func minus(
    _ interval: (low: End, high: End), _ hole: (low: End, high: End)
  ) -> [(low: End, high: End)] {
    let (left, right) = (
      hole.low.with(isClosed: !hole.low.isClosed), hole.high.with(isClosed: !hole.high.isClosed)
    )
    if right.value < interval.low.value || left.value > interval.high.value { return [interval] }
    func isNotEmpty(_ low: End, _ high: End) -> Bool {
      low.value < high.value || (low.value == high.value && low.isClosed && high.isClosed)
    }
    return [(interval.low, left), (right, interval.high)].filter { isNotEmpty($0.0, $0.1) }
  }

  private static func merged(_ intervals: [(low: End, high: End)]) -> [(low: End, high: End)] {
    let sorted = intervals.sorted {
      ($0.low.value, $0.low.isClosed ? 0 : 1) < ($1.low.value, $1.low.isClosed ? 0 : 1)
    }
    var result: [(low: End, high: End)] = []
    for interval in sorted {
      guard let last = result.last,
        interval.low.value < last.high.value
          || (interval.low.value == last.high.value
            && (interval.low.isClosed || last.high.isClosed))
      else {
        result.append(interval)
        continue
      }
      let high = interval.high
      let isFurther =
        high.value > last.high.value || (high.value == last.high.value && high.isClosed)
      if isFurther { result[result.count - 1].high = high }
    }
    return result
  }

  /// The set's intervals as pairs of ends, in order, to be compared one by one.
  var groups: [MathValue] {
    intervals.map { low, high in
      .group(
        Group(
          open: low.isClosed ? "[" : "(", close: high.isClosed ? "]" : ")",
          items: [.scalar(low.scalar), .scalar(high.scalar)]))
    }
  }
}
