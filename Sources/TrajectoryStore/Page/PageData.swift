import Rollouts

/// What the page of a run shows, as JSON for its script.
struct PageData {
  let session: QuerySession
  let run: Int
  let tokenText: (() -> (TokenID) -> String)?

  /// Points of a curve: more than a screen has columns help nobody.
  private static let pointLimit = 600
  /// Trajectories in the page, and those of them with their tokens.
  private static let trajectoryLimit = 1200
  private static let tokenLimit = 300

  private var runParameter: [String: QueryValue] { ["run": .integer(Int64(run))] }

  func json() throws(StoreError) -> JSONValue {
    let title = try Report.runTitle(session, run)
    return [
      "title": .string(title), "facts": .object(try facts()), "config": try column("config"),
      "provenance": try provenance(), "charts": .array(try charts()),
      "histogram": try histogram(), "trajectories": .array(try trajectories()),
    ]
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

  // MARK: Curves

  /// Curves in one frame; those that matter most are shown first, the others when asked for.
  private struct Chart {
    var title: String
    var curves: [ReportSection.Curve]
    var isMain = true
  }

  private func charts() throws(StoreError) -> [JSONValue] {
    let summaries = try stepCurves()
    let components = try rewardCurves()
    var charts = [
      Chart(title: "reward", curves: summaries.filter { $0.name.hasPrefix("reward ") })
    ]
    if components.count > 1 { charts.append(Chart(title: "rewards by name", curves: components)) }
    charts += try Report.evaluationCurves(session, run).map { curve in
      let isMain = ["accuracy", "reward", "pass"].contains { curve.name.hasSuffix("/" + $0) }
      return Chart(title: curve.name, curves: [curve], isMain: isMain)
    }
    charts += summaries.filter { !$0.name.hasPrefix("reward ") }
      .map { Chart(title: $0.name, curves: [$0]) }
    charts += try metricCharts()
    return charts.compactMap { chart in
      let curves = chart.curves.filter { $0.values.contains(where: \.isFinite) }
      guard !curves.isEmpty else { return nil }
      return [
        "title": .string(chart.title), "main": .bool(chart.isMain),
        "curves": .array(curves.map { Self.json(of: $0) }),
      ]
    }
  }

  private func stepCurves() throws(StoreError) -> [ReportSection.Curve] {
    let columns = [
      ("reward mean", "reward_mean"), ("reward std", "reward_std"), ("length", "length_mean"),
      ("entropy", "entropy_mean"), ("log-prob", "logprob_mean"),
      ("truncated share", "1.0 * truncated / nullif(completions, 0)"),
      ("tied share", "1.0 * tied_groups / nullif(groups, 0)"),
    ]
    var curves = columns.map { ReportSection.Curve(name: $0.0, steps: [], values: []) }
    try session.walk(
      "SELECT step, \(columns.map(\.1).joined(separator: ", ")) FROM steps "
        + "WHERE run_id = :run ORDER BY step", runParameter
    ) { statement in
      for index in columns.indices {
        guard let value = statement.optionalReal(Int32(index + 1)) else { continue }
        curves[index].steps.append(statement.integer(0))
        curves[index].values.append(value)
      }
    }
    return curves.filter { !$0.values.isEmpty }
  }

  private func rewardCurves() throws(StoreError) -> [ReportSection.Curve] {
    var curves: [String: ReportSection.Curve] = [:]
    var names: [String] = []
    try session.walk(
      """
      SELECT step, name, sum / scored FROM steps
      CROSS JOIN reward_summaries ON step_id = steps.id
      JOIN rewards ON rewards.id = reward_id
      WHERE steps.run_id = :run AND scored > 0 ORDER BY step, position
      """, runParameter
    ) { statement in
      let name = statement.text(1)
      if curves[name] == nil { names.append(name) }
      curves[name, default: .init(name: name, steps: [], values: [])].add(
        statement.integer(0), statement.real(2))
    }
    return names.compactMap { curves[$0] }
  }

  /// Metrics that share a frame or stand first: the frame's title, a name and metric for each curve.
  private static let mainMetrics: [(title: String, curves: [(name: String, metric: String)])] = [
    ("kl", [("kl", "kl")]),
    (
      "clipped share",
      [("low", "clip_ratio/low_mean"), ("high", "clip_ratio/high_mean")]
    ),
    ("gradient norm", [("grad_norm", "grad_norm")]), ("loss", [("loss", "loss")]),
    ("learning rate", [("learning_rate", "learning_rate")]),
    (
      "tokens a second",
      [
        ("sampling", "time/sampling_tokens_per_second"),
        ("update", "time/update_tokens_per_second"),
      ]
    ),
  ]

  /// Charts of the metrics that the steps' own summaries don't already show.
  private func metricCharts() throws(StoreError) -> [Chart] {
    var curves: [String: ReportSection.Curve] = [:]
    var updates: (step: Int, sums: [String: (sum: Double, count: Double)]) = (-1, [:])
    func finishUpdates() {
      for (name, mean) in updates.sums where curves[name]?.steps.last != updates.step {
        curves[name, default: .init(name: name, steps: [], values: [])].add(
          updates.step, mean.sum / mean.count)
      }
      updates.sums.removeAll(keepingCapacity: true)
    }
    try session.walk(
      """
      SELECT step, name, update_index, value FROM steps
      CROSS JOIN metrics ON metrics.step_id = steps.id
      WHERE steps.run_id = :run ORDER BY step, update_index
      """, runParameter
    ) { statement in
      let step = statement.integer(0)
      if step != updates.step {
        finishUpdates()
        updates.step = step
      }
      guard let value = statement.optionalReal(3) else { return }
      let name = statement.text(1)
      if statement.integer(2) < 0 {
        curves[name, default: .init(name: name, steps: [], values: [])].add(step, value)
      } else {
        let old = updates.sums[name] ?? (0, 0)
        updates.sums[name] = (old.sum + value, old.count + 1)
      }
    }
    finishUpdates()
    var charts: [Chart] = []
    for (title, parts) in Self.mainMetrics {
      let found = parts.compactMap { name, metric -> ReportSection.Curve? in
        guard var curve = curves.removeValue(forKey: metric) else { return nil }
        curve.name = name
        return curve
      }
      charts.append(Chart(title: title, curves: found))
    }
    let shown: Set<String> = ["reward", "reward_std", "entropy", "completions/mean_length"]
    charts += curves.values.filter { !shown.contains($0.name) && $0.values.count > 1 }
      .sorted { $0.name < $1.name }
      .map { Chart(title: $0.name, curves: [$0], isMain: false) }
    return charts
  }

  /// A curve of at most so many points: means of stretches of equal length.
  private static func json(of curve: ReportSection.Curve) -> JSONValue {
    let count = min(curve.values.count, pointLimit)
    var steps: [JSONValue] = []
    var values: [JSONValue] = []
    for point in 0..<count {
      let range =
        point * curve.values.count / count..<(point + 1) * curve.values.count / count
      let finite = curve.values[range].filter(\.isFinite)
      guard !finite.isEmpty else { continue }
      let mean =
        finite.count == 1 ? finite[0] : finite.reduce(0, +) / Double(finite.count)
      steps.append(.integer(Int64(curve.steps[range.lowerBound])))
      values.append(.number(mean))
    }
    return [
      "name": .string(curve.name), "steps": .array(steps), "values": .array(values),
    ]
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
      let bin = Int(clamping: ((statement.real(1) - low) / width).rounded(.down))
      counts[buckets.index(of: statement.integer(0))][min(bins - 1, max(0, bin))] += 1
    }
    return [
      "low": .number(low), "high": .number(low + width * Double(bins)),
      "steps": .array((0..<buckets.count).map { .string(buckets.name($0)) }),
      "counts": .array(counts.map { .array($0.map { .integer(Int64($0)) }) }),
    ]
  }

