extension Report {
  /// What rewards could not score, and what befell the run.
  static let errors = Report(
    name: "errors", arguments: "", summary: "what could not be scored and why; the run's warnings",
    filters: Set.trajectories.union([.limit])
  ) { (request) throws(StoreError) in
    let run = try request.runID()
    let isByCompletion = request.filter.isByCompletion
    let conditions =
      isByCompletion
      ? request.filter.conditions(run: run) : request.filter.stepConditions(run: run)
    let parameters = conditions.parameters.merging(["limit": .integer(Int64(request.limit))]) {
      a, _ in a
    }
    let condition =
      isByCompletion
      ? "completion_id IN (SELECT completion_id FROM trajectories WHERE \(conditions.sql))"
      : conditions.sql
    let source = """
      FROM scores JOIN rewards ON rewards.id = reward_id
        JOIN completions ON completions.id = completion_id
        JOIN steps ON steps.id = completions.step_id
      WHERE status <> 'scored' AND \(condition)
      """
    let kinds = try request.session.select(
      """
      SELECT name, status, substr(error, 1, 200) AS why, count(*), min(step), max(step),
        max(completion_id)
      \(source) GROUP BY name, status, why ORDER BY count(*) DESC LIMIT :limit
      """, parameters)
    let events = try request.session.select(
      """
      SELECT time, step, kind, message FROM events WHERE run_id = :run
        AND kind NOT IN ('start', 'finish') ORDER BY id DESC LIMIT :limit
      """, parameters)
    var page = ReportPage(title: try runTitle(request.session, run))
    page.sections.append(
      kinds.isEmpty
        ? .note("Every completion was scored by every reward.")
        : .table(
          key: "scores", title: "Without a score",
          ReportTable(
            [
              ("reward", .plain), ("status", .plain), ("error", .text), ("count", .plain),
              ("first_step", .plain), ("last_step", .plain), ("completion", .plain),
            ], rows: kinds)))
    if !events.isEmpty {
      page.sections.append(
        .table(
          key: "events", title: "Events",
          ReportTable(
            [("time", .plain), ("step", .plain), ("kind", .plain), ("message", .text)],
            rows: events.reversed())))
    }
    return page
  }
}
