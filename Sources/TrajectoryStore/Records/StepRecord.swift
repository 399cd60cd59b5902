import Rollouts

/// One step's rollout, whole: what was asked, answered, scored and learned from.
public struct StepRecord: Sendable, Equatable {
  /// The step, counted within the run.
  public var step: Int
  /// The optimiser updates behind the policy that sampled.
  public var policyStep: Int
  /// The groups in the order of their draw, dropped ones included.
  public var groups: [GroupRecord]
  /// Numbers of the step, by name; those called `time/…` are nondeterministic.
  public var metrics: [String: Double]

  /// Makes a record.
  public init(
    step: Int, policyStep: Int, groups: [GroupRecord], metrics: [String: Double] = [:]
  ) {
    self.step = step
    self.policyStep = policyStep
    self.groups = groups
    self.metrics = metrics
  }
}

/// The completions of one prompt in one step.
public struct GroupRecord: Sendable, Equatable {
  /// Which dataset the problem is from; empty where there is one only.
  public var dataset: String
  /// What was asked, with its index in the dataset.
  public var problem: Problem
  /// The prompt as the policy read it.
  public var promptTokens: [TokenID]
  /// The group's ordinal in the step, dropped groups counted.
  public var draw: Int
  /// Whether the group was sampled but not learned from.
  public var isDropped: Bool
  /// The completions in the order of their sample index.
  public var completions: [CompletionRecord]

  /// Makes a record.
  public init(
    dataset: String = "", problem: Problem, promptTokens: [TokenID], draw: Int,
    isDropped: Bool = false, completions: [CompletionRecord]
  ) {
    self.dataset = dataset
    self.problem = problem
    self.promptTokens = promptTokens
    self.draw = draw
    self.isDropped = isDropped
    self.completions = completions
  }
}

/// How much better than its group a completion, or each of its tokens, was.
public enum AdvantageRecord: Sendable, Equatable {
  /// One advantage for all tokens.
  case completion(Double)
  /// An advantage per token, as process supervision gives.
  case tokens([Double])

  /// The advantage, or its mean over the tokens; nil where there are none.
  public var mean: Double? {
    switch self {
    case .completion(let value): return value
    case .tokens(let values):
      return values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }
  }
}

/// One trajectory.
///
/// Arrays have an element per token of `completion.tokens`. They come back from the log with the same
/// bits, NaN payloads included.
public struct CompletionRecord: Sendable, Equatable {
  /// The place in the group, from 0.
  public var sample: Int
  /// Text, tokens and why it ended.
  public var completion: Completion
  /// Log-probabilities under the distribution that was sampled from, in nats.
  public var samplerLogProbabilities: [Float]?
  /// Log-probabilities by the reference model over the same kept sets, in nats.
  public var referenceLogProbabilities: [Float]?
  /// Entropies of the distributions that were sampled from, in nats.
  public var entropies: [Float]?
  /// What truncated sampling left to choose from, ascending; nil within for the whole vocabulary.
  ///
  /// Where all but a few tokens were left, as by `min_new_tokens`, it is those few, each as the bitwise
  /// complement of its id, which is negative.
  public var keptSets: [KeptSet?]?
  /// What each reward said, in the order of the run's rewards.
  public var scores: [ScoreRecord]
  /// The weighted total; nil where the completion could not be scored.
  public var reward: Double?
  /// The advantage; nil where it has none.
  public var advantage: AdvantageRecord?

  /// Makes a record.
  public init(
    sample: Int, completion: Completion, samplerLogProbabilities: [Float]? = nil,
    referenceLogProbabilities: [Float]? = nil, entropies: [Float]? = nil,
    keptSets: [KeptSet?]? = nil, scores: [ScoreRecord] = [], reward: Double? = nil,
    advantage: AdvantageRecord? = nil
  ) {
    self.sample = sample
    self.completion = completion
    self.samplerLogProbabilities = samplerLogProbabilities
    self.referenceLogProbabilities = referenceLogProbabilities
    self.entropies = entropies
    self.keptSets = keptSets
    self.scores = scores
    self.reward = reward
    self.advantage = advantage
  }
}

/// What one reward said of one completion.
public struct ScoreRecord: Sendable, Equatable {
  /// The reward's name in the run.
  public var reward: String
  /// The score, or why there is none.
  public var scoring: Scoring
  /// The time that scoring took; nondeterministic.
  public var seconds: Double?
  /// What the plugin wrote to its stderr meanwhile; nondeterministic.
  public var standardError: String?
  /// Whether the score came from a cache; nondeterministic.
  public var isFromCache: Bool
  /// Why the score is what it is, where the reward says.
  public var reason: String?

  /// Makes a record.
  public init(
    reward: String, scoring: Scoring, seconds: Double? = nil, standardError: String? = nil,
    isFromCache: Bool = false, reason: String? = nil
  ) {
    self.reward = reward
    self.scoring = scoring
    self.seconds = seconds
    self.standardError = standardError
    self.isFromCache = isFromCache
    self.reason = reason
  }
}
