// Process supervision (DeepSeekMath §4.1.3). R holds the rewards of all steps of all completions of
// a group:
//
//   r̃_i^(j) = (r_i^(j) − mean(R)) / std(R)          A_it = Σ_(j: end_i(j) ≥ t) r̃_i^(j)
//
// each token's advantage is the sum over the steps that end at or after it; tokens after the last
// step have 0. Baseline, deviation and epsilon are those of outcome supervision, with steps in
// place of completions. The paper doesn't say how several rewards meet: with `sum_then_normalize`
// their weighted steps share one R, with `normalize_then_sum` each has its own and the weighted r̃
// are summed (there is no second normalisation over the step). A function without steps counts as
// one step at the end.

/// Whether a completion has one reward or one for each of its steps.
public enum Supervision: String, SettingChoice {
  case outcome
  case process

  /// The supervision as an equation.
  public var meaning: String {
    switch self {
    case .outcome: "A_it = A_i, one number for the completion"
    case .process: "A_it = Σ of normalised rewards of the steps that end at or after t"
    }
  }
}

extension AdvantageEstimator {
  private struct Step {
    var completion: Int
    var function: Int
    var end: Int
    var sample: RewardStatistics.Sample
  }

  /// The advantages of process supervision, one per token.
  func processAdvantages(of completions: [RewardedCompletion], table: RewardTable)
    -> [TokenAdvantages]
  {
    var advantages = completions.map { Array(repeating: 0.0, count: $0.length) }
    let pools = table.groups.flatMap { stepPools(ofGroup: $0, completions: completions) }
    let batch = RewardStatistics(pools.joined().map(\.sample))
    for pool in pools {
      let normalized = normalized(pool.map(\.sample), batch: batch)
      for case (let step, let value?) in zip(pool, normalized) {
        let weight = settings.aggregation == .normalizeThenSum ? rewardWeights[step.function] : 1
        // Placed at the step's last token; the suffix sum below spreads it over the tokens before.
        advantages[step.completion][step.end - 1] += weight * value
      }
    }
    for index in advantages.indices {
      var sum = 0.0
      for token in advantages[index].indices.reversed() {
        sum += advantages[index][token]
        advantages[index][token] = sum
      }
    }
    return advantages.map(TokenAdvantages.perToken)
  }

  /// The steps of a group that are normalised together.
  private func stepPools(ofGroup members: [Int], completions: [RewardedCompletion]) -> [[Step]] {
    var byFunction: [[Step]] = Array(repeating: [], count: rewardWeights.count)
    for index in members where completions[index].length > 0 {
      let completion = completions[index]
      for (function, reward) in completion.rewards.enumerated() {
        guard let reward else { continue }
        let given = completion.steps.indices.contains(function) ? completion.steps[function] : []
        let steps = given.isEmpty ? [StepReward(end: completion.length, reward: reward)] : given
        let weight = settings.aggregation == .sumThenNormalize ? rewardWeights[function] : 1
        byFunction[function] += steps.map {
          Step(
            completion: index, function: function, end: $0.end, sample: .init(weight * $0.reward))
        }
      }
    }
    return settings.aggregation == .sumThenNormalize ? [Array(byFunction.joined())] : byFunction
  }
}
