import Rollouts

/// The trajectories that a page shows.
extension PageData {
  func trajectories() throws(StoreError) -> [JSONValue] {
    let chosen = try chosenCompletions()
    let statement = try session.connection.prepare(
      """
      SELECT step, draw, sample, problem_id, reward, advantage, finish, length, prompt, text,
        ratio_max, clipped_tokens,
        (SELECT \(GoldAnswerColumn.sql) FROM problems WHERE problems.id = problem_id)
      FROM trajectories WHERE completion_id = ?
      """)
    let scores = try session.connection.prepare(
      """
      SELECT name, weight, value, coalesce(error, status), parts,
        \(try session.connection.column("reason", since: 2))
      FROM scores JOIN rewards ON rewards.id = reward_id
      WHERE completion_id = ? ORDER BY position
      """)
    let names = [
      "step", "draw", "sample", "problem", "reward", "advantage", "finish", "length", "prompt",
      "text", "ratio", "clipped", "answer",
    ]
    var trajectories: [JSONValue] = []
    for (place, id) in chosen.enumerated() {
      try statement.bind(id)
      guard try statement.step() else { continue }
      var object: JSONObject = ["id": .integer(id)]
      for (index, name) in names.enumerated() {
        let value = statement.value(Int32(clamping: index))
        switch name {
        case _ where value == .null: break
        case "answer": object[name] = .string(value.plainText)
        case "prompt": object[name] = .string(PromptText.readable(value.plainText))
        default: object[name] = value.json
        }
      }
      statement.reset()
      try scores.bind(id)
      var rewards: [JSONValue] = []
      while try scores.step() { rewards.append(Self.score(scores)) }
      object["scores"] = .array(rewards)
      if place < tokenLimit { object["tokens"] = .array(try tokens(of: id)) }
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
      "reason": row.value(5).json,
    ]
  }

  /// The best, worst and latest, and a spread of the others; those whose tokens are shown first.
  private func chosenCompletions() throws(StoreError) -> [Int64] {
    let each = tokenLimit / 4
    let range = try session.select(
      """
      SELECT min(completions.id), max(completions.id) FROM completions
      JOIN steps ON steps.id = step_id
      WHERE steps.id IN ((SELECT min(id) FROM steps WHERE run_id = :run),
        (SELECT max(id) FROM steps WHERE run_id = :run))
      """, runParameter)
    guard let low = range.first?[0].integer, let high = range.first?[1].integer else { return [] }
    let spread = max(1, (high -| low) / trajectoryLimit)
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
      WHERE run_id = :run LIMIT \(trajectoryLimit)
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
    return Array(chosen.prefix(trajectoryLimit))
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
