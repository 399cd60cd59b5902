import Foundation
import Rollouts
import TrajectoryStore

/// What a run tells whoever watches it.
public enum TrainingEvent: Sendable {
  /// A sentence about what is done next.
  case note(String)
  /// Something legal that deserves a look.
  case warning(String)
  /// An update of the supervised stage, from 1.
  case supervised(SupervisedProgress)
  /// How many completions of the step are sampled.
  case sampling(step: Int, done: Int, of: Int)
  /// A step is done and committed.
  case step(StepReport)
  /// An evaluation is done.
  case evaluation(EvaluationReport)
  /// A checkpoint is written.
  case checkpoint(step: Int, url: URL)
}

/// How far the supervised stage is.
public struct SupervisedProgress: Sendable {
  /// The update just done, from 1.
  public var update: Int
  /// Updates of the stage.
  public var total: Int
  /// Mean loss in nats per token.
  public var loss: Double
  /// Seconds since the stage began.
  public var seconds: Double
}

/// What a step came to.
public struct StepReport: Sendable {
  /// The step, from 1.
  public var step: Int
  /// Steps of the run.
  public var total: Int
  /// Every metric by name.
  public var metrics: [String: Double]
  /// Seconds since the run, or its resumption, began.
  public var seconds: Double
  /// Seconds until the last step, at the pace so far.
  public var secondsLeft: Double
  /// Whether the rollout was read from a log instead of sampled.
  public var isReplayed: Bool
  /// The rollout.
  public var rollout: StepRecord
}

/// How a run ended.
public enum TrainingOutcome: Sendable, Equatable {
  /// All steps are done.
  case done
  /// The user stopped it; what was committed is kept.
  case interrupted(step: Int)
}

/// Whoever watches a run, and may stop it.
public struct TrainingObserver: Sendable {
  /// Told everything, on the run's own thread.
  public var observe: @Sendable (TrainingEvent) -> Void
  /// Whether the run should stop at the next safe point.
  public var isCancelled: @Sendable () -> Bool

  /// Makes an observer.
  public init(
    observe: @escaping @Sendable (TrainingEvent) -> Void = { _ in },
    isCancelled: @escaping @Sendable () -> Bool = { false }
  ) {
    self.observe = observe
    self.isCancelled = isCancelled
  }
}
