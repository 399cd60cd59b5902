import Rollouts

extension LogWriter {
  /// Writes the segments of a trajectory, and its turns where it met an environment.
  func insertTurns(of completion: Completion, completionID: Int64) throws(StoreError) {
    var start = 0
    for (index, segment) in completion.segments.enumerated() {
      try connection.prepared(
        "INSERT INTO segments (completion_id, segment, origin, start, length) VALUES (?, ?, ?, ?, ?)"
      ).run(completionID, index, segment.origin.rawValue, start, segment.count)
      start += segment.count
    }
    guard let episode = completion.episode else { return }
    for (index, turn) in episode.turns.enumerated() {
      try connection.prepared(
        """
        INSERT INTO turns (completion_id, turn, message, answers, calls, failures, reward, seconds)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        """
      ).run(
        completionID, index, turn.message.json.jsonText,
        JSONValue.array(turn.answers.map(\.json)).jsonText, turn.calls, turn.failures, turn.reward,
        turn.seconds)
    }
    try connection.prepared(
      "INSERT INTO episodes (completion_id, reward, failure) VALUES (?, ?, ?)"
    ).run(completionID, episode.reward, episode.failure)
  }
}
