import Foundation

extension Report {
  /// Where the policy that learns has left the policy that sampled.
  static let ratioTails = Report(
    name: "ratio-tails", arguments: "",
    summary: "completions whose importance ratios are farthest from 1"
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

  /// How many completions, counted once an update, have a token's ratio beyond some bounds.
  private static func shares(
    _ request: ReportRequest, _ run: Int
  ) throws(StoreError) -> [ReportSection.Fact] {
    let conditions = request.filter.stepConditions(run: run)
    let runs = try request.session.select("SELECT count(*) FROM runs")
    let isWhole =
      runs.first?.first == .integer(1) && request.filter.firstStep == nil
      && request.filter.lastStep == nil
    let source =
      isWhole
      ? "completion_updates WHERE 1"
      : """
      steps CROSS JOIN updates ON step_id = steps.id
        CROSS JOIN completion_updates ON update_id = updates.id WHERE \(conditions.sql)
      """
    let bounds = [(1.0, "at all"), (1.1, "1.1"), (1.2, "1.2"), (1.5, "1.5"), (2, "2"), (5, "5")]
    // The partial index serves these counts; all rows are counted apart.
    let terms = bounds.map { "total(log_ratio_max > \(log($0.0)))" }
    let counts = try request.session.select(
      "SELECT \(terms.joined(separator: ", ")) FROM \(source) AND log_ratio_max > 0",
      conditions.parameters)
    let all = try request.session.select(
      "SELECT count(*) FROM \(source)", conditions.parameters)
    let total = max(1, all.first?.first?.double ?? 1)
    var facts = [
      ReportSection.Fact("completions × updates", all.first?.first ?? .null)
    ]
    for (bound, count) in zip(bounds, counts.first ?? []) {
      facts.append(
        .init(
          bound.0 == 1 ? "any ratio off 1" : "beyond \(bound.1) or 1/\(bound.1)",
          (count.double ?? 0) / total, .share))
    }
    return facts
  }
}
