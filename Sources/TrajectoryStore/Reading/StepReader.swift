import Rollouts

extension TrajectoryReader {
  /// A step's rollout exactly as it was written; nil where the step isn't committed.
  ///
  /// Scores come in the order of the run's rewards; metrics are those of the step as a whole.
  public func step(_ step: Int, run: Int? = nil) throws(StoreError) -> StepRecord? {
    guard let row = try row(of: step, run: run) else { return nil }
    var record = StepRecord(
      step: step, policyStep: row.policyStep, groups: [],
      metrics: try metrics(step: row.id, update: -1))
    var completions = try completions(ofStep: row.id)
    let statement = try connection.prepared(
      """
      SELECT groups.id, draw, dropped, dataset, problem_index, form, prompt, prompt_token_ids,
        columns
      FROM groups JOIN problems ON problems.id = groups.problem_id
      WHERE groups.step_id = ? ORDER BY groups.id
      """)
    try statement.bind(row.id)
    while try statement.step() {
      guard let prompt = PromptText.prompt(form: statement.text(5), text: statement.text(6))
      else { throw damaged("a prompt that can't be read") }
      let problem = Problem(
        index: statement.integer(4), prompt: prompt, columns: try object(statement, 8))
      record.groups.append(
        GroupRecord(
          dataset: statement.text(3), problem: problem,
          promptTokens: statement.array(7, of: TokenID.self), draw: statement.integer(1),
          isDropped: statement.integer(2) != 0,
          completions: completions.removeValue(forKey: statement.integer(0)) ?? []))
    }
    try checkWholeness(of: record, row: row.id)
    return record
  }

  /// Refuses a step that `grpo log forget` took groups from, or `grpo log redact` a prompt's tokens: what is left of
  /// it is not what the update learned from.
  private func checkWholeness(of record: StepRecord, row: Int) throws(StoreError) {
    let statement = try connection.prepared(
      """
      SELECT steps.groups + dropped_groups, provenance FROM steps JOIN runs ON runs.id = run_id
      WHERE steps.id = ?
      """)
    try statement.bind(row)
    defer { statement.reset() }
    guard try statement.step() else { return }
    if record.groups.count < statement.integer(0) {
      throw StoreError(
        .refused,
        "Step \(record.step) of the log \(connection.path) lost "
          + "\(statement.integer(0) - record.groups.count) groups to 'grpo log forget'.",
        remedy: "It can't be redone, replayed or trained from any more.")
    }
    let hasGap = record.groups.contains { group in
      group.promptTokens.isEmpty && group.completions.contains { !$0.completion.tokens.isEmpty }
    }
    if hasGap, try json(statement, 1)["redacted"] != nil { throw redacted() }
  }

  private func redacted() -> StoreError {
    StoreError(
      .refused, "The log \(connection.path) was redacted: tokens of a step are gone.",
      remedy: "Such a step can't be redone, replayed or trained from.")
  }

  func row(of step: Int, run: Int?) throws(StoreError) -> (id: Int, policyStep: Int)? {
    let statement = try connection.prepared(
      "SELECT id, policy_step FROM steps WHERE run_id = ? AND step = ?")
    try statement.bind(try self.run(run), step)
    defer { statement.reset() }
    return try statement.step() ? (statement.integer(0), statement.integer(1)) : nil
  }

  func metrics(step: Int, update: Int) throws(StoreError) -> [String: Double] {
    let statement = try connection.prepared(
      "SELECT name, value FROM metrics WHERE step_id = ? AND update_index = ?")
    try statement.bind(step, update)
    var metrics: [String: Double] = [:]
    while try statement.step() { metrics[statement.text(0)] = statement.realOrNaN(1) }
    return metrics
  }

