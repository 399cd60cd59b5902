import Rollouts

extension QuerySession {
  /// Whether the log has the tables of turns.
  var hasTurns: Bool {
    get throws(StoreError) { try connection.hasTurns }
  }
}

extension Report {
  /// How many turns trajectories have, and whether more of them pay.
  static let turns = Report(
    name: "turns", arguments: "",
    summary: "how many turns trajectories have, and whether turns pay",
    filters: []
  ) { (request) throws(StoreError) in
    let run = try request.runID()
    let title = try runTitle(request.session, run)
    let rows =
      try request.session.hasTurns
      ? request.session.select(
        """
        SELECT turns, count(*), avg(reward), avg(length), avg(finish = 'length'),
          sum(failure IS NOT NULL)
        FROM (SELECT completions.reward, completions.length, finish, failure,
            (SELECT count(*) FROM turns WHERE turns.completion_id = completions.id) AS turns
          FROM steps CROSS JOIN completions ON step_id = steps.id
          JOIN episodes ON episodes.completion_id = completions.id WHERE run_id = :run)
        GROUP BY turns ORDER BY turns
        """, ["run": .integer(Int64(run))]) : []
    guard !rows.isEmpty else {
      return ReportPage(
        title: title,
        sections: [.note("Every trajectory is one turn: the run has no tools and no environment.")])
    }
    return ReportPage(
      title: title,
      sections: [
        .table(
          key: "turns", title: "Trajectories by their turns",
          ReportTable(
            [
              ("turns", .plain), ("trajectories", .plain), ("reward", .number),
              ("sampled_tokens", .number), ("truncated", .share), ("lost", .plain),
            ], rows: rows))
      ])
  }

  /// Which tools were called, how often they failed, how long they took, and whether calling them pays.
  static let tools = Report(
    name: "tools", arguments: "",
    summary: "calls of tools: how many failed, how long they took, the reward with and without",
    filters: []
  ) { (request) throws(StoreError) in
    let run = try request.runID()
    let title = try runTitle(request.session, run)
    let parameters: [String: QueryValue] = ["run": .integer(Int64(run))]
    guard try request.session.hasTurns else {
      return ReportPage(title: title, sections: [.note("No tool was called.")])
    }
    let source = """
      FROM steps CROSS JOIN completions ON step_id = steps.id
      JOIN turns ON turns.completion_id = completions.id
      """
    let called = try request.session.select(
      """
      SELECT coalesce(json_extract(value, '$.function.name'), '?') AS tool, count(*),
        count(DISTINCT completions.id), avg(completions.reward)
      \(source), json_each(turns.message, '$.tool_calls')
      WHERE run_id = :run GROUP BY tool ORDER BY count(*) DESC
      """, parameters)
    let sums = try request.session.select(
      """
      SELECT CAST(total(calls) AS INTEGER), CAST(total(failures) AS INTEGER), avg(CASE WHEN calls > 0 THEN seconds END) \(source)
      WHERE run_id = :run
      """, parameters)
    let compared = try request.session.select(
      """
      SELECT CASE WHEN calls > 0 THEN 'with calls' ELSE 'without' END, count(*), avg(reward)
      FROM (SELECT completions.reward,
          (SELECT total(calls) FROM turns WHERE turns.completion_id = completions.id) AS calls
        FROM steps CROSS JOIN completions ON step_id = steps.id
        JOIN episodes ON episodes.completion_id = completions.id WHERE run_id = :run)
      GROUP BY 1 ORDER BY 1
      """, parameters)
    var page = ReportPage(title: title)
    guard let sum = sums.first, !called.isEmpty else {
      page.sections = [.note("No tool was called.")]
      return page
    }
    page.sections = [
      .facts(
        key: "calls", title: "Calls",
        zip(
          [
            ("calls", ReportTable.Format.plain), ("failed", .plain),
            ("seconds per turn: time", .seconds),
          ],
          sum
        ).map { ReportSection.Fact($0.0, $1, $0.1) }),
      .table(
        key: "tools", title: "Tools",
        ReportTable(
          [("tool", .plain), ("calls", .plain), ("trajectories", .plain), ("reward", .number)],
          rows: called)),
      .table(
        key: "reward", title: "Reward",
        ReportTable(
          [("trajectories", .plain), ("count", .plain), ("reward", .number)], rows: compared)),
    ]
    return page
  }
}
