import Rollouts

extension TrajectoryReader {
  /// The updates of a step that are committed, in order; `stepMetrics` are on the step's record.
  public func updates(ofStep step: Int, run: Int? = nil) throws(StoreError) -> [UpdateRecord] {
    guard let row = try row(of: step, run: run) else { return [] }
    let statement = try connection.prepared(
      "SELECT id, update_index, policy_step FROM updates WHERE step_id = ? ORDER BY update_index")
    try statement.bind(row.id)
    var updates: [UpdateRecord] = []
    while try statement.step() {
      let index = statement.integer(1)
      updates.append(
        UpdateRecord(
          step: step, update: index, policyStep: statement.integer(2),
          completions: try completions(ofUpdate: statement.integer(0)),
          metrics: try metrics(step: row.id, update: index)))
    }
    return updates
  }

  private func completions(ofUpdate update: Int) throws(StoreError) -> [CompletionUpdateRecord] {
    let statement = try connection.prepared(
      """
      SELECT draw, sample, kl_mean, arrays, trainer_logprobs, ratios, clips, sampler_logprobs,
        \(try connection.sampledCount())
      FROM completion_updates AS updated
      JOIN completions ON completions.id = updated.completion_id
      JOIN completion_tokens ON completion_tokens.completion_id = completions.id
      JOIN groups ON groups.id = completions.group_id
      WHERE updated.update_id = ? ORDER BY completions.id
      """)
    try statement.bind(update)
    var completions: [CompletionUpdateRecord] = []
    while try statement.step() {
      var record = CompletionUpdateRecord(
        draw: statement.integer(0), sample: statement.integer(1))
      let arrays = statement.integer(3)
      let length = statement.integer(8)
      record.klMean = statement.optionalReal(2)
      if arrays & 1 != 0 {
        record.trainerLogProbabilities =
          statement.optionalArray(4, of: Float.self) ?? statement.array(7, of: Float.self)
      }
      if arrays & 2 != 0 {
        record.ratios =
          statement.optionalArray(5, of: Float.self) ?? [Float](repeating: 1, count: length)
      }
      if arrays & 4 != 0 {
        record.clips =
          statement.optionalArray(6, of: Int8.self) ?? [Int8](repeating: 0, count: length)
      }
      completions.append(record)
    }
    return completions
  }
}
