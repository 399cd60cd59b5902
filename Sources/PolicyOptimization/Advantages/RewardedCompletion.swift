/// A reward for the part of a completion that ends at a token (process supervision).
public struct StepReward: Sendable, Hashable {
  /// Where the step ends: a count of tokens, exclusive, at least 1.
  public var end: Int
  /// The step's reward.
  public var reward: Double

  /// Makes a step's reward.
  public init(end: Int, reward: Double) {
    self.end = end
    self.reward = reward
  }
}

/// What the advantages of a step are made of, for one completion.
public struct RewardedCompletion: Sendable {
  /// The completion's group, an arbitrary number shared by the completions of one prompt.
  public var group: Int
  /// One reward for each reward function; nil where the function could not score it.
  public var rewards: [Double?]
  /// How many tokens it has.
  public var length: Int
  /// For process supervision: the steps for each reward function, in order of their ends.
  ///
  /// A function without steps counts as one step that ends with the completion.
  public var steps: [[StepReward]]
  /// log π_old in nats; needed for the KL in the reward.
  public var oldLogProbabilities: [Double]?
  /// log π_ref in nats; needed for the KL in the reward.
  public var referenceLogProbabilities: [Double]?

  /// Makes a completion with its rewards.
  public init(
    group: Int, rewards: [Double?], length: Int, steps: [[StepReward]] = [],
    oldLogProbabilities: [Double]? = nil, referenceLogProbabilities: [Double]? = nil
  ) {
    self.group = group
    self.rewards = rewards
    self.length = length
    self.steps = steps
    self.oldLogProbabilities = oldLogProbabilities
    self.referenceLogProbabilities = referenceLogProbabilities
  }

  /// Whether no reward function could score it.
  public var isUnscorable: Bool { rewards.allSatisfy { $0 == nil } }
}
