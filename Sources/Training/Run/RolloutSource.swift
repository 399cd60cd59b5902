import TrajectoryStore

/// Where the rollouts of a run come from: the policy itself, a file, or another run's log.
protocol RolloutSource: AnyObject {
  /// The rollout of a step, nil where the caller gave up or nothing is left.
  /// - Parameters:
  ///   - policyStep: Optimiser updates done so far.
  ///   - drawn: Problems that the steps before drew.
  func rollout(
    step: Int, policyStep: Int, drawn: Int, isCancelled: @escaping () -> Bool,
    progress: @escaping (Int, Int) -> Void
  ) throws -> StepRecord?
}

extension RolloutSampler: RolloutSource {}
