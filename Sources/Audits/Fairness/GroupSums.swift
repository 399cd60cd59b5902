/// Sums over the rows of each group, from which every rate and mean follows.
///
/// They add up, so that a resample is a sum over its units.
struct GroupSums {
  /// The counts that come before the sums of the measures.
  enum Count: Int, CaseIterable {
    /// Rows, and those of a favourable outcome, among rows that have an outcome.
    case outcomes, favourable
    /// Rows of a favourable label, and those of a favourable outcome among them.
    case positives, truePositives
    /// Rows of an unfavourable label, and those of a favourable outcome among them.
    case negatives, falsePositives
  }

  /// The sums of one measure: over all rows, over those of a favourable and of an unfavourable label.
  enum Part: Int, CaseIterable { case all, positive, negative }

  /// Numbers per group.
  let width: Int
  private(set) var sums: [Double]

  init(groups: Int, measures: Int) {
    width = Count.allCases.count + measures * Part.allCases.count * 2
    sums = [Double](repeating: 0, count: groups * width)
  }

  var groupCount: Int { width == 0 ? 0 : sums.count / width }

  /// Adds a row to its group.
  mutating func add(_ row: BiasRow, group: Int) {
    let base = group * width
    func at(_ count: Count) -> Int { base + count.rawValue }
    if let favourable = row.isFavourable {
      sums[at(.outcomes)] += 1
      if favourable { sums[at(.favourable)] += 1 }
      if let label = row.label {
        sums[at(label ? .positives : .negatives)] += 1
        if favourable { sums[at(label ? .truePositives : .falsePositives)] += 1 }
      }
    }
    for (measure, value) in row.values.enumerated() {
      guard let value else { continue }
      add(value, to: place(measure, .all, group))
      if let label = row.label {
        add(value, to: place(measure, label ? .positive : .negative, group))
      }
    }
  }

  /// Adds another's sums.
  mutating func add(_ other: GroupSums) {
    for index in sums.indices { sums[index] += other.sums[index] }
  }

  /// Adds the sums of one unit's rows of a group.
  mutating func add(_ part: some Collection<Double>, group: Int) {
    var index = group * width
    for value in part {
      sums[index] += value
      index += 1
    }
  }

  /// The sums of a group.
  func part(of group: Int) -> ArraySlice<Double> { sums[group * width..<(group + 1) * width] }

  mutating func clear() {
    for index in sums.indices { sums[index] = 0 }
  }

  private mutating func add(_ value: Double, to place: Int) {
    sums[place] += 1
    sums[place + 1] += value
  }

  private func place(_ measure: Int, _ part: Part, _ group: Int) -> Int {
    group * width + Count.allCases.count + (measure * Part.allCases.count + part.rawValue) * 2
  }

  func count(_ count: Count, _ group: Int) -> Double { sums[group * width + count.rawValue] }

  /// How many rows of a group have a value of a measure.
  func rows(_ measure: Int, _ part: Part, _ group: Int) -> Double {
    sums[place(measure, part, group)]
  }

  /// The mean of a measure; nil where no row has it.
  func mean(_ measure: Int, _ part: Part, _ group: Int) -> Double? {
    let place = place(measure, part, group)
    return sums[place] > 0 ? sums[place + 1] / sums[place] : nil
  }
}

/// The rates of one group, or of all rows together; nil where nothing can be divided by.
public struct GroupRates: Sendable, Equatable {
  /// Favourable outcomes among all: P(ŷ = 1).
  public var selection: Double?
  /// Favourable outcomes among favourable labels: P(ŷ = 1 | y = 1).
  public var truePositive: Double?
  /// Favourable outcomes among unfavourable labels: P(ŷ = 1 | y = 0).
  public var falsePositive: Double?

  init(_ sums: GroupSums, groups: some Sequence<Int>) {
    var totals = [Double](repeating: 0, count: GroupSums.Count.allCases.count)
    for group in groups {
      for count in GroupSums.Count.allCases { totals[count.rawValue] += sums.count(count, group) }
    }
    func rate(_ part: GroupSums.Count, of whole: GroupSums.Count) -> Double? {
      totals[whole.rawValue] > 0 ? totals[part.rawValue] / totals[whole.rawValue] : nil
    }
    selection = rate(.favourable, of: .outcomes)
    truePositive = rate(.truePositives, of: .positives)
    falsePositive = rate(.falsePositives, of: .negatives)
  }
}
