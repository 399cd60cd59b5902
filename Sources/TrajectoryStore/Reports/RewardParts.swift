extension Report {
  /// The named parts of the rewards (a strict and a lenient reading, form and answer) at both ends of the run.
  ///
  /// A tenth of the steps at each end, at most fifty: parts are JSON, and a log of a million completions is asked
  /// within a second.
  static func rewardParts(
    _ request: ReportRequest, run: Int
  ) throws(StoreError) -> ReportTable {
    let conditions = request.filter.stepConditions(run: run)
    let steps = try request.session.select(
      "SELECT id FROM steps WHERE \(conditions.sql) ORDER BY step", conditions.parameters
    ).map { $0[0].plainText }
    let count = min(50, max(1, steps.count / 10))
    let first = try meanParts(request.session, steps: Array(steps.prefix(count)))
    let last = try meanParts(request.session, steps: Array(steps.suffix(count)))
    var table = ReportTable([
      ("reward", .plain), ("part", .plain), ("start", .number), ("end", .number),
    ])
    for key in Set(first.keys).union(last.keys).sorted(by: {
      ($0.position, $0.part) < ($1.position, $1.part)
    }) {
      table.rows.append([
        .text(key.reward), .text(key.part), .optional(first[key]), .optional(last[key]),
      ])
    }
    return table
  }

  private struct PartKey: Hashable {
    var position: Int
    var reward: String
    var part: String
  }

  private static func meanParts(
    _ session: QuerySession, steps: [String]
  ) throws(StoreError) -> [PartKey: Double] {
    guard !steps.isEmpty else { return [:] }
    var means: [PartKey: Double] = [:]
    try session.walk(
      """
      SELECT position, rewards.name, key, avg(json_each.value)
      FROM completions CROSS JOIN scores ON completion_id = completions.id
      JOIN rewards ON rewards.id = reward_id, json_each(parts)
      WHERE step_id IN (\(steps.joined(separator: ", "))) AND parts IS NOT NULL
        AND json_each.type IN ('real', 'integer')
      GROUP BY position, rewards.name, key
      """
    ) { row in
      means[PartKey(position: row.integer(0), reward: row.text(1), part: row.text(2))] = row.real(3)
    }
    return means
  }
}
