extension Report {
  /// The completions with the highest rewards.
  static let best = Report(
    name: "best", arguments: "", summary: "the completions with the highest rewards",
    filters: .list
  ) { (request) throws(StoreError) in
    try list(request, title: "Highest rewards", order: "reward DESC, completion_id DESC")
  }

  /// The completions with the lowest rewards.
  static let worst = Report(
    name: "worst", arguments: "", summary: "the completions with the lowest rewards",
    filters: .list
  ) { (request) throws(StoreError) in
    try list(
      request, title: "Lowest rewards", order: "reward, completion_id",
      condition: request.filter.reward == .missing ? nil : "reward IS NOT NULL")
  }

  /// A list of trajectories in an order that the request may replace.
  private static func list(
    _ request: ReportRequest, title: String, order: String, condition: String? = nil
  ) throws(StoreError) -> ReportPage {
    let run = try request.runID()
    let conditions = request.filter.conditions(
      run: run, inOrderOfReward: request.filter.order == nil)
    let rows = try request.session.select(
      """
      SELECT completion_id, step, problem_id, reward, advantage, length, finish, prompt,
        (SELECT \(GoldAnswerColumn.sql) FROM problems WHERE problems.id = problem_id), text,
        (SELECT group_concat(\(try request.session.connection.column("reason", since: 2)), '; ') FROM scores
          WHERE scores.completion_id = trajectories.completion_id)
      FROM trajectories
      WHERE \(conditions.sql)\(condition.map { "\n  AND \($0)" } ?? "")
      ORDER BY \(request.filter.order ?? order) LIMIT :limit
      """,
      conditions.parameters.merging(["limit": .integer(Int64(request.limit))]) { first, _ in first }
    )
    var table = ReportTable(
      [
        ("completion", .plain), ("step", .plain), ("problem", .plain), ("reward", .number),
        ("advantage", .number), ("length", .plain), ("finish", .plain), ("prompt", .prompt),
        ("answer", .ending), ("text", .text), ("reason", .text),
      ], rows: rows)
    table.dropEmptyColumns()
    table.yield("problem", "finish", "advantage", "length", "step", "reason")
    var page = ReportPage(
      title: try runTitle(request.session, run),
      sections: [.table(key: "completions", title: title, table)])
    if let id = rows.first?.first {
      page.sections.append(.note("See one whole: completion \(id.plainText)"))
    }
    return page
  }
}
