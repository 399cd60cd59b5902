import PolicyOptimization
import TrajectoryStore

/// A rollout and what its source knows beyond the record.
struct SourcedRollout {
  /// The groups with their completions and scores.
  var record: StepRecord
  /// The policy's log-probabilities at the start of the step, completion by completion, where another
  /// engine's stand in the record; nil where those of the record are the policy's own.
  var policyLogProbabilities: [[Float]]?
  /// Advantages that are given instead of estimated, completion by completion; nil where none are.
  var advantages: [TokenAdvantages?]?

  init(
    _ record: StepRecord, policyLogProbabilities: [[Float]]? = nil,
    advantages: [TokenAdvantages?]? = nil
  ) {
    self.record = record
    self.policyLogProbabilities = policyLogProbabilities
    self.advantages = advantages
  }
}

/// Where the rollouts of a run come from: the policy itself, a file, or another run's log.
protocol RolloutSource: AnyObject {
  /// Whether the source gives the same rollouts whenever it is asked; otherwise a run's own log is what
  /// its committed steps are redone from.
  var isRecorded: Bool { get }

  /// The rollout of a step, nil where the caller gave up or nothing is left.
  /// - Parameters:
  ///   - policyStep: Optimiser updates done so far.
  ///   - drawn: Problems that the steps before drew.
  func rollout(
    step: Int, policyStep: Int, drawn: Int, isCancelled: @escaping () -> Bool,
    progress: @escaping (Int, Int) -> Void
  ) throws -> SourcedRollout?
}

extension RolloutSampler: RolloutSource {
  var isRecorded: Bool { false }
}
