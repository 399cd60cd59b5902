extension Report {
  /// A metric of a row of `steps`, or its mean over the step's updates, as an expression.
  private static func metric(_ name: String) -> String {
    """
    coalesce((SELECT value FROM metrics WHERE step_id = steps.id AND update_index = -1
        AND name = '\(name)'),
      (SELECT avg(value) FROM metrics WHERE step_id = steps.id AND update_index >= 0
        AND name = '\(name)'))
    """
  }

  /// The rewards' standard deviation of a row of `steps` as the trainer printed it, in every report and on the
  /// page; the log's own sums, which divide by n, where the run has no such metric.
  static let rewardDeviation = "coalesce(\(metric("reward_std")), reward_std)"

  /// One row per step.
  static let steps = Report(
    name: "steps", arguments: "", summary: "one row per step: reward, length, entropy, loss",
    filters: .stepList
  ) { (request) throws(StoreError) in
    let run = try request.runID()
    let conditions = request.filter.stepConditions(run: run)
    var rows = try request.session.select(
      """
      SELECT step, completions, reward_mean, \(rewardDeviation), reward_min, reward_max, length_mean,
        1.0 * truncated / nullif(completions, 0), 1.0 * tied_groups / nullif(groups, 0),
        entropy_mean, \(metric("kl")), \(metric("loss")), \(metric("grad_norm"))
      FROM steps WHERE \(conditions.sql)
      ORDER BY \(request.filter.order ?? "step DESC") LIMIT :limit
      """,
      conditions.parameters.merging(["limit": .integer(Int64(request.limit))]) { first, _ in first }
    )
    // The newest at the bottom, where the eye is at a terminal.
    if request.filter.order == nil { rows.reverse() }
    var table = ReportTable(
      [
        ("step", .plain), ("completions", .plain), ("reward", .number), ("std", .number),
        ("min", .number), ("max", .number), ("length", .number), ("truncated", .share),
        ("tied", .share), ("entropy", .number), ("kl", .number), ("loss", .number),
        ("grad_norm", .number),
      ], rows: rows)
    table.dropEmptyColumns()
    table.yield(
      "min", "max", "completions", "grad_norm", "kl", "tied", "loss", "std", "entropy", "truncated",
      "length")
    return ReportPage(
      title: try runTitle(request.session, run),
      sections: [.table(key: "steps", title: "Steps", table)])
  }
}

extension ReportTable {
  /// Leaves out columns that hold nothing in any row.
  mutating func dropEmptyColumns() {
    guard !rows.isEmpty else { return }
    for index in columns.indices.reversed() where rows.allSatisfy({ $0[index] == .null }) {
      columns.remove(at: index)
      for row in rows.indices { rows[row].remove(at: index) }
    }
  }
}