  // MARK: Trajectories

  private func trajectories() throws(StoreError) -> [JSONValue] {
    let chosen = try chosenCompletions()
    let statement = try session.connection.prepare(
      """
      SELECT step, draw, sample, problem_id, reward, advantage, finish, length, prompt, text,
        ratio_max, clipped_tokens
      FROM trajectories WHERE completion_id = ?
      """)
    let scores = try session.connection.prepare(
      """
      SELECT name, weight, value, coalesce(error, status), parts
      FROM scores JOIN rewards ON rewards.id = reward_id
      WHERE completion_id = ? ORDER BY position
      """)
    let names = [
      "step", "draw", "sample", "problem", "reward", "advantage", "finish", "length", "prompt",
      "text", "ratio", "clipped",
    ]
    var trajectories: [JSONValue] = []
    for (place, id) in chosen.enumerated() {
      try statement.bind(id)
      guard try statement.step() else { continue }
      var object: JSONObject = ["id": .integer(id)]
      for (index, name) in names.enumerated() {
        let value = statement.value(Int32(index))
        if value != .null { object[name] = value.json }
      }
      statement.reset()
      try scores.bind(id)
      var rewards: [JSONValue] = []
      while try scores.step() { rewards.append(Self.score(scores)) }
      object["scores"] = .array(rewards)
      if place < Self.tokenLimit { object["tokens"] = .array(try tokens(of: id)) }
      trajectories.append(.object(object))
    }
    return trajectories
  }

