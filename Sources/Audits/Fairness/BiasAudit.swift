// Whether outcomes differ between groups of rows, with what so many rows can tell.
//
// Intervals are percentile bootstraps over units (Efron 1979), a problem with all its completions being one unit. The
// smallest difference that the rows could show is that at which a two-sided test at 5% of the two smallest groups
// would find one, z = 1.96:
//
//   z √(p (1 − p) (1/n₁ + 1/n₂))        of rates, p over both         z s √(1/n₁ + 1/n₂)        of means
//
// n counts units, since rows of one problem say nearly the same.

import Tensors

/// Rows of several groups and how they are judged.
public struct BiasAudit: Sendable {
  /// The columns whose values make the groups.
  public var columns: [String]
  /// What is measured of every row besides the outcome.
  public var measures: [BiasMeasure]
  /// The value of a column that signed metrics compare the others with; where none is named, that of most rows.
  public var privileged: [String: String] = [:]
  /// The largest difference that passes.
  public var threshold = 0.1
  /// What is held against the threshold.
  public var rule = FairnessRule.difference
  /// What rates are compared with.
  public var comparison = RateComparison.betweenGroups
  /// The fewest rows of a group that is judged.
  public var minimumRows = 30
  /// Whether groups of fewer rows are left out of the verdict rather than keep it from passing.
  public var ignoresSmallGroups = false
  /// How many resamples make an interval; 0 for none.
  public var resamples = 2000
  /// What the resamples are keyed by.
  public var seed: UInt64 = 42

  /// An audit with the usual settings.
  public init(columns: [String], measures: [BiasMeasure] = []) {
    self.columns = columns
    self.measures = measures
  }

  /// Judges rows: each column alone, then all of them together.
  public func report(of rows: [BiasRow]) -> BiasReport {
    var groupings = columns.indices.map { grouping(rows, [$0]) }
    if columns.count > 1 { groupings.append(grouping(rows, Array(columns.indices))) }
    return BiasReport(rowCount: rows.count, groupings: groupings, rule: rule, threshold: threshold)
  }

  private func grouping(_ rows: [BiasRow], _ places: [Int]) -> GroupingReport {
    let table = GroupTable(rows, places: places, measures: measures.count)
    let judged = table.names.indices.filter { table.rowCounts[$0] >= minimumRows }
    let privileged = privilegedGroup(table, judged, places)
    let sums = table.sums(of: table.units.indices)
    let hasLabels = rows.contains { $0.label != nil }
    let quantities = self.quantities(hasLabels: hasLabels, signed: privileged != nil)
    let intervals = intervals(table, judged, privileged, quantities)
    let figures = zip(quantities, intervals).map { quantity, interval in
      let isJudged = isJudged(quantity, hasLabels: hasLabels)
      return BiasFigure(
        name: quantity.name(measures),
        value: value(quantity, sums, judged, privileged), interval: interval,
        smallestDifference: smallestDifference(quantity, rows, table, judged),
        isJudged: isJudged)
    }
    return GroupingReport(
      columns: places.map { columns[$0] },
      groups: table.names.indices.map { group in
        GroupFigures(
          values: table.names[group], rows: table.rowCounts[group],
          units: table.unitCounts[group], rates: GroupRates(sums, groups: [group]),
          means: measures.indices.map { sums.mean($0, .all, group) },
          isJudged: judged.contains(group))
      },
      privileged: privileged.map { table.names[$0] }, figures: figures,
      verdict: verdict(figures, judged: judged.count, groups: table.names.count))
  }

  private func verdict(_ figures: [BiasFigure], judged: Int, groups: Int) -> BiasVerdict {
    guard judged > 1 else { return .tooFewRows }
    let values = figures.filter(\.isJudged)
    // What a ratio rule judges are outcomes; measures are always differences.
    func passes(_ figure: BiasFigure) -> Bool {
      guard let value = figure.value else { return true }
      let rule = FairnessMetric(rawValue: figure.name)?.isRatio == true ? self.rule : .difference
      return rule.passes(value, threshold: threshold)
    }
    if !values.allSatisfy(passes) { return .failed }
    let isUnknown = values.contains { figure in
      figure.value == nil || (figure.smallestDifference ?? 0) > threshold
    }
    return isUnknown || (judged < groups && !ignoresSmallGroups) ? .tooFewRows : .passed
  }

  private func privilegedGroup(
    _ table: GroupTable, _ judged: [Int], _ places: [Int]
  ) -> Int? {
    guard judged.count > 1 else { return nil }
    let named = places.map { privileged[columns[$0]] }
    if named.contains(where: { $0 != nil }) {
      return judged.first { group in
        zip(table.names[group], named).allSatisfy { $1 == nil || $0 == $1 }
      }
    }
    return judged.max { table.rowCounts[$0] < table.rowCounts[$1] }
  }
}

