import Foundation
import PolicyOptimization
import Rollouts
import TrajectoryStore

/// What a run has done after a step.
struct RunTotals {
  var step = 0
  var problemsDrawn = 0
  /// Tokens of all prompts and completions, `num_tokens` in the metrics.
  var tokensSeen = 0
}

/// Where a run records its steps: in its log, its metrics, and on the screen.
///
/// A step's trajectories are committed while its update computes; what the updates add is written while the next step
/// samples. A step that is redone is in the log already.
final class RunJournal: StepJournal {
  /// What a journal is told once.
  struct Settings {
    /// Steps of the run.
    var steps: Int
    /// Problems of one epoch.
    var epoch: Int
    /// The last step whose rollout is in the log: up to it nothing is sampled again.
    var lastCommitted: Int
    /// Whether the run computes as it did when it began, so that what is redone must come out the same.
    var repeatsExactly: Bool
  }

  private(set) var totals: RunTotals
  private let settings: Settings
  private let log: TrajectoryLog
  private let location: URL
  private let metrics: MetricsLog
  private let observer: TrainingObserver
  /// What came up in the step, a sentence each.
  private let warnings: () -> [String]
  private var trajectories: BackgroundCommit?
  /// What the last step's updates add to the log, on its way to the disk.
  private var updates: BackgroundCommit?
  private let start = ContinuousClock.now
  private let firstStep: Int

  init(
    _ settings: Settings, after totals: RunTotals, log: TrajectoryLog, at location: URL,
    metrics: MetricsLog, observer: TrainingObserver, warnings: @escaping () -> [String]
  ) {
    self.settings = settings
    self.totals = totals
    self.log = log
    self.location = location
    self.metrics = metrics
    self.observer = observer
    self.warnings = warnings
    firstStep = totals.step
  }

  func commit(_ rollout: StepRollout) throws {
    try settle()
    if rollout.record.step > settings.lastCommitted {
      trajectories = BackgroundCommit(rollout.record, to: log)
    }
  }

  func awaitCommit() throws {
    try trajectories?.wait()
    CrashPoint.updating.reach()
  }

  /// Waits until all that was recorded so far is in the log.
  func settle() throws {
    try trajectories?.wait()
    trajectories = nil
    try updates?.wait()
    updates = nil
  }

  func record(_ trained: TrainedStep) throws {
    let rollout = trained.rollout.record
    let isRedone = rollout.step <= settings.lastCommitted
    try settle()
    if trained.rollout.isFromOwnLog { try checkRedone(trained) }
    for fault in trained.skipped where !isRedone { try noteSkipped(fault, step: rollout.step) }
    totals.step = rollout.step
    totals.problemsDrawn += rollout.groups.count
    totals.tokensSeen +|= Int(clamping: trained.metrics["num_tokens"] ?? 0)
    let values = values(of: trained, isRedone: isRedone)
    var records = trained.updates
    if let last = records.indices.last { records[last].stepMetrics = values }
    updates = BackgroundCommit(records, to: log)
    try metrics.append(step: rollout.step, values)
    report(rollout, values, isRedone: isRedone)
  }

  /// The step's metrics with what the run has come to, and what the step took.
  private func values(of trained: TrainedStep, isRedone: Bool) -> [String: Double] {
    var metrics = trained.metrics
    metrics["num_tokens"] = Double(totals.tokensSeen)
    metrics["epoch"] = Double(totals.problemsDrawn) / Double(max(1, settings.epoch))
    var values = metrics.values
    var clock = trained.clock
    clock.lap("log")
    for (name, seconds) in clock.metrics { values[name] = seconds }
    let sampled = trained.rollout.record.groups.reduce(0) { sum, group in
      sum + group.completions.reduce(0) { $0 + $1.completion.tokens.count }
    }
    if !isRedone { values["time/sampling_tokens_per_second"] = clock.rate(sampled, "rollout") }
    values["time/update_tokens_per_second"] = clock.rate(trained.updateTokens, "update")
    return values
  }

  /// A step that is redone from this run's own log has the log-probabilities that it was drawn with: the policy
  /// is the one that drew it.
  private func checkRedone(_ trained: TrainedStep) throws {
    guard settings.repeatsExactly,
      let difference = trained.metrics["sampler/logp_difference_max"], difference > 0
    else { return }
    throw AlteredLog(log: location, step: trained.rollout.record.step, difference: difference)
  }

  /// Says which trajectory made an update be left out, on the screen and in the log.
  private func noteSkipped(_ fault: NonfiniteError, step: Int) throws {
    observer.observe(.warning("\(fault.finding): the update is left out"))
    try log.append(
      event: EventRecord(step: step, kind: "skipped update", message: fault.finding))
  }

  private func report(_ rollout: StepRecord, _ values: [String: Double], isRedone: Bool) {
    for warning in warnings() { observer.observe(.warning(warning)) }
    let seconds = (ContinuousClock.now - start).seconds
    let pace = seconds / Double(max(1, rollout.step - firstStep))
    observer.observe(
      .step(
        StepReport(
          step: rollout.step, total: settings.steps, metrics: values, seconds: seconds,
          secondsLeft: pace * Double(settings.steps - rollout.step), isReplayed: isRedone,
          rollout: rollout)))
  }
}

/// A log that doesn't say what its run's policy drew.
struct AlteredLog: Error, CustomStringConvertible {
  var log: URL
  var step: Int
  var difference: Double

  var description: String {
    "\(log.path), step \(step): the log-probabilities in the log are not those of the policy that drew the step "
      + "(they differ by \(difference)); the log or the checkpoint before the step was changed since it was "
      + "written: put it back from a copy, or see 'grpo replay' for where they part"
  }
}
