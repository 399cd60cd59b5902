extension Report {
  /// One problem across all steps.
  static let prompt = Report(
    name: "prompt", arguments: "ID",
    summary: "one problem across all steps: how its answers changed", filters: .list
  ) { (request) throws(StoreError) in
    let id = try request.integerArgument(0, "the number of a problem")
    let session = request.session
    let problems = try session.select(
      "SELECT prompt, columns, dataset, problem_index, run_id FROM problems WHERE id = :id",
      ["id": .integer(Int64(id))])
    guard let problem = problems.first else {
      throw StoreError(
        .query, "The log \(session.path) has no problem \(id).",
        remedy: "The reports hard and best name some.")
    }
    var filter = request.filter
    filter.condition = "problem_id = \(id)" + (filter.condition.map { " AND (\($0)\n)" } ?? "")
    let conditions = filter.conditions(run: problem[4].integer ?? 1)
    let rows = try session.select(
      """
      SELECT step, completion_id, reward, advantage, length, finish, text
      FROM trajectories WHERE \(conditions.sql)
      ORDER BY \(filter.order ?? "step, completion_id") LIMIT :limit
      """,
      conditions.parameters.merging(["limit": .integer(Int64(filter.limit ?? 60))]) { a, _ in a })
    let draws = try session.select(
      """
      SELECT step, groups.reward_mean FROM groups JOIN steps ON steps.id = step_id
      WHERE problem_id = :id ORDER BY step
      """, ["id": .integer(Int64(id))])
    let known = draws.filter { $0[1] != .null }
    let curve = ReportSection.Curve(
      name: "reward", steps: known.map { $0[0].integer ?? 0 },
      values: known.map { $0[1].double ?? 0 })
    return ReportPage(
      title: "problem \(id) (\(problem[2].plainText) row \(problem[3].plainText))",
      sections: [
        .text(key: "prompt", title: "Prompt", problem[0].plainText),
        .text(key: "columns", title: "Columns", problem[1].plainText),
        .curves(key: "curve", title: "Each time it was drawn", [curve]),
        .table(
          key: "completions", title: "Answers",
          ReportTable(
            [
              ("step", .plain), ("completion", .plain), ("reward", .number),
              ("advantage", .number), ("length", .plain), ("finish", .plain), ("text", .text),
            ], rows: rows)),
      ])
  }

  /// Groups, or only those with nothing to learn from.
  static let groups = Report(
    name: "groups", arguments: "",
    summary: "groups with their spread; --tied: nothing to learn from",
    filters: Set.stepList.union([.tied])
  ) { (request) throws(StoreError) in
    let run = try request.runID()
    let conditions = request.filter.stepConditions(run: run)
    let tied = request.tiedOnly ? "AND tied = 1" : ""
    let rows = try request.session.select(
      """
      SELECT groups.id, step, draw, problem_id, size, groups.reward_mean, groups.reward_std,
        groups.reward_min, groups.reward_max, tied, dropped, prompt
      FROM steps CROSS JOIN groups ON groups.step_id = steps.id
      JOIN problems ON problems.id = problem_id
      WHERE \(conditions.sql) \(tied)
      ORDER BY \(request.filter.order ?? "step DESC, draw") LIMIT :limit
      """,
      conditions.parameters.merging(["limit": .integer(Int64(request.limit))]) { a, _ in a })
    let shares = try request.session.select(
      """
      SELECT sum(tied_groups), sum(groups), total(tied_groups) / sum(groups), sum(dropped_groups)
      FROM steps WHERE \(conditions.sql)
      """, conditions.parameters)
    var facts: [ReportSection.Fact] = []
    if let row = shares.first {
      facts = [
        .init("groups", row[1]), .init("tied", row[0]), .init("share tied", row[2], .share),
        .init("dropped", row[3]),
      ]
    }
    var table = ReportTable(
      [
        ("group", .plain), ("step", .plain), ("draw", .plain), ("problem", .plain),
        ("size", .plain), ("reward", .number), ("std", .number), ("min", .number),
        ("max", .number), ("tied", .plain), ("dropped", .plain), ("prompt", .prompt),
      ], rows: rows)
    table.yield("draw", "size", "dropped", "problem", "max", "min", "group", "tied", "std")
    return ReportPage(
      title: try runTitle(request.session, run),
      sections: [
        .facts(key: "totals", title: "", facts),
        .table(key: "groups", title: request.tiedOnly ? "Tied groups" : "Groups", table),
      ])
  }

  /// Problems that no completion ever solved.
  static let hard = Report(
    name: "hard", arguments: "", summary: "problems never solved",
    filters: Set.stepList.union([.solvedAt])
  ) { (request) throws(StoreError) in
    try problems(request, title: "Never solved", having: "max(reached) < :threshold")
  }

  /// Problems first solved after a step.
  static let solvedSince = Report(
    name: "solved-since", arguments: "STEP", summary: "problems first solved at or after a step",
    filters: Set.stepList.union([.solvedAt])
  ) { (request) throws(StoreError) in
    let step = try request.integerArgument(0, "a step")
    return try problems(
      request, title: "First solved at step \(step) or later",
      having: "min(CASE WHEN reached >= :threshold THEN step END) >= \(step)")
  }

  /// Problems by how their groups did; `reached` is a group's highest reward.
  private static func problems(
    _ request: ReportRequest, title: String, having: String
  ) throws(StoreError) -> ReportPage {
    let run = try request.runID()
    let conditions = request.filter.stepConditions(run: run)
    guard let threshold = try request.solvedThreshold(run: run) else {
      return ReportPage(
        title: try runTitle(request.session, run), sections: [.note("No rewards yet.")])
    }
    var parameters = conditions.parameters
    parameters["threshold"] = .real(threshold)
    parameters["limit"] = .integer(Int64(request.limit))
    let rows = try request.session.select(
      """
      WITH drawn AS (
        SELECT problem_id, step, groups.reward_max AS reached, groups.reward_mean AS mean
        FROM groups JOIN steps ON steps.id = step_id
        WHERE \(conditions.sql)
      ), chosen AS (
        SELECT problem_id, count(*) AS times, max(reached) AS best, avg(mean) AS mean,
          min(CASE WHEN reached >= :threshold THEN step END) AS solved_at, max(step) AS last
        FROM drawn GROUP BY problem_id HAVING \(having)
      )
      SELECT problem_id, times, best, mean, solved_at, last, prompt, count(*) OVER ()
      FROM chosen JOIN problems ON problems.id = problem_id
      ORDER BY \(request.filter.order ?? "times DESC, mean, problem_id") LIMIT :limit
      """, parameters)
    let count = rows.first.flatMap { $0.last?.integer } ?? 0
    var table = ReportTable(
      [
        ("problem", .plain), ("times_drawn", .plain), ("best", .number), ("mean", .number),
        ("solved_at", .plain), ("last_step", .plain), ("prompt", .prompt),
      ], rows: rows.map { Array($0.dropLast()) })
    table.dropEmptyColumns()
    return ReportPage(
      title: try runTitle(request.session, run),
      sections: [
        .facts(
          key: "totals", title: "",
          [
            .init("problems", .integer(Int64(count))),
            .init("solved means a reward of at least", threshold),
          ]),
        .table(key: "problems", title: title, table),
      ])
  }
}
