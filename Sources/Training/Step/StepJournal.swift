import PolicyOptimization
import TrajectoryStore

/// Where a step is recorded: a run's log and metrics, or what holds a replay against them.
protocol StepJournal: AnyObject {
  /// Starts to commit the trajectories of a step, with their rewards and advantages.
  func commit(_ rollout: StepRollout) throws
  /// Returns when the trajectories are durable; called before the weights move.
  func awaitCommit() throws
  /// Records a step whose updates are done.
  func record(_ step: TrainedStep) throws
}

/// A step whose updates are done, or are being done.
struct TrainedStep {
  let rollout: StepRollout
  private(set) var metrics: StepMetrics
  /// What each update saw and did.
  private(set) var updates: [UpdateRecord] = []
  /// The tokens that the updates learned from.
  private(set) var updateTokens = 0
  /// Why updates were left out.
  private(set) var skipped: [NonfiniteError] = []
  var clock: PhaseClock

  init(_ rollout: StepRollout, rewards: RewardMetrics, rewardNames: [String], clock: PhaseClock) {
    self.rollout = rollout
    metrics = StepMetrics(rollout: rollout.record, rewards: rewards, rewardNames: rewardNames)
    self.clock = clock
  }

  /// Takes in what an update did.
  mutating func add(_ update: PolicyUpdate.Outcome) {
    metrics.add(update.metrics)
    updates.append(update.record)
    updateTokens += update.tokens
    if let fault = update.skipped { skipped.append(fault) }
  }
}
