/// One scored row, as far as a bias audit looks at it.
public struct BiasRow: Sendable, Equatable {
  /// The value of each group column, in the order of the audit's columns.
  public var groups: [String]
  /// What should have come out, where the data says so: true is favourable.
  public var label: Bool?
  /// Whether the outcome is favourable; nil where there is none.
  public var isFavourable: Bool?
  /// A number for each of the audit's measures; nil where the row has none.
  public var values: [Double?]
  /// What is drawn together in a resample: rows of one problem share it.
  public var unit: Int

  /// A row of its parts.
  public init(
    groups: [String], label: Bool? = nil, isFavourable: Bool? = nil, values: [Double?] = [],
    unit: Int
  ) {
    self.groups = groups
    self.label = label
    self.isFavourable = isFavourable
    self.values = values
    self.unit = unit
  }
}

/// A number that every row has, whose means are compared between groups.
public struct BiasMeasure: Sendable, Equatable {
  /// What it is called: `score`, `accuracy`, `refusal`, `length`.
  public var name: String
  /// Whether the verdict depends on it.
  public var isJudged: Bool
  /// Whether it is compared among rows whose label is alike, where rows have labels.
  public var isConditional: Bool

  /// A measure of a name.
  public init(_ name: String, isJudged: Bool = true, isConditional: Bool = false) {
    self.name = name
    self.isJudged = isJudged
    self.isConditional = isConditional
  }
}
