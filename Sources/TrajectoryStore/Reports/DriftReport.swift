extension Report {
  /// How far the policy moved.
  static let drift = Report(
    name: "drift", arguments: "",
    summary: "how far the policy moved: entropy, log-prob, KL, ratios, early against late answers",
    filters: [.step]
  ) { (request) throws(StoreError) in
    let run = try request.runID()
    guard let buckets = try StepBuckets(request, run: run) else {
      return ReportPage(
        title: try runTitle(request.session, run), sections: [.note("No steps yet.")])
    }
    return ReportPage(
      title: try runTitle(request.session, run),
      sections: [
        .table(
          key: "steps", title: "Over the steps", try movement(request, run: run, buckets)),
        .facts(
          key: "pairs", title: "Problems drawn both early and late",
          try earlyAndLate(request, run: run, buckets)),
      ])
  }

  private static func movement(
    _ request: ReportRequest, run: Int, _ buckets: StepBuckets
  ) throws(StoreError) -> ReportTable {
    let conditions = request.filter.stepConditions(run: run)
    let rows = try request.session.select(
      """
      SELECT \(buckets.sql) AS bucket, avg(reward_mean), avg(entropy_mean), avg(logprob_mean),
        avg(length_mean)
      FROM steps WHERE \(conditions.sql) GROUP BY bucket
      """, conditions.parameters)
    let names = ["kl", "clip_ratio/region_mean", "sampler/logp_difference_max"]
    let curves = try metricCurves(names, request.session, conditions)
    var table = ReportTable(
      [
        ("steps", .plain), ("reward", .number), ("entropy", .number), ("logprob", .number),
        ("length", .number), ("kl", .number), ("clipped", .share),
        ("sampler_difference_max", .number),
      ])
    for row in rows {
      let bucket = row[0].integer ?? 0
      var cells: [QueryValue] = [.text(buckets.name(bucket))] + row.dropFirst()
      for name in names {
        let curve = curves.first { $0.name == name }
        let values = zip(curve?.steps ?? [], curve?.values ?? [])
          .filter { buckets.index(of: $0.0) == bucket }.map(\.1)
        let isMaximum = name.hasSuffix("max")
        cells.append(
          .optional(
            values.isEmpty
              ? nil
              : isMaximum ? values.max() : values.reduce(0, +) / Double(values.count)))
      }
      table.rows.append(cells)
    }
    table.dropEmptyColumns()
    return table
  }

  /// Groups of the same problem in the first and in the last quarter of the steps.
  private static func earlyAndLate(
    _ request: ReportRequest, run: Int, _ buckets: StepBuckets
  ) throws(StoreError) -> [ReportSection.Fact] {
    let conditions = request.filter.stepConditions(run: run)
    let quarter = (Double(buckets.last) - Double(buckets.first) + 1) / 4
    let parameters = conditions.parameters.merging([
      "early": .real(Double(buckets.first) + quarter),
      "late": .real(Double(buckets.last) + 1 - quarter),
    ]) { a, _ in a }
    let rows = try request.session.select(
      """
      WITH pairs AS (
        SELECT problem_id,
          avg(CASE WHEN step < :early THEN groups.reward_mean END) AS early,
          avg(CASE WHEN step >= :late THEN groups.reward_mean END) AS late
        FROM steps CROSS JOIN groups ON step_id = steps.id
        WHERE \(conditions.sql) GROUP BY problem_id
      )
      SELECT count(*), avg(early), avg(late), sum(late > early), sum(late < early)
      FROM pairs WHERE early IS NOT NULL AND late IS NOT NULL
      """, parameters)
    guard let row = rows.first else { return [] }
    return [
      .init("problems", row[0]), .init("mean reward early", row[1], .number),
      .init("mean reward late", row[2], .number), .init("better", row[3]),
      .init("worse", row[4]),
    ]
  }
}
