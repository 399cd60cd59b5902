/// What a bias audit found.
public struct BiasReport: Sendable, Equatable {
  /// How many rows were looked at.
  public var rowCount: Int
  /// Each column alone, then all together.
  public var groupings: [GroupingReport]
  /// Rows that say the same of different groups, compared pair by pair; nil where none were looked for.
  public var pairs: [PairReport]?
  /// What is held against the threshold.
  public var rule: FairnessRule
  /// The largest difference that passes.
  public var threshold: Double

  /// The verdict on everything: a failure counts more than too few rows.
  public var verdict: BiasVerdict {
    let all = groupings.map(\.verdict) + (pairs ?? []).map { $0.verdict(threshold: threshold) }
    if all.contains(.failed) { return .failed }
    return all.contains(.tooFewRows) ? .tooFewRows : .passed
  }
}

/// How an audit ends.
public enum BiasVerdict: String, Sendable {
  /// Every judged figure is within the threshold, and there are rows enough to have shown otherwise.
  case passed
  /// A judged figure is beyond the threshold.
  case failed
  /// Nothing is beyond the threshold, but the rows are too few to tell.
  case tooFewRows = "too_few_rows"
}

/// The groups that some columns make, compared.
public struct GroupingReport: Sendable, Equatable {
  /// The columns.
  public var columns: [String]
  /// The groups in the order of their names.
  public var groups: [GroupFigures]
  /// The values of the group that signed figures compare the others with.
  public var privileged: [String]?
  /// What was compared.
  public var figures: [BiasFigure]
  /// The verdict on these groups.
  public var verdict: BiasVerdict
}

/// One group.
public struct GroupFigures: Sendable, Equatable {
  /// Its value of each column.
  public var values: [String]
  /// Its rows.
  public var rows: Int
  /// Its units: problems, where rows are completions.
  public var units: Int
  /// Its rates.
  public var rates: GroupRates
  /// Its mean of each measure.
  public var means: [Double?]
  /// Whether it has rows enough to be compared.
  public var isJudged: Bool
}

/// A number that compares groups.
public struct BiasFigure: Sendable, Equatable {
  /// Its name.
  public var name: String
  /// Its value; nil where it can't be said.
  public var value: Double?
  /// Its 95% interval.
  public var interval: ClosedRange<Double>?
  /// The smallest difference that so many rows could show; nil for ratios.
  public var smallestDifference: Double?
  /// Whether the verdict depends on it.
  public var isJudged: Bool
}
