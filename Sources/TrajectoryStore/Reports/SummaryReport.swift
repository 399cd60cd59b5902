extension Report {
  /// The run at a glance.
  static let summary = Report(
    name: "summary", arguments: "", summary: "the run at a glance", filters: [.step]
  ) { (request) throws(StoreError) in
    let run = try request.runID()
    let session = request.session
    var page = ReportPage(title: try runTitle(session, run))
    page.sections.append(try runFacts(session, run))
    let conditions = request.filter.stepConditions(run: run)
    page.sections.append(
      .facts(
        key: "totals", title: "Totals", try totals(session, conditions)))
    page.sections.append(
      .curves(key: "curves", title: "Over the steps", try curves(session, conditions)))
    let evaluations = try evaluationCurves(session, run)
    if !evaluations.isEmpty {
      page.sections.append(.curves(key: "evaluations", title: "Evaluations", evaluations))
    }
    return page
  }

  static func runTitle(_ session: QuerySession, _ run: Int) throws(StoreError) -> String {
    let rows = try session.select(
      "SELECT name, kind FROM runs WHERE id = :run", ["run": .integer(Int64(run))])
    guard let row = rows.first else { return "run \(run)" }
    return "\(row[0].plainText) (\(row[1].plainText), run \(run))"
  }

  private static func runFacts(
    _ session: QuerySession, _ run: Int
  ) throws(StoreError) -> ReportSection {
    let rows = try session.select(
      """
      SELECT coalesce(outcome, 'no end recorded: running, or stopped'), started_at,
        (julianday(coalesce(finished_at, (SELECT max(committed_at) FROM steps
          WHERE run_id = runs.id))) - julianday(started_at)) * 86400,
        model, dataset, seed, program_version,
        (SELECT group_concat(name || ' × ' || weight, ', ') FROM
          (SELECT name, weight FROM rewards WHERE run_id = runs.id ORDER BY position))
      FROM runs WHERE id = :run
      """, ["run": .integer(Int64(run))])
    guard let row = rows.first else { return .note("No such run.") }
    let names = ["outcome", "started", "duration", "model", "dataset", "seed", "grpo", "rewards"]
    let facts = zip(names, row).map { name, value in
      ReportSection.Fact(name, value, name == "duration" ? .seconds : .plain)
    }
    return .facts(key: "run", title: "Run", facts)
  }

  private static func totals(
    _ session: QuerySession, _ conditions: SQLFragment
  ) throws(StoreError) -> [ReportSection.Fact] {
    let rows = try session.select(
      """
      SELECT count(*), sum(groups), sum(completions), sum(tokens),
        total(tied_groups) / sum(groups), total(truncated) / sum(completions),
        total(unscored) / sum(completions), sum(dropped_groups), max(reward_max)
      FROM steps WHERE \(conditions.sql)
      """, conditions.parameters)
    guard let row = rows.first else { return [] }
    return [
      .init("steps", row[0]), .init("groups", row[1]), .init("completions", row[2]),
      .init("tokens", row[3]), .init("tied groups", row[4], .share),
      .init("truncated", row[5], .share), .init("without a reward", row[6], .share),
      .init("dropped groups", row[7]), .init("highest reward", row[8], .number),
    ]
  }

  /// What is drawn of each step: columns of `steps`, then metrics where the run has them.
  private static func curves(
    _ session: QuerySession, _ conditions: SQLFragment
  ) throws(StoreError) -> [ReportSection.Curve] {
    let columns = [
      "reward_mean", "reward_std", "length_mean", "entropy_mean", "logprob_mean",
    ]
    var curves = columns.map {
      ReportSection.Curve(
        name: $0.replacing("_mean", with: "").replacing("_", with: " "), steps: [], values: [])
    }
    try session.walk(
      """
      SELECT step, reward_mean, \(rewardDeviation), length_mean, entropy_mean, logprob_mean FROM steps
      WHERE \(conditions.sql) ORDER BY step
      """, conditions.parameters
    ) { statement in
      for index in columns.indices {
        guard let value = statement.optionalReal(Int32(clamping: index + 1)) else { continue }
        curves[index].steps.append(statement.integer(0))
        curves[index].values.append(value)
      }
    }
    let names = ["kl", "clip_ratio/region_mean", "loss", "grad_norm", "learning_rate"]
    curves += try metricCurves(names, session, conditions)
    return curves.filter { !$0.values.isEmpty }
  }

  /// Metrics over the steps: those of the step as a whole, or the mean over its updates.
  static func metricCurves(
    _ names: [String], _ session: QuerySession, _ conditions: SQLFragment
  ) throws(StoreError) -> [ReportSection.Curve] {
    var curves: [String: ReportSection.Curve] = [:]
    let list = names.map { "'" + $0.replacing("'", with: "''") + "'" }.joined(separator: ", ")
    try session.walk(
      """
      SELECT step, name, coalesce(
        max(CASE WHEN update_index = -1 THEN value END),
        avg(CASE WHEN update_index >= 0 THEN value END))
      FROM steps CROSS JOIN metrics ON metrics.step_id = steps.id
      WHERE \(conditions.sql) AND name IN (\(list))
      GROUP BY step, name ORDER BY step
      """, conditions.parameters
    ) { statement in
      let name = statement.text(1)
      guard let value = statement.optionalReal(2) else { return }
      var curve = curves.removeValue(forKey: name) ?? .init(name: name, steps: [], values: [])
      curve.steps.append(statement.integer(0))
      curve.values.append(value)
      curves[name] = curve
    }
    return names.compactMap { curves[$0] }
  }

  static func evaluationCurves(
    _ session: QuerySession, _ run: Int
  ) throws(StoreError) -> [ReportSection.Curve] {
    var curves: [ReportSection.Curve] = []
    try session.walk(
      """
      SELECT step, evaluations.name || '/' || key, value
      FROM evaluations, json_each(metrics)
      WHERE run_id = :run AND json_each.type IN ('real', 'integer') ORDER BY step, evaluations.id
      """, ["run": .integer(Int64(run))]
    ) { statement in
      let name = statement.text(1)
      let index =
        curves.firstIndex { $0.name == name }
        ?? {
          curves.append(.init(name: name, steps: [], values: []))
          return curves.count - 1
        }()
      curves[index].steps.append(statement.integer(0))
      curves[index].values.append(statement.real(2))
    }
    return curves
  }
}
