import Rollouts

extension RewardSuite {
  /// Ends the run where a reward fails more often than it may.
  /// - Throws: `.stopped`, naming the first completion that could not be scored.
  func stopWhereFailuresAreTooMany(_ scored: [ScoredCompletion]) throws(RewardError) {
    for (index, reward) in rewards.enumerated() {
      var failures = 0
      var example = ""
      for completion in scored {
        guard case .failed(let error) = completion.outcomes[index].scoring else { continue }
        if failures == 0 {
          example = error
          let tail = completion.outcomes[index].standardError
          if !tail.isEmpty { example += "\n" + tail }
        }
        failures += 1
      }
      let specification = reward.specification
      let share = Double(failures) / Double(max(1, scored.count))
      if failures > 0, specification.onError == .stop {
        throw RewardError(
          .stopped,
          "reward \"\(reward.name)\" could not score \(failures) of \(scored.count) completions, and "
            + "its on_error is \"stop\". The first: \(example)")
      }
      if failures > 0, share > specification.failureLimit {
        throw RewardError(
          .stopped,
          "reward \"\(reward.name)\" could not score \(failures) of \(scored.count) completions, more "
            + "than its failure_limit of \(specification.failureLimit). Mend the reward (try it with "
            + "`grpo reward test`), give it more time (time_limit), or raise failure_limit. The "
            + "first: \(example)")
      }
    }
  }
}
