// From rewards to advantages, over a whole step, in this order:
//
//   1  KL in the reward      r_i −= β Σ_t k_it                      RewardKL.swift
//   2  aggregation           several rewards → one number           OutcomeAdvantages.swift,
//                                                                   DecoupledNormalization.swift
//      or the steps' rewards → one number per token                   ProcessSupervision.swift
//   3  clip                  A to ±advantage_clip
//   4  KL in the return      A_it −= β Σ_(s≥t) k_is, or β k_it      RewardKL.swift
//   5  whitening             over the step's tokens                 AdvantageWhitening.swift
//
// A completion that no reward function could score has advantage 0 and enters no mean and no
// deviation.

/// Turns the rewards of a step into advantages.
public struct AdvantageEstimator: Sendable {
  /// The conventions in use.
  public let settings: ObjectiveSettings
  /// The weight of each reward function; rounded to float32, as TRL keeps it, under `float32_constants`.
  public let rewardWeights: [Double]

  /// Makes an estimator for reward functions of these weights.
  public init(_ settings: ObjectiveSettings, rewardWeights: [Double]) {
    self.settings = settings
    self.rewardWeights =
      settings.float32Constants ? rewardWeights.map { Double(Float($0)) } : rewardWeights
  }

  /// The advantages of a step's completions, in their order.
  ///
  /// - Parameter completions: every completion of the step; those of one group need not be
  ///   adjacent.
  /// - Returns: the advantages with the weighted rewards they came from and the reward metrics.
  /// - Throws: `ObjectiveError` naming the completion whose numbers are missing, misshapen or not
  ///   finite.
  /// - Complexity: O(n log n) in completions, O(tokens) where advantages are per token.
  public func advantages(
    of completions: [RewardedCompletion]
  ) throws(ObjectiveError) -> StepAdvantages {
    for index in completions.indices { try check(completions[index], at: index) }
    let table = try RewardTable(completions, weights: rewardWeights, settings: settings)
    var advantages: [TokenAdvantages]
    switch (settings.supervision, settings.aggregation) {
    case (.process, _):
      advantages = processAdvantages(of: completions, table: table)
    case (.outcome, .sumThenNormalize):
      advantages = outcomeAdvantages(table).map(TokenAdvantages.uniform)
    case (.outcome, .normalizeThenSum):
      advantages = decoupledAdvantages(table).map(TokenAdvantages.uniform)
    }
    if let limit = settings.advantageClip {
      advantages = advantages.map { $0.mapped { min(max($0, -limit), limit) } }
    }
    if settings.hasKLInReward && settings.klPlacement != .reward {
      for index in completions.indices where !completions[index].isUnscorable {
        advantages[index] = try penalised(advantages[index], by: completions[index], at: index)
      }
    }
    if settings.whitening == .tokens {
      whiten(
        &advantages, lengths: completions.map(\.length), isScored: table.totals.map { $0 != nil })
    }
    return StepAdvantages(
      advantages: advantages, rewards: table.plainTotals,
      metrics: rewardMetrics(table))
  }

  private func check(_ completion: RewardedCompletion, at index: Int) throws(ObjectiveError) {
    guard completion.rewards.count == rewardWeights.count else {
      throw .malformed(
        "completion \(index) has \(completion.rewards.count) rewards, "
          + "but there are \(rewardWeights.count) reward weights")
    }
    for case let reward? in completion.rewards where !reward.isFinite {
      throw .notFinite(name: "the reward", completion: index, token: nil, value: reward)
    }
    for steps in completion.steps {
      for step in steps {
        guard step.reward.isFinite else {
          throw .notFinite(
            name: "a step's reward", completion: index, token: step.end - 1, value: step.reward)
        }
        guard (1...max(completion.length, 1)).contains(step.end) else {
          throw .malformed(
            "a step of completion \(index) ends at token \(step.end), outside 1…\(completion.length)"
          )
        }
      }
    }
  }
}

/// The advantages of a step.
public struct StepAdvantages: Sendable {
  /// The advantages, one entry per completion.
  public var advantages: [TokenAdvantages]
  /// The weighted sum of each completion's rewards, nil where it is unscorable.
  public var rewards: [Double?]
  /// What the metrics of the rewards are made of.
  public var metrics: RewardMetrics
}

extension TokenAdvantages {
  func mapped(_ transform: (Double) -> Double) -> TokenAdvantages {
    switch self {
    case .uniform(let advantage): .uniform(transform(advantage))
    case .perToken(let advantages): .perToken(advantages.map(transform))
    }
  }
}