  /// A reward's word on a completion: name, weight, value or why there is none, parts by name.
  private static func score(_ row: Statement) -> JSONValue {
    let parts = row.isNull(4) ? nil : try? JSONValue.parse(row.text(4))
    return [
      "name": .string(row.text(0)), "weight": row.value(1).json,
      "value": row.isNull(2) ? .string(row.text(3)) : row.value(2).json, "parts": parts ?? .null,
    ]
  }

  /// The best, worst and latest, and a spread of the others; those whose tokens are shown first.
  private func chosenCompletions() throws(StoreError) -> [Int64] {
    let each = Self.tokenLimit / 4
    let range = try session.select(
      """
      SELECT min(completions.id), max(completions.id) FROM completions
      JOIN steps ON steps.id = step_id
      WHERE steps.id IN ((SELECT min(id) FROM steps WHERE run_id = :run),
        (SELECT max(id) FROM steps WHERE run_id = :run))
      """, runParameter)
    guard let low = range.first?[0].integer, let high = range.first?[1].integer else { return [] }
    let spread = max(1, (high -| low) / Self.trajectoryLimit)
    let queries = [
      "SELECT completion_id FROM trajectories WHERE +run_id = :run ORDER BY reward DESC LIMIT \(each)",
      """
      SELECT completion_id FROM trajectories WHERE +run_id = :run AND reward IS NOT NULL
      ORDER BY reward LIMIT \(each)
      """,
      """
      SELECT completion_id FROM trajectories WHERE run_id = :run
        AND step = (SELECT max(step) FROM steps WHERE run_id = :run) LIMIT \(each * 2)
      """,
      """
      WITH RECURSIVE spread (place) AS (
        SELECT \(low) UNION ALL SELECT place + \(spread) FROM spread
          WHERE place <= \(high -| spread)
      )
      SELECT completion_id FROM spread CROSS JOIN trajectories ON completion_id = place
      WHERE run_id = :run LIMIT \(Self.trajectoryLimit)
      """,
    ]
    var seen: Set<Int64> = []
    var chosen: [Int64] = []
    for query in queries {
      for row in try session.select(query, runParameter) {
        guard case .integer(let id) = row[0], seen.insert(id).inserted else { continue }
        chosen.append(id)
      }
    }
    return Array(chosen.prefix(Self.trajectoryLimit))
  }

  /// Each token as [text, log-prob, entropy, ratio, advantage], rounded to what a colour needs.
  private func tokens(of completion: Int64) throws(StoreError) -> [JSONValue] {
    var request = ReportRequest(session: session)
    request.tokenText = tokenText?()
    func number(_ value: Double?) -> JSONValue {
      guard let value, value.isFinite else { return .null }
      return .number((value * 1000).rounded() / 1000)
    }
    return try Report.tokens(request, ["id": .integer(completion)]).map { cell in
      [
        .string(cell.text ?? "\(cell.id) "), number(cell.logProbability), number(cell.entropy),
        number(cell.ratio), number(cell.advantage),
      ]
    }
  }
}

extension ReportSection.Curve {
  fileprivate mutating func add(_ step: Int, _ value: Double) {
    steps.append(step)
    values.append(value)
  }
}
