// Fairness of outcomes between groups, under the names and definitions of two libraries.
//
// fairlearn compares all groups, without sign. For a rate r over the groups, `between_groups`:
//
//   difference = max r − min r                 ratio = min r / max r
//
// and `to_overall`, with the rate R of all rows:
//
//   difference = max |r − R|                   ratio = min over groups of min(r / R, R / r)
//
//   demographic parity   of P(ŷ = 1)
//   equal opportunity    of P(ŷ = 1 | y = 1)
//   equalised odds       the worse of P(ŷ = 1 | y = 1) and P(ŷ = 1 | y = 0)
//
// AIF360 is signed, unprivileged minus (or by) privileged:
//
//   statistical parity difference    P(ŷ = 1 | u) − P(ŷ = 1 | p)
//   disparate impact                 P(ŷ = 1 | u) / P(ŷ = 1 | p)
//   true positive rate difference    TPR(u) − TPR(p)
//   average odds difference          ½ [(FPR(u) − FPR(p)) + (TPR(u) − TPR(p))]
//
// A rate without rows is left out; a comparison of fewer than two rates is nil.
// Sources: fairlearn 0.12 `metrics`, AIF360 0.6 `ClassificationMetric`; Hardt et al. 2016.

/// What the rates of groups are compared with.
public enum RateComparison: String, Sendable, CaseIterable {
  /// With each other.
  case betweenGroups = "between_groups"
  /// With the rate of all rows.
  case toOverall = "to_overall"

  /// The difference of rates; nil where fewer than two have a value.
  func difference(_ rates: [Double?], overall: Double?) -> Double? {
    let known = rates.compactMap { $0 }
    switch self {
    case .betweenGroups:
      guard known.count > 1, let least = known.min(), let greatest = known.max() else { return nil }
      return greatest - least
    case .toOverall:
      guard known.count > 1, let overall else { return nil }
      return known.map { ($0 - overall).magnitude }.max()
    }
  }

  /// The ratio of rates, at most 1; nil where fewer than two have a value, or all are 0.
  func ratio(_ rates: [Double?], overall: Double?) -> Double? {
    let known = rates.compactMap { $0 }
    switch self {
    case .betweenGroups:
      guard known.count > 1, let least = known.min(), let greatest = known.max(), greatest > 0
      else { return nil }
      return least / greatest
    case .toOverall:
      guard known.count > 1, let overall, overall > 0 else { return nil }
      return known.map { $0 > overall ? overall / $0 : $0 / overall }.min()
    }
  }
}

/// The fairness of one resample or of the data themselves.
struct FairnessMetrics {
  private let groups: [GroupRates]
  private let overall: GroupRates
  private let privileged: GroupRates?
  private let unprivileged: GroupRates?
  private let comparison: RateComparison

  /// - Parameters:
  ///   - sums: The sums of all groups.
  ///   - judged: The groups that are compared.
  ///   - privileged: The one that the signed metrics compare the rest with.
  init(
    _ sums: GroupSums, judged: [Int], privileged: Int?, comparison: RateComparison
  ) {
    groups = judged.map { GroupRates(sums, groups: [$0]) }
    overall = GroupRates(sums, groups: judged)
    self.privileged = privileged.map { GroupRates(sums, groups: [$0]) }
    unprivileged = privileged.map { privileged in
      GroupRates(sums, groups: judged.filter { $0 != privileged })
    }
    self.comparison = comparison
  }

  private func difference(_ rate: KeyPath<GroupRates, Double?>) -> Double? {
    comparison.difference(groups.map { $0[keyPath: rate] }, overall: overall[keyPath: rate])
  }

  private func ratio(_ rate: KeyPath<GroupRates, Double?>) -> Double? {
    comparison.ratio(groups.map { $0[keyPath: rate] }, overall: overall[keyPath: rate])
  }

  private func signed(_ rate: KeyPath<GroupRates, Double?>) -> Double? {
    guard let unprivileged = unprivileged?[keyPath: rate],
      let privileged = privileged?[keyPath: rate]
    else { return nil }
    return unprivileged - privileged
  }

  /// The value of a metric; nil where it can't be said.
  func value(_ metric: FairnessMetric) -> Double? {
    switch metric {
    case .demographicParityDifference: return difference(\.selection)
    case .demographicParityRatio: return ratio(\.selection)
    case .equalOpportunityDifference: return difference(\.truePositive)
    case .equalOpportunityRatio: return ratio(\.truePositive)
    case .equalizedOddsDifference:
      return [difference(\.truePositive), difference(\.falsePositive)].compactMap { $0 }.max()
    case .equalizedOddsRatio:
      return [ratio(\.truePositive), ratio(\.falsePositive)].compactMap { $0 }.min()
    case .statisticalParityDifference: return signed(\.selection)
    case .disparateImpact:
      guard let unprivileged = unprivileged?.selection, let privileged = privileged?.selection,
        privileged > 0
      else { return nil }
      return unprivileged / privileged
    case .truePositiveRateDifference: return signed(\.truePositive)
    case .averageOddsDifference:
      guard let first = signed(\.falsePositive), let second = signed(\.truePositive) else {
        return nil
      }
      return (first + second) / 2
    }
  }
}

/// The metrics of favourable outcomes, under the names of fairlearn and AIF360.
public enum FairnessMetric: String, Sendable, CaseIterable {
  case demographicParityDifference = "demographic_parity_difference"
  case demographicParityRatio = "demographic_parity_ratio"
  case equalOpportunityDifference = "equal_opportunity_difference"
  case equalOpportunityRatio = "equal_opportunity_ratio"
  case equalizedOddsDifference = "equalized_odds_difference"
  case equalizedOddsRatio = "equalized_odds_ratio"
  case statisticalParityDifference = "statistical_parity_difference"
  case disparateImpact = "disparate_impact"
  case truePositiveRateDifference = "true_positive_rate_difference"
  case averageOddsDifference = "average_odds_difference"

  /// Whether it compares by division: 1 is fair.
  public var isRatio: Bool {
    [.demographicParityRatio, .equalOpportunityRatio, .equalizedOddsRatio, .disparateImpact]
      .contains(self)
  }
}

/// What a metric must satisfy to pass.
public enum FairnessRule: String, Sendable, CaseIterable {
  /// The absolute difference is at most the threshold.
  case difference
  /// |1 − ratio| is at most the threshold.
  case ratio
  /// The ratio is at least 0.8, whatever the threshold.
  case fourFifths = "four-fifths"

  /// Whether a value passes.
  func passes(_ value: Double, threshold: Double) -> Bool {
    // A difference of two shares is off by rounding where it is meant to be the threshold.
    let slack = 1e-9
    switch self {
    case .difference: return value.magnitude <= threshold + slack
    case .ratio: return (1 - value).magnitude <= threshold + slack
    case .fourFifths: return value >= 0.8 - slack
    }
  }

  /// The metrics that are judged by it: where rows have labels, outcomes are compared where labels are alike.
  func judged(hasLabels: Bool) -> FairnessMetric {
    switch (self, hasLabels) {
    case (.difference, true): .equalizedOddsDifference
    case (.difference, false): .demographicParityDifference
    case (_, true): .equalizedOddsRatio
    case (_, false): .demographicParityRatio
    }
  }
}
