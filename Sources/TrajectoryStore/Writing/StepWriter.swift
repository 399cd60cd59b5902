import Rollouts

extension LogWriter {
  func text(_ object: JSONObject) -> String { JSONValue.object(object).jsonText }

  func append(_ record: StepRecord) throws(StoreError) {
    let run = try currentRun()
    try check(record, run: run)
    try transaction { () throws(StoreError) in
      let stepID = try insert(step: record, run: run)
      let lastProblem = try lastProblemRow()
      for group in record.groups { try insert(group: group, stepID: stepID, run: run) }
      try indexTexts(ofStep: stepID, problemsAfter: lastProblem)
      try insertRewardSummaries(of: record, stepID: stepID, run: run)
      try insert(metrics: record.metrics, stepID: stepID, update: -1)
    }
  }

  private func lastProblemRow() throws(StoreError) -> Int {
    let statement = try connection.prepared("SELECT coalesce(max(id), 0) FROM problems")
    defer { statement.reset() }
    return try statement.step() ? statement.integer(0) : 0
  }

  /// Adds the texts of a step, and of the problems that are new with it, to the full-text indexes.
  private func indexTexts(ofStep step: Int64, problemsAfter problem: Int) throws(StoreError) {
    try connection.prepared(
      """
      INSERT INTO completion_search (rowid, text)
      SELECT id, text FROM completions WHERE step_id = ? ORDER BY id
      """
    ).run(step)
    try connection.prepared(
      """
      INSERT INTO problem_search (rowid, prompt) SELECT id, prompt FROM problems WHERE id > ?
      """
    ).run(problem)
  }

  /// Refuses what could not be read back: arrays that don't fit their tokens, unknown rewards.
  private func check(_ record: StepRecord, run: CurrentRun) throws(StoreError) {
    for group in record.groups {
      for completion in group.completions {
        let count = completion.completion.sampledCount
        let place = "step \(record.step), draw \(group.draw), sample \(completion.sample)"
        var lengths = [
          ("sampler log-probabilities", completion.samplerLogProbabilities?.count),
          ("reference log-probabilities", completion.referenceLogProbabilities?.count),
          ("entropies", completion.entropies?.count), ("kept sets", completion.keptSets?.count),
        ]
        if case .tokens(let advantages) = completion.advantage {
          lengths.append(("advantages", advantages.count))
        }
        for (name, length) in lengths {
          if let length, length != count {
            throw StoreError(.refused, "\(place) has \(count) tokens but \(length) \(name).")
          }
        }
        for score in completion.scores where run.rewards[score.reward] == nil {
          throw StoreError(
            .refused, "\(place) has a score of '\(score.reward)', which is not a reward of the run."
          )
        }
      }
    }
  }

  private func insert(step record: StepRecord, run: CurrentRun) throws(StoreError) -> Int64 {
    let summary = StepSummary(record)
    do throws(StoreError) {
      try connection.prepared(
        """
        INSERT INTO steps (run_id, step, policy_step, groups, dropped_groups, tied_groups,
          completions, tokens, truncated, unscored, reward_mean, reward_std, reward_min, reward_max,
          length_mean, length_min, length_max, logprob_mean, entropy_mean, committed_at)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, \(Self.now))
        """
      ).run(
        run.id, record.step, record.policyStep, summary.groups, summary.droppedGroups,
        summary.tiedGroups, summary.completions, summary.tokens, summary.truncated,
        summary.unscored, summary.reward.mean, summary.reward.standardDeviation,
        summary.reward.minimum, summary.reward.maximum, summary.length.mean,
        summary.length.minimum.map { Int($0) }, summary.length.maximum.map { Int($0) },
        summary.logProbabilityMean, summary.entropyMean)
    } catch  where error.isDuplicate {
      throw StoreError(
        .refused, "Step \(record.step) is already in the log \(connection.path).",
        code: error.code)
    }
    return connection.lastInsertedRow
  }

  private func insert(group: GroupRecord, stepID: Int64, run: CurrentRun) throws(StoreError) {
    let problemID = try problemRow(of: group, run: run)
    let spread = Spread(group.completions.compactMap(\.reward))
    try connection.prepared(
      """
      INSERT INTO groups (step_id, problem_id, draw, dropped, size, tied, reward_mean, reward_std,
        reward_min, reward_max)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """
    ).run(
      stepID, problemID, group.draw, group.isDropped, group.completions.count, spread.isTied,
      spread.mean, spread.standardDeviation, spread.minimum, spread.maximum)
    let groupID = connection.lastInsertedRow
    for completion in group.completions {
      try insert(completion: completion, groupID: groupID, stepID: stepID, run: run)
    }
  }

