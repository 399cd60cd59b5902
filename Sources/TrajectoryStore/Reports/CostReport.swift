extension Report {
  /// What a run spent, as far as its log says.
  static let cost = Report(
    name: "cost", arguments: "",
    summary: "seconds and tokens by phase, reward, problem, point gained",
    filters: [.step, .limit]
  ) { (request) throws(StoreError) in
    let run = try request.runID()
    let session = request.session
    let conditions = request.filter.stepConditions(run: run)
    var page = ReportPage(title: try runTitle(session, run))
    let phases = try phases(session, conditions, run)
    page.sections.append(
      .table(
        key: "phases", title: "By phase",
        ReportTable(
          [("phase", .plain), ("seconds", .seconds), ("share", .share), ("tokens", .plain)],
          rows: phases)))
    let rewards = try session.select(
      """
      SELECT name, count(*), total(seconds), total(seconds) / count(*), total(from_cache) / count(*)
      FROM scores JOIN rewards ON rewards.id = reward_id
        JOIN completions ON completions.id = completion_id
        JOIN steps ON steps.id = completions.step_id
      WHERE \(conditions.sql) GROUP BY reward_id ORDER BY position
      """, conditions.parameters)
    page.sections.append(
      .table(
        key: "rewards", title: "Reward calls",
        ReportTable(
          [
            ("reward", .plain), ("calls", .plain), ("seconds", .seconds),
            ("seconds_per_call: per call", .seconds), ("from_cache", .share),
          ], rows: rewards)))
    let problems = try session.select(
      """
      SELECT problem_index, count(*), sum(length), avg(completions.reward), problems.prompt
      FROM steps JOIN completions ON completions.step_id = steps.id
        JOIN groups ON groups.id = group_id JOIN problems ON problems.id = problem_id
      WHERE \(conditions.sql) GROUP BY problem_id ORDER BY sum(length) DESC, problem_index
      LIMIT :limit
      """,
      conditions.parameters.merging(["limit": .integer(Int64(request.limit))]) { first, _ in first }
    )
    page.sections.append(
      .table(
        key: "problems", title: "Problems that took the most tokens",
        ReportTable(
          [
            ("problem", .plain), ("completions", .plain), ("tokens", .plain), ("reward", .number),
            ("prompt", .prompt),
          ], rows: problems)))
    if let gain = try gain(session, run) {
      page.sections.append(.facts(key: "gain", title: "Per point of accuracy gained", gain))
    }
    return page
  }

  /// Seconds of each phase with its share and what went through it.
  private static func phases(
    _ session: QuerySession, _ conditions: SQLFragment, _ run: Int
  ) throws(StoreError) -> [[QueryValue]] {
    let rows = try session.select(
      """
      SELECT substr(name, 6), total(value) FROM steps CROSS JOIN metrics ON step_id = steps.id
      WHERE \(conditions.sql) AND update_index = -1
        AND name IN ('time/rollout', 'time/reference', 'time/update', 'time/log')
      GROUP BY name ORDER BY total(value) DESC
      """, conditions.parameters)
    let counts = try session.select(
      """
      SELECT total(tokens), (SELECT total(length(prompt_token_ids) / 4) FROM steps
          JOIN groups ON groups.step_id = steps.id JOIN problems ON problems.id = problem_id
          WHERE \(conditions.sql))
      FROM steps WHERE \(conditions.sql)
      """, conditions.parameters)
    let sampled = counts.first?[0].double ?? 0
    let prompts = counts.first?[1].double ?? 0
    let evaluated = try session.select(
      "SELECT total(seconds) FROM evaluations WHERE run_id = :run", ["run": .integer(Int64(run))])
    var phases = rows.map { (name: $0[0].plainText, seconds: $0[1].double ?? 0) }
    if let seconds = evaluated.first?[0].double, seconds > 0 {
      phases.append(("evaluation", seconds))
    }
    let total = phases.reduce(0) { $0 + $1.seconds }
    return phases.map { phase in
      let tokens: Double? =
        switch phase.name {
        case "rollout", "reference", "update": sampled + prompts
        default: nil
        }
      return [
        .text(phase.name), .real(phase.seconds), total > 0 ? .real(phase.seconds / total) : .null,
        tokens.flatMap { Int64(exactly: $0) }.map { .integer($0) } ?? .null,
      ]
    }
  }

  /// What a point of accuracy took between the first and the best evaluation.
  private static func gain(
    _ session: QuerySession, _ run: Int
  ) throws(StoreError) -> [ReportSection.Fact]? {
    let rows = try session.select(
      """
      SELECT step, json_extract(metrics, '$.accuracy') FROM evaluations
      WHERE run_id = :run AND json_extract(metrics, '$.accuracy') IS NOT NULL ORDER BY step, id
      """, ["run": .integer(Int64(run))])
    guard let first = rows.first, let from = first[1].double,
      let best = rows.dropFirst().max(by: { ($0[1].double ?? 0) < ($1[1].double ?? 0) }),
      let to = best[1].double, to > from
    else { return nil }
    let spent = try session.select(
      """
      SELECT (SELECT total(value) FROM steps JOIN metrics ON step_id = steps.id
          WHERE run_id = :run AND name = 'time/step' AND step > :from AND step <= :to),
        (SELECT total(tokens) FROM steps WHERE run_id = :run AND step > :from AND step <= :to),
        (SELECT total(completions) FROM steps WHERE run_id = :run AND step > :from AND step <= :to)
      """, ["run": .integer(Int64(run)), "from": first[0], "to": best[0]])
    guard let row = spent.first else { return nil }
    let points = 100 * (to - from)
    return [
      .init("accuracy at first", .real(from), .share), .init("best accuracy", .real(to), .share),
      .init("after step", best[0]),
      .init("seconds per point", (row[0].double ?? 0) / points),
      .init("sampled tokens per point", (row[1].double ?? 0) / points),
      .init("completions per point", (row[2].double ?? 0) / points),
    ]
  }
}
