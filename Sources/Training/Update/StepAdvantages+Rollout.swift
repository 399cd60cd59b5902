import PolicyOptimization
import Rollouts
import Tokenizers
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

extension StepRecord {
  /// Takes in advantages and totals, completion by completion; dropped groups have none.
  mutating func take(_ advantages: StepAdvantages) {
    var next = 0
    for group in groups.indices where !groups[group].isDropped {
      for completion in groups[group].completions.indices {
        groups[group].completions[completion].advantage = advantages.advantages[next].record
        groups[group].completions[completion].reward = advantages.rewards[next]
        next += 1
      }
    }
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

extension CompletionRecord {
  /// How many of the tokens reach a position in the text, for rewards of steps; all, without a tokenizer.
  func tokenCount(reaching scalars: Int, tokenizer: Tokenizer?) -> Int {
    let tokens = completion.tokens
    guard let tokenizer else { return tokens.count }
    var decoder = tokenizer.makeIncrementalDecoder(skipSpecialTokens: true)
    var length = 0
    for (index, token) in tokens.enumerated() {
      length += decoder.append(token).unicodeScalars.count
      if length >= scalars { return index + 1 }
    }
    return max(1, tokens.count)
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
