import Rollouts

extension Connection {
  /// Whether the log has the tables of turns.
  var hasTurns: Bool {
    get throws(StoreError) { try (integer("PRAGMA user_version") ?? 0) >= 3 }
  }

  /// SQL that counts the sampled tokens of a row of `completion_tokens`, whatever the numbers in the log are.
  func sampledCount() throws(StoreError) -> String {
    let count = "length(token_ids) / 4"
    guard try hasTurns else { return count }
    return """
      max(0, min(\(count), \(count) - (SELECT CAST(total(segments.length) AS INTEGER) FROM segments
        WHERE segments.completion_id = completion_tokens.completion_id AND origin = 'observed')))
      """
  }
}

extension TrajectoryReader {
  /// What a step's completions have of several turns, by their row.
  struct Turns {
    var segments: [Int: [Segment]] = [:]
    var episodes: [Int: Episode] = [:]
  }

  func turns(ofStep step: Int) throws(StoreError) -> Turns {
    var turns = Turns()
    guard try connection.hasTurns else { return turns }
    let segments = try connection.prepared(
      """
      SELECT completion_id, origin, segments.length FROM completions
      CROSS JOIN segments ON segments.completion_id = completions.id
      WHERE completions.step_id = ? ORDER BY completion_id, segment
      """)
    try segments.bind(step)
    while try segments.step() {
      guard let origin = Segment.Origin(rawValue: segments.text(1)), segments.integer(2) > 0 else {
        throw damaged("segments that can't be read")
      }
      turns.segments[segments.integer(0), default: []].append(
        Segment(origin, count: segments.integer(2)))
    }
    let episodes = try connection.prepared(
      """
      SELECT completion_id, episodes.reward, failure FROM completions
      CROSS JOIN episodes ON episodes.completion_id = completions.id
      WHERE completions.step_id = ?
      """)
    try episodes.bind(step)
    while try episodes.step() {
      var episode = Episode()
      episode.reward = episodes.optionalReal(1)
      episode.failure = episodes.optionalText(2)
      turns.episodes[episodes.integer(0)] = episode
    }
    guard !turns.episodes.isEmpty else { return turns }
    let statement = try connection.prepared(
      """
      SELECT completion_id, message, answers, calls, failures, turns.reward, seconds FROM completions
      CROSS JOIN turns ON turns.completion_id = completions.id
      WHERE completions.step_id = ? ORDER BY completion_id, turn
      """)
    try statement.bind(step)
    while try statement.step() {
      turns.episodes[statement.integer(0)]?.turns.append(try turn(statement))
    }
    return turns
  }

  private func turn(_ statement: Statement) throws(StoreError) -> Episode.Turn {
    func message(_ value: JSONValue) throws(StoreError) -> ChatMessage {
      do { return try ChatMessage(json: value) } catch {
        throw damaged("a message that \(error.reason)")
      }
    }
    var turn = Episode.Turn(
      message: try message(json(statement, 1)), calls: statement.integer(3))
    for answer in try json(statement, 2).array ?? [] { turn.answers.append(try message(answer)) }
    turn.failures = statement.integer(4)
    turn.reward = statement.optionalReal(5)
    turn.seconds = statement.optionalReal(6)
    return turn
  }
}
