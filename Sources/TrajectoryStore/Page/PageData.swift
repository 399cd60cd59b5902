import Rollouts

/// What the page shows of one run, as JSON for its script.
struct PageData {
  let session: QuerySession
  let run: Int
  let tokenText: (() -> (TokenID) -> String)?
  /// Trajectories in the page, and those of them with their tokens.
  let trajectoryLimit: Int
  let tokenLimit: Int

  var runParameter: [String: QueryValue] { ["run": .integer(Int64(run))] }

  func json() throws(StoreError) -> JSONValue {
    [
      "title": .string(try Report.runTitle(session, run)), "name": .string(try name()),
      "facts": .object(try facts()), "config": try column("config"),
      "provenance": try provenance(), "charts": .array(try charts()),
      "histogram": try histogram(), "trajectories": .array(try trajectories()),
    ]
  }

  private func name() throws(StoreError) -> String {
    try session.select("SELECT name FROM runs WHERE id = :run", runParameter)
      .first?.first?.plainText ?? "run \(run)"
  }

  private func column(_ name: String) throws(StoreError) -> JSONValue {
    let rows = try session.select("SELECT \(name) FROM runs WHERE id = :run", runParameter)
    let text = rows.first?.first?.plainText ?? "{}"
    return (try? JSONValue.parse(text)) ?? .object([:])
  }

  private func facts() throws(StoreError) -> JSONObject {
    var request = ReportRequest(session: session)
    request.run = run
    var object = JSONObject()
    for section in try Report.summary.make(request).sections {
      guard case .facts(_, _, let facts) = section else { continue }
      for fact in facts { object[fact.name] = fact.value.json }
    }
    return object
  }

  private func provenance() throws(StoreError) -> JSONValue {
    let rows = try session.select(
      """
      SELECT model_hash, dataset_hash, program_version, provenance, host FROM runs WHERE id = :run
      """, runParameter)
    guard let row = rows.first else { return .object([:]) }
    var object: JSONObject = [
      "model hash": row[0].json, "dataset hash": row[1].json, "grpo": row[2].json,
    ]
    for text in [row[3], row[4]] {
      for (name, value) in (try? JSONValue.parse(text.plainText))?.object ?? [:] {
        object[name] = value
      }
    }
    return .object(object)
  }

  // MARK: The distribution of rewards

  private func histogram() throws(StoreError) -> JSONValue {
    let bins = 24
    var request = ReportRequest(session: session)
    request.run = run
    let range = try session.select(
      "SELECT min(reward_min), max(reward_max) FROM steps WHERE run_id = :run", runParameter)
    guard let buckets = try StepBuckets(request, run: run, count: 48),
      let low = range.first?[0].double, let high = range.first?[1].double
    else { return .null }
    let width = high > low ? (high - low) / Double(bins) : 1
    var counts = [[Int]](repeating: [Int](repeating: 0, count: bins), count: buckets.count)
    try session.walk(
      """
      SELECT steps.step, reward FROM steps CROSS JOIN completions ON step_id = steps.id
      WHERE steps.run_id = :run AND reward IS NOT NULL
      """, runParameter
    ) { statement in
      let place = ((statement.real(1) - low) / width).rounded(.down)
      let bin = place >= 0 ? Int(min(place, Double(bins - 1))) : 0
      counts[buckets.index(of: statement.integer(0))][bin] += 1
    }
    return [
      "low": .number(low), "high": .number(low + width * Double(bins)), "greatest": .number(high),
      "steps": .array((0..<buckets.count).map { .string(buckets.name($0)) }),
      "counts": .array(counts.map { .array($0.map { .integer(Int64($0)) }) }),
    ]
  }
}