extension BiasAudit {
  /// Something that is compared between groups.
  enum Quantity: Equatable {
    case outcome(FairnessMetric)
    /// The largest difference of a measure's means.
    case mean(measure: Int)
    /// The same among rows whose label is alike: the worse of the two labels.
    case meanGivenLabel(measure: Int)

    func name(_ measures: [BiasMeasure]) -> String {
      switch self {
      case .outcome(let metric): metric.rawValue
      case .mean(let measure): measures[measure].name + "_difference"
      case .meanGivenLabel(let measure): measures[measure].name + "_difference_given_label"
      }
    }
  }

  private func quantities(hasLabels: Bool, signed: Bool) -> [Quantity] {
    let needLabels: [FairnessMetric] = [
      .equalOpportunityDifference, .equalOpportunityRatio, .equalizedOddsDifference,
      .equalizedOddsRatio, .truePositiveRateDifference, .averageOddsDifference,
    ]
    let areSigned: [FairnessMetric] = [
      .statisticalParityDifference, .disparateImpact, .truePositiveRateDifference,
      .averageOddsDifference,
    ]
    var list = FairnessMetric.allCases.filter {
      (hasLabels || !needLabels.contains($0)) && (signed || !areSigned.contains($0))
    }.map(Quantity.outcome)
    for (index, measure) in measures.enumerated() {
      list.append(.mean(measure: index))
      if hasLabels && measure.isConditional { list.append(.meanGivenLabel(measure: index)) }
    }
    return list
  }

  private func isJudged(_ quantity: Quantity, hasLabels: Bool) -> Bool {
    switch quantity {
    case .outcome(let metric): metric == rule.judged(hasLabels: hasLabels)
    case .mean(let measure):
      measures[measure].isJudged && !(hasLabels && measures[measure].isConditional)
    case .meanGivenLabel(let measure): measures[measure].isJudged
    }
  }

  private func value(
    _ quantity: Quantity, _ sums: GroupSums, _ judged: [Int], _ privileged: Int?
  ) -> Double? {
    func difference(_ measure: Int, _ part: GroupSums.Part) -> Double? {
      RateComparison.betweenGroups.difference(
        judged.map { sums.mean(measure, part, $0) }, overall: nil)
    }
    switch quantity {
    case .outcome(let metric):
      return FairnessMetrics(sums, judged: judged, privileged: privileged, comparison: comparison)
        .value(metric)
    case .mean(let measure): return difference(measure, .all)
    case .meanGivenLabel(let measure):
      return [difference(measure, .positive), difference(measure, .negative)].compactMap { $0 }
        .max()
    }
  }

  private func intervals(
    _ table: GroupTable, _ judged: [Int], _ privileged: Int?, _ quantities: [Quantity]
  ) -> [ClosedRange<Double>?] {
    guard judged.count > 1, resamples > 0 else { return quantities.map { _ in nil } }
    var draws = quantities.map { _ in [Double]() }
    for sample in 0..<resamples {
      let stream = Philox(seed: seed, purpose: .bootstrap, step: sample)
      let units = table.units.indices.lazy.map {
        stream.integer(below: table.units.count, at: $0)
      }
      let sums = table.sums(of: units)
      for (index, quantity) in quantities.enumerated() {
        value(quantity, sums, judged, privileged).map { draws[index].append($0) }
      }
    }
    return draws.map { PercentileInterval.of($0) }
  }

  /// The smallest difference that a test at 5% could show between the two smallest groups that are judged.
  private func smallestDifference(
    _ quantity: Quantity, _ rows: [BiasRow], _ table: GroupTable, _ judged: [Int]
  ) -> Double? {
    switch quantity {
    case .outcome(let metric):
      guard !metric.isRatio else { return nil }
      switch metric {
      case .demographicParityDifference, .statisticalParityDifference:
        return table.smallestDifference(judged) { $0.isFavourable.map { $0 ? 1 : 0 } }
      case .equalOpportunityDifference, .truePositiveRateDifference:
        return table.smallestDifference(judged) { row in
          row.label == true ? row.isFavourable.map { $0 ? 1 : 0 } : nil
        }
      default:
        return [true, false].compactMap { label in
          table.smallestDifference(judged) { row in
            row.label == label ? row.isFavourable.map { $0 ? 1 : 0 } : nil
          }
        }.max()
      }
    case .mean(let measure): return table.smallestDifference(judged) { $0.values[measure] }
    case .meanGivenLabel(let measure):
      return [true, false].compactMap { label in
        table.smallestDifference(judged) { $0.label == label ? $0.values[measure] : nil }
      }.max()
    }
  }
}
