import Foundation

extension Report {
  /// Where the policy that learns has left the policy that sampled.
  static let ratioTails = Report(
    name: "ratio-tails", arguments: "",
    summary: "completions whose importance ratios are farthest from 1",
    filters: .list
  ) { (request) throws(StoreError) in
    let run = try request.runID()
    let filter = request.filter
    let conditions = filter.conditions(run: run)
    let parameters = conditions.parameters.merging(["limit": .integer(Int64(request.limit))]) {
      a, _ in a
    }
    let rows = try request.session.select(
      """
      SELECT completion_id, step, update_index, ratio_low, ratio_high, clipped_low, clipped_high,
        length, reward, advantage, text
      FROM (SELECT completion_id AS updated_id, update_id, ratio_min AS ratio_low,
          ratio_max AS ratio_high, log_ratio_max, clipped_low, clipped_high
        FROM completion_updates WHERE log_ratio_max > 0) AS updated
      CROSS JOIN trajectories ON completion_id = updated_id
      JOIN updates ON updates.id = update_id
      WHERE \(conditions.sql)
      ORDER BY \(filter.order ?? "log_ratio_max DESC") LIMIT :limit
      """, parameters)
    return ReportPage(
      title: try runTitle(request.session, run),
      sections: [
        .facts(key: "shares", title: "", try shares(request, run)),
        .table(
          key: "completions", title: "Farthest from 1",
          ReportTable(
            [
              ("completion", .plain), ("step", .plain), ("update", .plain),
              ("ratio_min", .number), ("ratio_max", .number), ("clipped_low", .plain),
              ("clipped_high", .plain), ("length", .plain), ("reward", .number),
              ("advantage", .number), ("text", .text),
            ], rows: rows)),
      ])
  }

  /// How many completions, counted once per update, have a token's ratio beyond some bounds.
  private static func shares(
    _ request: ReportRequest, _ run: Int
  ) throws(StoreError) -> [ReportSection.Fact] {
    let bounds = [1, 1.1, 1.2, 1.5, 2, 5]
    let counts = try counts(beyond: bounds.map { log($0) }, request, run)
    var facts = [ReportSection.Fact("completions × updates", .integer(Int64(counts.all)))]
    for (bound, count) in zip(bounds, counts.beyond) {
      let text = bound == bound.rounded() ? "\(Int(bound))" : "\(bound)"
      let name = bound == 1 ? "any ratio off 1" : "beyond \(text) or 1/\(text)"
      facts.append(.init(name, count / max(1, counts.all), .share))
    }
    return facts
  }

  /// Completions, once per update: all of them, and those whose |log ratio| exceeds each bound.
  private static func counts(
    beyond bounds: [Double], _ request: ReportRequest, _ run: Int
  ) throws(StoreError) -> (all: Double, beyond: [Double]) {
    func count(_ sql: String, _ parameters: [String: QueryValue] = [:]) throws(StoreError)
      -> [Double]
    {
      (try request.session.select(sql, parameters).first ?? []).map { $0.double ?? 0 }
    }
    let filter = request.filter
    if try count("SELECT count(*) FROM runs") == [1], !filter.isByCompletion,
      filter.firstStep == nil, filter.lastStep == nil
    {
      // A range of the partial index for each bound: what lies beyond 5 costs next to nothing. The
      // bound stands before the index's own condition, since SQLite searches by the first of equals.
      var beyond: [Double] = []
      for bound in bounds {
        beyond += try count(
          """
          SELECT count(*) FROM completion_updates
          WHERE log_ratio_max > \(bound) AND log_ratio_max > 0
          """)
      }
      return (try count("SELECT count(*) FROM completion_updates").first ?? 0, beyond)
    }
    // Renamed, since a condition on trajectories may speak of their ratio_max.
    let source =
      filter.isByCompletion
      ? """
      trajectories JOIN (SELECT completion_id AS updated_id, log_ratio_max AS log_ratio
        FROM completion_updates) ON updated_id = completion_id
      """
      : """
      steps CROSS JOIN updates ON step_id = steps.id
        CROSS JOIN (SELECT update_id, log_ratio_max AS log_ratio FROM completion_updates)
          ON update_id = updates.id
      """
    let conditions =
      filter.isByCompletion ? filter.conditions(run: run) : filter.stepConditions(run: run)
    let totals = bounds.map { "total(log_ratio > \($0))" }.joined(separator: ", ")
    let row = try count(
      """
      SELECT count(*), \(totals) FROM \(source) WHERE \(conditions.sql)
      """, conditions.parameters)
    return (row.first ?? 0, Array(row.dropFirst()))
  }
}
