/// The advantage of a completion's tokens.
public enum TokenAdvantages: Sendable, Hashable {
  /// The same for every token.
  case uniform(Double)
  /// One for each token.
  case perToken([Double])

  /// The advantage of a token.
  public subscript(token: Int) -> Double {
    switch self {
    case .uniform(let advantage): advantage
    case .perToken(let advantages): advantages[token]
    }
  }

  /// One advantage for each of `length` tokens.
  public func expanded(to length: Int) -> [Double] {
    switch self {
    case .uniform(let advantage): Array(repeating: advantage, count: length)
    case .perToken(let advantages): advantages
    }
  }
}

/// What is known of a completion before its update; all arrays have one element per token.
public struct CompletionInput: Sendable {
  /// The completion's group, an arbitrary number shared by the completions of one prompt.
  public var group: Int
  /// How many tokens it has.
  public var length: Int
  /// The advantages of its tokens.
  public var advantages: TokenAdvantages
  /// log π_old in nats; nil means the policy of this very update, so that every ratio is 1.
  public var oldLogProbabilities: [Double]?
  /// log π_sampler in nats, where another engine sampled or where the mismatch is to be measured.
  public var samplerLogProbabilities: [Double]?
  /// log π_ref in nats; needed where the loss has a KL term.
  public var referenceLogProbabilities: [Double]?
  /// Entropies in nats for the top-entropy mask, best those logged at sampling.
  public var entropies: [Double]?
  /// Whether it ran into the limit on its length.
  public var isTruncated: Bool
  /// Which tokens count, before truncated completions are masked; nil for all.
  public var mask: [Bool]?

  /// Makes the input of a completion of `length` tokens.
  public init(
    group: Int, length: Int, advantages: TokenAdvantages, oldLogProbabilities: [Double]? = nil,
    samplerLogProbabilities: [Double]? = nil, referenceLogProbabilities: [Double]? = nil,
    entropies: [Double]? = nil, isTruncated: Bool = false, mask: [Bool]? = nil
  ) {
    self.group = group
    self.length = length
    self.advantages = advantages
    self.oldLogProbabilities = oldLogProbabilities
    self.samplerLogProbabilities = samplerLogProbabilities
    self.referenceLogProbabilities = referenceLogProbabilities
    self.entropies = entropies
    self.isTruncated = isTruncated
    self.mask = mask
  }
}

/// Where an update stands in its rollout.
public struct UpdateContext: Sendable, Hashable {
  /// The limit on a completion's length in tokens: the divisor of the constant normaliser.
  public var maxCompletionLength: Int
  /// The unmasked tokens of the whole rollout; nil where the update is the whole rollout.
  public var rolloutTokens: Int?
  /// Into how many updates the rollout is cut.
  public var updatesPerRollout: Int
  /// Of how many micro-batches, each a `PreparedUpdate` of its own, the loss is summed (TRL's
  /// gradient accumulation).
  ///
  /// Leave it at 1: our own micro-batches share one `PreparedUpdate`, whose denominators don't
  /// change.
  public var accumulationSteps: Int
  /// The entropy coefficient in use (see ``EntropyController``); nil for that of the settings.
  public var entropyCoefficient: Double?
  /// Whether no optimiser update lies between sampling and this update, so that the policy must
  /// equal the sampler's.
  public var policyIsSampler: Bool

  /// Describes an update that is its whole rollout, unless told otherwise.
  public init(
    maxCompletionLength: Int, rolloutTokens: Int? = nil, updatesPerRollout: Int = 1,
    accumulationSteps: Int = 1, entropyCoefficient: Double? = nil, policyIsSampler: Bool = false
  ) {
    self.maxCompletionLength = maxCompletionLength
    self.rolloutTokens = rolloutTokens
    self.updatesPerRollout = updatesPerRollout
    self.accumulationSteps = accumulationSteps
    self.entropyCoefficient = entropyCoefficient
    self.policyIsSampler = policyIsSampler
  }
}
