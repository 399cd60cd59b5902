import Rollouts
import Tensors

/// A prompt, and how many completions to draw for it.
public struct GenerationRequest: Sendable {
  /// The prompt's tokens.
  public var prompt: [TokenID]
  /// How many completions.
  public var samples: Int
  /// The group's ordinal in its step, which with the sample's index keys its random numbers.
  public var draw: Int
  /// The index of the first sample, where completions are drawn again one by one.
  public var firstSample: Int

  /// Makes a request.
  public init(prompt: [TokenID], samples: Int, draw: Int, firstSample: Int = 0) {
    self.prompt = prompt
    self.samples = samples
    self.draw = draw
    self.firstSample = firstSample
  }
}

/// What keys the random numbers of a generation, besides draw, sample and position.
public struct GenerationKey: Sendable {
  /// The run's seed.
  public var seed: UInt64
  /// Sampling for training, evaluation and so on: a different stream each.
  public var purpose: RandomPurpose
  /// The step.
  public var step: Int

  /// Makes a key.
  public init(seed: UInt64, purpose: RandomPurpose, step: Int) {
    self.seed = seed
    self.purpose = purpose
    self.step = step
  }
}

/// A completion with what the policy said of each token when it drew it.
public struct GeneratedCompletion: Sendable {
  /// The tokens, end tokens and what was observed between turns included.
  public var tokens: [TokenID] = []
  /// Who wrote which of them; empty where the policy wrote all.
  public var segments: [Segment] = []
  /// Each sampled token's log-probability and the entropy before it.
  public var statistics = TokenStatistics()
  /// Each sampled token's kept set; empty where every token had the whole vocabulary.
  public var keptSets: [KeptSet?] = []
  /// Why it ended.
  public var finish: FinishReason = .length
}

/// What a completion that waits goes on with.
public struct TurnAnswer: Sendable {
  /// How it goes on.
  public enum Continuation: Sendable {
    /// With another turn, after these tokens, which are run and not sampled.
    case observed([TokenID])
    /// Not at all: it ended, or what came would not fit.
    case ended(FinishReason)
  }

  /// Which request.
  public var request: Int
  /// Which of its completions.
  public var sample: Int
  /// How it goes on.
  public var continuation: Continuation

  /// An answer.
  public init(request: Int, sample: Int, _ continuation: Continuation) {
    self.request = request
    self.sample = sample
    self.continuation = continuation
  }
}

/// What a caller may do while completions are generated.
public struct GenerationObserver {
  /// Whether the text of a completion so far ends it (stop strings); called after each token.
  public var endsCompletion: ((_ request: Int, _ sample: Int, _ tokens: [TokenID]) -> Bool)?
  /// Whether a turn that ended by itself has an answer to come: the completion then waits, and holds up no other.
  public var awaitsAnswer:
    ((_ request: Int, _ sample: Int, _ completion: GeneratedCompletion) -> Bool)?
  /// What has come for completions that wait; where `isIdle`, nothing else is left to do, and it may take its time.
  public var answers: ((_ isIdle: Bool) -> [TurnAnswer])?
  /// Called when a completion is done, in order of finishing.
  public var completed:
    ((_ request: Int, _ sample: Int, _ completion: GeneratedCompletion) -> Void)?
  /// Called before each decoding step; true gives up and returns nil.
  public var isCancelled: (() -> Bool)?

  /// Makes an observer.
  public init() {}
}
