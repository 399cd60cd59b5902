import Rollouts

extension TrajectoryReader {
  /// The evaluations of a run in the order of their steps, with or without their trajectories.
  public func evaluations(
    run: Int? = nil, withCompletions: Bool = false
  ) throws(StoreError) -> [EvaluationRecord] {
    let statement = try connection.prepared(
      """
      SELECT id, step, name, dataset, metrics, seconds FROM evaluations
      WHERE run_id = ? ORDER BY step, id
      """)
    try statement.bind(try self.run(run))
    var evaluations: [EvaluationRecord] = []
    while try statement.step() {
      var metrics: [String: Double] = [:]
      for (name, value) in try object(statement, 4) { metrics[name] = value.double ?? .nan }
      evaluations.append(
        EvaluationRecord(
          step: statement.integer(1), name: statement.text(2), dataset: statement.text(3),
          metrics: metrics, seconds: statement.optionalReal(5),
          completions: withCompletions
            ? try completions(ofEvaluation: statement.integer(0)) : []))
    }
    return evaluations
  }

  private func completions(
    ofEvaluation evaluation: Int
  ) throws(StoreError) -> [EvaluationCompletionRecord] {
    let statement = try connection.prepared(
      """
      SELECT problem_index, sample, form, prompt, text, finish, token_ids, reward, scores,
        \(try connection.column("columns", since: 2))
      FROM evaluation_completions WHERE evaluation_id = ? ORDER BY rowid
      """)
    try statement.bind(evaluation)
    var completions: [EvaluationCompletionRecord] = []
    while try statement.step() {
      guard let prompt = PromptText.prompt(form: statement.text(2), text: statement.text(3)),
        let finish = FinishReason(rawValue: statement.text(5))
      else { throw damaged("an evaluation that can't be read") }
      var scores: [String: Double?] = [:]
      for (name, value) in try object(statement, 8) { scores[name] = .some(value.double) }
      completions.append(
        EvaluationCompletionRecord(
          problemIndex: statement.integer(0), sample: statement.integer(1), prompt: prompt,
          completion: Completion(
            text: statement.text(4), tokens: statement.array(6, of: TokenID.self), finish: finish),
          reward: statement.optionalReal(7), scores: scores,
          columns: statement.isNull(9) ? [:] : try object(statement, 9)))
    }
    return completions
  }

  /// The checkpoints that a run committed, in the order of their steps.
  public func checkpoints(run: Int? = nil) throws(StoreError) -> [CheckpointRecord] {
    let statement = try connection.prepared(
      """
      SELECT step, policy_step, path, content_hash FROM checkpoints
      WHERE run_id = ? ORDER BY step, id
      """)
    try statement.bind(try self.run(run))
    var checkpoints: [CheckpointRecord] = []
    while try statement.step() {
      checkpoints.append(
        CheckpointRecord(
          step: statement.integer(0), policyStep: statement.integer(1), path: statement.text(2),
          contentHash: statement.text(3)))
    }
    return checkpoints
  }

  /// What befell a run, in order.
  public func events(run: Int? = nil) throws(StoreError) -> [EventRecord] {
    let statement = try connection.prepared(
      "SELECT step, kind, message, detail FROM events WHERE run_id = ? ORDER BY id")
    try statement.bind(try self.run(run))
    var events: [EventRecord] = []
    while try statement.step() {
      events.append(
        EventRecord(
          step: statement.optionalInteger(0), kind: statement.text(1), message: statement.text(2),
          detail: try object(statement, 3)))
    }
    return events
  }
}
