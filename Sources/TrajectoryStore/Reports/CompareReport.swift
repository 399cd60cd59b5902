import Rollouts

extension Report {
  /// Two runs side by side.
  static let compare = Report(
    name: "compare", arguments: "RUN2", summary: "two runs side by side: settings, curves, results",
    filters: [.step]
  ) { (request) throws(StoreError) in
    guard let other = request.other else {
      throw StoreError(.query, "The report compare needs a second run.")
    }
    var second = request
    (second.session, second.run) = (other.session, other.run)
    let runs = (try request.runID(), try second.runID())
    let titles = (
      try runTitle(request.session, runs.0), try runTitle(second.session, runs.1)
    )
    var page = ReportPage(title: "\(titles.0) against \(titles.1)")
    page.sections.append(
      .table(
        key: "settings", title: "Settings that differ",
        try settings(request, second, runs)))
    let series = (
      try stepSeries(request, run: runs.0), try stepSeries(second, run: runs.1)
    )
    page.sections.append(.note(firstDifference(series.0, series.1)))
    page.sections.append(
      .table(key: "results", title: "Results", results(series.0, series.1)))
    let curves =
      try evaluationCurves(request.session, runs.0).map { ("1 " + $0.name, $0) }
      + evaluationCurves(second.session, runs.1).map { ("2 " + $0.name, $0) }
    let rewards = [("1 reward", series.0), ("2 reward", series.1)].map { name, series in
      ReportSection.Curve(
        name: name, steps: series.rows.filter { $0[1] != .null }.map { $0[0].integer ?? 0 },
        values: series.rows.compactMap { $0[1].double })
    }
    page.sections.append(
      .curves(
        key: "curves", title: "Over the steps",
        rewards
          + curves.map { .init(name: $0.0, steps: $0.1.steps, values: $0.1.values) }))
    return page
  }

  /// What is compared of each step, exact summaries of its trajectories.
  private struct StepSeries {
    static let names = [
      "reward", "reward std", "length", "entropy", "log-prob", "truncated", "tied groups",
    ]
    var rows: [[QueryValue]]
  }

  private static func stepSeries(
    _ request: ReportRequest, run: Int
  ) throws(StoreError) -> StepSeries {
    let conditions = request.filter.stepConditions(run: run)
    return StepSeries(
      rows: try request.session.select(
        """
        SELECT step, reward_mean, reward_std, length_mean, entropy_mean, logprob_mean,
          1.0 * truncated / nullif(completions, 0), 1.0 * tied_groups / nullif(groups, 0)
        FROM steps WHERE \(conditions.sql) ORDER BY step
        """, conditions.parameters))
  }

  /// Says from which step on the runs differ, as far as the steps' summaries tell.
  private static func firstDifference(_ first: StepSeries, _ second: StepSeries) -> String {
    for (a, b) in zip(first.rows, second.rows) where a != b {
      return "The runs differ from step \(a[0].plainText) on."
    }
    let common = min(first.rows.count, second.rows.count)
    return first.rows.count == second.rows.count
      ? "The summaries of all \(common) steps are equal in every bit."
      : "The summaries of the first \(common) steps are equal in every bit; "
        + "the runs have \(first.rows.count) and \(second.rows.count) steps."
  }

  private static func results(_ first: StepSeries, _ second: StepSeries) -> ReportTable {
    var table = ReportTable(
      [
        ("number", .plain), ("start_1", .number), ("start_2", .number), ("end_1", .number),
        ("end_2", .number), ("difference_at_end", .number), ("mean_1", .number),
        ("mean_2", .number),
      ])
    for (place, name) in StepSeries.names.enumerated() {
      let values = [first, second].map { $0.rows.compactMap { $0[place + 1].double } }
      // A tenth of the run at each end, so that one step's noise says little.
      func mean(_ values: ArraySlice<Double>) -> Double? {
        values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
      }
      let starts = values.map { mean($0.prefix(max(1, $0.count / 10))) }
      let ends = values.map { mean($0.suffix(max(1, $0.count / 10))) }
      let means = values.map { mean($0[...]) }
      let difference = ends[0].flatMap { a in ends[1].map { $0 - a } }
      table.rows.append(
        [.text(name)]
          + [starts[0], starts[1], ends[0], ends[1], difference, means[0], means[1]]
          .map { .optional($0) })
    }
    return table
  }

  /// Settings and hashes whose values differ.
  private static func settings(
    _ first: ReportRequest, _ second: ReportRequest, _ runs: (Int, Int)
  ) throws(StoreError) -> ReportTable {
    let values = (try describe(first.session, runs.0), try describe(second.session, runs.1))
    var table = ReportTable([("setting", .plain), ("run_1", .text), ("run_2", .text)])
    for name in Set(values.0.keys).union(values.1.keys).sorted()
    where values.0[name] != values.1[name] {
      table.rows.append([
        .text(name), values.0[name].map { .text($0) } ?? .null,
        values.1[name].map { .text($0) } ?? .null,
      ])
    }
    return table
  }

  private static func describe(
    _ session: QuerySession, _ run: Int
  ) throws(StoreError) -> [String: String] {
    let rows = try session.select(
      """
      SELECT config, seed, model, model_hash, dataset, dataset_hash, program_version
      FROM runs WHERE id = :run
      """, ["run": .integer(Int64(run))])
    guard let row = rows.first else { return [:] }
    var values: [String: String] = [:]
    for (name, value) in (try? JSONValue.parse(row[0].plainText))?.object ?? [:] {
      values[name] = value.jsonText
    }
    for (name, value) in zip(
      ["seed", "model", "model hash", "dataset", "dataset hash", "program"], row.dropFirst())
    { values[name] = value.plainText }
    return values
  }
}