  /// The row of a group's problem: made where this rendering of it is new.
  private func problemRow(of group: GroupRecord, run: CurrentRun) throws(StoreError) -> Int64 {
    let problem = group.problem
    let form = PromptText.form(of: problem.prompt)
    let prompt = PromptText.text(of: problem.prompt)
    let columns = text(problem.columns)
    let known = try connection.prepared(
      """
      SELECT id, form, prompt, prompt_token_ids, columns FROM problems
      WHERE run_id = ? AND dataset = ? AND problem_index = ? ORDER BY variant
      """)
    try known.bind(run.id, group.dataset, problem.index)
    defer { known.reset() }
    var variants = 0
    while try known.step() {
      if known.text(1) == form, known.text(2) == prompt, known.text(4) == columns,
        known.array(3, of: TokenID.self) == group.promptTokens
      {
        return Int64(known.integer(0))
      }
      variants += 1
    }
    try connection.prepared(
      """
      INSERT INTO problems (run_id, dataset, problem_index, variant, form, prompt,
        prompt_token_ids, columns)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?)
      """
    ).run(
      run.id, group.dataset, problem.index, variants, form, prompt, Blob(group.promptTokens),
      columns)
    return connection.lastInsertedRow
  }

  private func insert(
    completion record: CompletionRecord, groupID: Int64, stepID: Int64, run: CurrentRun
  ) throws(StoreError) {
    let summary = TokenSummary(record)
    var advantages: [Double]?
    if case .tokens(let values) = record.advantage { advantages = values }
    try connection.prepared(
      """
      INSERT INTO completions (group_id, step_id, sample, finish, length, reward, advantage,
        logprob_mean, logprob_min, entropy_mean, text)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """
    ).run(
      groupID, stepID, record.sample, record.completion.finish.rawValue,
      record.completion.sampledCount, record.reward, record.advantage?.mean,
      summary.logProbabilityMean,
      summary.logProbabilityMinimum, summary.entropyMean, record.completion.text)
    let id = connection.lastInsertedRow
    try connection.prepared(
      """
      INSERT INTO completion_tokens (completion_id, token_ids, sampler_logprobs,
        reference_logprobs, entropies, advantages, kept_sets)
      VALUES (?, ?, ?, ?, ?, ?, ?)
      """
    ).run(
      id, Blob(record.completion.tokens), Blob(record.samplerLogProbabilities),
      Blob(record.referenceLogProbabilities), Blob(record.entropies), Blob(advantages),
      Blob(record.keptSets.map(KeptSets.encoded)))
    try insertTurns(of: record.completion, completionID: id)
    for score in record.scores {
      guard let reward = run.rewards[score.reward] else { continue }
      try insert(score: score, completionID: id, rewardID: reward.id)
    }
  }

  private func insert(
    score record: ScoreRecord, completionID: Int64, rewardID: Int64
  ) throws(StoreError) {
    var status = "scored"
    var score: Score?
    var error: String?
    switch record.scoring {
    case .scored(let value): score = value
    case .unscorable(let reason): (status, error) = ("unscorable", reason)
    case .failed(let reason): (status, error) = ("failed", reason)
    }
    let parts = score.flatMap { score in
      score.parts.isEmpty
        ? nil : text(JSONObject(sorting: score.parts.mapValues { .number($0) }))
    }
    let steps = score.flatMap { score in
      score.steps.isEmpty
        ? nil
        : JSONValue.array(
          score.steps.map { ["end": .integer(Int64($0.end)), "score": .number($0.score)] }
        ).jsonText
    }
    let log = score.flatMap { $0.log.isEmpty ? nil : text($0.log) }
    try connection.prepared(
      """
      INSERT INTO scores (completion_id, reward_id, status, value, parts, steps, log, error,
        seconds, stderr, from_cache, reason)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """
    ).run(
      completionID, rewardID, status, score?.value, parts, steps, log, error, record.seconds,
      record.standardError, record.isFromCache, record.reason)
  }

  private func insertRewardSummaries(
    of record: StepRecord, stepID: Int64, run: CurrentRun
  ) throws(StoreError) {
    var summaries = RewardSummaries()
    for group in record.groups where !group.isDropped {
      summaries.add(group, rewardsByName: run.rewards)
    }
    for (id, sums) in summaries.rewards {
      try connection.prepared(
        """
        INSERT INTO reward_summaries (step_id, reward_id, scored, unscorable, failed, sum,
          sum_squares, minimum, maximum, advantage_share, advantage_total)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """
      ).run(
        stepID, id, sums.scored, sums.unscorable, sums.failed, sums.sum, sums.sumOfSquares,
        sums.minimum, sums.maximum, sums.advantageShare, sums.advantageTotal)
    }
    for (pair, sums) in summaries.pairs {
      try connection.prepared(
        """
        INSERT INTO reward_pairs (step_id, first_reward_id, second_reward_id, count, first_sum,
          second_sum, first_sum_squares, second_sum_squares, sum_products)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        """
      ).run(
        stepID, pair.first, pair.second, sums.count, sums.firstSum, sums.secondSum,
        sums.firstSumOfSquares, sums.secondSumOfSquares, sums.sumOfProducts)
    }
  }

  /// Writes numbers by name; `update` −1 for those of the step as a whole.
  func insert(
    metrics: [String: Double], stepID: Int64, update: Int
  ) throws(StoreError) {
    let statement = try connection.prepared(
      "INSERT OR REPLACE INTO metrics (step_id, update_index, name, value) VALUES (?, ?, ?, ?)")
    for name in metrics.keys.sorted() {
      try statement.run(stepID, update, name, metrics[name])
    }
  }
}
