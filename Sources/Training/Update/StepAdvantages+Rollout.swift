import PolicyOptimization
import Rollouts
import TrajectoryStore

extension AdvantageEstimator {
  /// The advantages of a rollout's groups that were not dropped, completion by completion.
  ///
  /// - Parameter stepEnds: turns a step's end in Unicode scalars of the text into a count of tokens.
  func advantages(
    of rollout: StepRecord, rewardNames: [String],
    stepEnd: (CompletionRecord, _ scalars: Int) -> Int
  ) throws(ObjectiveError) -> StepAdvantages {
    var completions: [RewardedCompletion] = []
    for group in rollout.groups where !group.isDropped {
      for completion in group.completions {
        completions.append(
          RewardedCompletion(
            group: group.draw,
            rewards: rewardNames.map { completion.score(of: $0)?.value },
            length: completion.completion.tokens.count,
            steps: rewardNames.map { name in
              (completion.score(of: name)?.steps ?? []).map {
                StepReward(end: stepEnd(completion, $0.end), reward: $0.score)
              }
            },
            oldLogProbabilities: completion.samplerLogProbabilities?.map(Double.init),
            referenceLogProbabilities: completion.referenceLogProbabilities?.map(Double.init)))
      }
    }
    return try advantages(of: completions)
  }
}

extension CompletionRecord {
  /// What a reward gave, nil where it could not score.
  func score(of reward: String) -> Score? {
    guard case .scored(let score)? = scores.first(where: { $0.reward == reward })?.scoring else {
      return nil
    }
    return score
  }
}

extension TokenAdvantages {
  /// As the log keeps it.
  var record: AdvantageRecord {
    switch self {
    case .uniform(let advantage): return .completion(advantage)
    case .perToken(let advantages): return .tokens(advantages)
    }
  }
}