  /// The completions of a step by their group's row.
  private func completions(ofStep step: Int) throws(StoreError) -> [Int: [CompletionRecord]] {
    var scores = try scores(ofStep: step)
    let turns = try turns(ofStep: step)
    let statement = try connection.prepared(
      """
      SELECT completions.id, group_id, sample, text, finish, reward, advantage, token_ids,
        sampler_logprobs, reference_logprobs, entropies, advantages, kept_sets, length
      FROM completions JOIN completion_tokens ON completion_id = completions.id
      WHERE step_id = ? ORDER BY completions.id
      """)
    try statement.bind(step)
    var completions: [Int: [CompletionRecord]] = [:]
    while try statement.step() {
      let tokens = statement.array(7, of: TokenID.self)
      guard let finish = FinishReason(rawValue: statement.text(4)) else {
        throw damaged("an unknown finish")
      }
      if tokens.isEmpty, statement.integer(13) > 0 { throw redacted() }
      var record = CompletionRecord(
        sample: statement.integer(2),
        completion: Completion(
          text: statement.text(3), tokens: tokens, finish: finish,
          segments: turns.segments[statement.integer(0)] ?? [],
          episode: turns.episodes[statement.integer(0)]))
      let segments = record.completion.segments
      guard segments.isEmpty || segments.reduce(0, { $0 +| $1.count }) == tokens.count else {
        throw damaged("segments that do not fit their tokens")
      }
      record.samplerLogProbabilities = statement.optionalArray(8, of: Float.self)
      record.referenceLogProbabilities = statement.optionalArray(9, of: Float.self)
      record.entropies = statement.optionalArray(10, of: Float.self)
      if let bytes = statement.optionalArray(12, of: UInt8.self) {
        guard let sets = KeptSets.decoded(bytes, count: record.completion.sampledCount) else {
          throw damaged("kept sets that can't be read")
        }
        record.keptSets = sets
      }
      record.reward = statement.optionalReal(5)
      if let advantages = statement.optionalArray(11, of: Double.self) {
        record.advantage = .tokens(advantages)
        // The column is what people and reports see: it must be what the array says.
        let (mean, said) = (record.advantage?.mean, statement.optionalReal(6))
        guard mean == said || (said == nil && mean?.isNaN == true) else {
          throw damaged("an advantage that is not the mean of its tokens'")
        }
      } else if let advantage = statement.optionalReal(6) {
        record.advantage = .completion(advantage)
      }
      record.scores = scores.removeValue(forKey: statement.integer(0)) ?? []
      completions[statement.integer(1), default: []].append(record)
    }
    return completions
  }

  /// The scores of a step by their completion's row, in the order of the rewards.
  private func scores(ofStep step: Int) throws(StoreError) -> [Int: [ScoreRecord]] {
    let statement = try connection.prepared(
      """
      SELECT completion_id, rewards.name, status, value, parts, steps, log, error, seconds, stderr,
        from_cache, \(try connection.column("reason", since: 2))
      FROM completions
      CROSS JOIN scores ON scores.completion_id = completions.id
      CROSS JOIN rewards ON rewards.id = scores.reward_id
      WHERE completions.step_id = ? ORDER BY completion_id, reward_id
      """)
    try statement.bind(step)
    var scores: [Int: [ScoreRecord]] = [:]
    while try statement.step() {
      let scoring: Scoring
      switch statement.text(2) {
      case "scored": scoring = .scored(try score(statement))
      case "unscorable": scoring = .unscorable(reason: statement.text(7))
      default: scoring = .failed(error: statement.text(7))
      }
      scores[statement.integer(0), default: []].append(
        ScoreRecord(
          reward: statement.text(1), scoring: scoring, seconds: statement.optionalReal(8),
          standardError: statement.optionalText(9), isFromCache: statement.integer(10) != 0,
          reason: statement.optionalText(11)))
    }
    return scores
  }

  private func score(_ statement: Statement) throws(StoreError) -> Score {
    var score = Score(statement.realOrNaN(3))
    if !statement.isNull(4) {
      for (name, value) in try object(statement, 4) { score.parts[name] = value.double ?? .nan }
    }
    if !statement.isNull(5) {
      score.steps = try (json(statement, 5).array ?? []).map { (step) throws(StoreError) in
        guard let end = step["end"]?.integer, let value = step["score"] else {
          throw damaged("step scores that can't be read")
        }
        return StepScore(end: end, score: value.double ?? .nan)
      }
    }
    if !statement.isNull(6) { score.log = try object(statement, 6) }
    return score
  }
}
