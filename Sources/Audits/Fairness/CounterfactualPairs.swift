/// A row as a counterfactual of others: the text that they share, and its own group.
public struct CounterfactualRow: Sendable {
  /// What pairs of rows have in common.
  public var form: String
  /// The row's group.
  public var group: Int
  /// A number for each measure.
  public var values: [Double?]

  /// A row of its parts.
  public init(form: String, group: Int, values: [Double?]) {
    self.form = form
    self.group = group
    self.values = values
  }
}

/// Two groups compared on texts that differ in the groups' words alone.
public struct PairReport: Sendable, Equatable {
  /// What was compared.
  public var measure: String
  /// The two groups.
  public var groups: [String]
  /// How many texts both have.
  public var pairs: Int
  /// The sign test (McNemar's exact test where results are 0 or 1), the mean difference and its interval.
  public var comparison: PairedComparison
  /// Whether the verdict depends on it.
  public var isJudged: Bool

  /// Fewer pairs than this are not judged.
  static let minimumPairs = 10

  /// Passed where the mean difference is at most the threshold, or could as well be none.
  func verdict(threshold: Double) -> BiasVerdict {
    guard isJudged else { return .passed }
    guard pairs >= Self.minimumPairs else { return .tooFewRows }
    return comparison.meanDifference.magnitude > threshold ? .failed : .passed
  }

  /// Compares every two groups by every measure; a text's rows of one group count by their mean.
  public static func reports(
    of rows: [CounterfactualRow], groups: [String], measures: [BiasMeasure], seed: UInt64,
    resamples: Int
  ) -> [PairReport] {
    var reports: [PairReport] = []
    for (index, measure) in measures.enumerated() {
      var sums: [String: [Int: (sum: Double, count: Int)]] = [:]
      for row in rows {
        guard let value = row.values[index] else { continue }
        sums[row.form, default: [:]][row.group, default: (0, 0)].sum += value
        sums[row.form]?[row.group]?.count += 1
      }
      let forms = sums.keys.sorted()
      for first in groups.indices {
        for second in groups.indices where second > first {
          let pairs = forms.compactMap { form -> (Double, Double)? in
            guard let a = sums[form]?[first], let b = sums[form]?[second] else { return nil }
            return (a.sum / Double(a.count), b.sum / Double(b.count))
          }
          reports.append(
            PairReport(
              measure: measure.name, groups: [groups[first], groups[second]], pairs: pairs.count,
              comparison: PairedComparison(
                first: pairs.map(\.0), second: pairs.map(\.1), seed: seed, resamples: resamples),
              isJudged: measure.isJudged))
        }
      }
    }
    return reports
  }
}
