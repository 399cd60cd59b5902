import Rollouts

/// The right answer of a row of `problems`, for reports.
enum GoldAnswerColumn {
  /// An expression over the column `columns`: the first of `Problem.goldColumns` that the row has; NULL without one.
  static let sql =
    "coalesce("
    + Problem.goldColumns.map { "json_extract(columns, '$.\($0)')" }.joined(separator: ", ") + ")"
}
