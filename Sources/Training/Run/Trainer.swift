import Foundation
import PolicyOptimization
import Rollouts
import Tensors
import Tokenizers
import TrajectoryStore
import Transformer

/// Trains a policy step by step.
///
/// A step: take problems → sample groups → score → advantages → log → forward → objective → backward →
/// clip → update → log metrics. Its trajectories are committed before its update takes effect, so that
/// whatever stops the run, `resume` redoes the updates after the last checkpoint from the log.
final class Trainer {
  /// The parts of a run, made by `TrainingRun`.
  struct Parts {
    var folder: RunFolder
    var log: TrajectoryLog
    var policy: Policy
    var optimizer: ParameterOptimizer
    var updater: PolicyUpdater
    var source: any RolloutSource
    var estimator: AdvantageEstimator
    var rewardNames: [String]
    var reference: ReferenceModel?
    var evaluator: Evaluator?
    /// Judges a sample of the training problems, for the cold start.
    var probe: Evaluator?
    var checkpoints: CheckpointFiles
    var schedule: Schedule
    /// Whether TensorBoard's files are written.
    var writesTensorBoard: Bool
    var provenance: JSONObject
    var configurationHash: String
    var warnings: () -> [String]
    /// The learning-rate schedule of a run of so many steps.
    var learningRate: (_ steps: Int) -> LearningRatePlan
    /// Whether the run computes as it did when it began, so that what is redone must come out the same.
    var repeatsExactly: Bool
    /// What is run between two iterations.
    var iterationHook: IterationHook?
  }

  /// When a run does what, counted in steps.
  struct Schedule {
    var steps: Int
    /// How many steps there were to be, step by step: the learning rate follows it.
    var planned: PlannedSteps
    var evaluationSteps: Int?
    var evaluatesFirst: Bool
    var checkpointSteps: Int
    var checkpointLimit: Int?
    var problemCount: Int
    var bestMetric: (name: String, greaterIsBetter: Bool)?
    var cut: UpdateCut
    /// What rewards are told of how long the run is.
    var calendar: TrainerCalendar
  }

  /// Where a run stands between two steps.
  struct Position {
    var step = 0
    var problemsDrawn = 0
    /// Tokens of all prompts and completions, `num_tokens` in the metrics.
    var tokensSeen = 0
    /// The last step whose rollout is in the log: up to it nothing is sampled again.
    var lastCommitted = 0
    /// Evaluations in the log, by step.
    var evaluations: [Int: EvaluationRecord] = [:]
  }

  private let parts: Parts
  private let observer: TrainingObserver
  private let metricsLog: MetricsLog
  private let reader: TrajectoryReader?
  private var position: Position
  private var best: (step: Int, value: Double)?
  /// What the last step's updates add to the log, on its way to the disk.
  private var updatesCommit: BackgroundCommit?
  private var start = ContinuousClock.now
  private var firstStep = 0

  init(_ parts: Parts, from position: Position, observer: TrainingObserver) throws {
    self.parts = parts
    self.position = position
    self.observer = observer
    metricsLog = try MetricsLog(
      parts.folder.metrics,
      tensorBoard: parts.writesTensorBoard ? parts.folder.tensorboard : nil,
      keepingStepsThrough: position.step == 0 ? -1 : position.step,
      restored: { [observer] in observer.observe(.warning($0)) })
    if !metricsLog.isWhole {
      observer.observe(
        .warning(
          "metrics.jsonl lacks lines before step \(position.step + 1); the log has their numbers: "
            + "grpo query \(parts.folder.displayPath) steps"))
    }
    reader =
      position.lastCommitted > position.step
      ? try TrajectoryReader(readOnly: parts.folder.log) : nil
  }

  /// Does the steps that are left.
  func run() throws -> TrainingOutcome {
    start = .now
    firstStep = position.step
    if position.step == 0 {
      if parts.schedule.evaluatesFirst, try !evaluate(step: 0) { return try interrupted() }
      // Step 0 is kept: a reference made by a cold start is read from it.
      try checkpoint()
    }
    if position.step > 0 {
      guard try resumeEvaluation() else { return try interrupted() }
      try completeCheckpoint()
    }
    while position.step < parts.schedule.steps {
      if observer.isCancelled() { return try interrupted() }
      guard try trainStep(position.step + 1) else { return try interrupted() }
      let step = position.step
      if isEvaluated(after: step), try !evaluate(step: step) { return try interrupted() }
      if isSaved(after: step) { try checkpoint() }
    }
    CrashPoint.finishing.reach()
    try parts.checkpoints.writeFinal(
      parts.policy.model.parameters, provenance: finalProvenance, to: parts.folder.final)
    try metricsLog.synchronize()
    try finishLogging()
    CrashPoint.finished.reach()
    try parts.log.finish(outcome: "done")
    return .done
  }

  private func isDue(_ step: Int, every period: Int?) -> Bool {
    guard let period, period > 0 else { return false }
    return step % period == 0
  }

  /// Whether a step has a checkpoint: by the schedule, or since it is the best so far.
  private func isSaved(after step: Int) -> Bool {
    isDue(step, every: parts.schedule.checkpointSteps) || step == parts.schedule.steps
      || step == best?.step
  }

  private func isEvaluated(after step: Int) -> Bool {
    isDue(step, every: parts.schedule.evaluationSteps) || step == parts.schedule.steps
  }

  /// Remembers the best evaluation before the step that the run is resumed at, and makes good the one
  /// after it, which an interruption may have left out; false where the user gave up.
  private func resumeEvaluation() throws -> Bool {
    for (step, logged) in position.evaluations.sorted(by: { $0.key < $1.key })
    where step < position.step {
      noteBest(step: step, EvaluationReport.prefixed(logged.metrics))
    }
    return try !isEvaluated(after: position.step) || evaluate(step: position.step)
  }

  // MARK: A step

  /// Whether the step was done; false where the user gave up before it was committed.
  private func trainStep(_ step: Int) throws -> Bool {
    var clock = PhaseClock()
    let isReplayed = step <= position.lastCommitted
    guard var sourced = try rollout(of: step, isReplayed: isReplayed) else { return false }
    clock.lap("rollout")
    if !isReplayed, let reference = parts.reference {
      reference.score(&sourced.record, rowLimit: parts.schedule.cut.rows)
      clock.lap("reference")
    }
    let advantages = try estimateAdvantages(of: sourced)
    sourced.record.take(advantages)
    let rollout = sourced.record
    try finishLogging()
    clock.lap("log")
    let commit = isReplayed ? nil : BackgroundCommit(rollout, to: parts.log)

    var metrics = StepMetrics(
      rollout: rollout, rewards: advantages.metrics, rewardNames: parts.rewardNames)
    var updates: [UpdateRecord] = []
    var updateTokens = 0
    parts.updater.learningRate = parts.learningRate(parts.schedule.planned[step])
    try parts.updater.update(
      sourced, advantages: advantages,
      beforeMove: {
        clock.lap("update")
        try commit?.wait()
        clock.lap("log")
        CrashPoint.updating.reach()
      },
      updated: { outcome in
        metrics.add(outcome.metrics)
        updates.append(outcome.record)
        updateTokens += outcome.tokens
        if let skipped = outcome.skipped, !isReplayed { try noteSkipped(skipped, step: step) }
        refreshReference(after: outcome.record.policyStep)
      })
    clock.lap("update")
    try commit?.wait()
    if isReplayed, !parts.source.isRecorded { try checkRedone(step, metrics) }
    position.step = step
    position.problemsDrawn += rollout.groups.count
    position.tokensSeen +|= Int(clamping: metrics["num_tokens"] ?? 0)
    metrics["num_tokens"] = Double(position.tokensSeen)
    metrics["epoch"] = Double(position.problemsDrawn) / Double(max(1, parts.schedule.problemCount))
    clock.lap("log")
    var values = metrics.values
    values.merge(
      times(clock, of: rollout, updateTokens: updateTokens, isReplayed: isReplayed)
    ) { $1 }
    if let last = updates.indices.last { updates[last].stepMetrics = values }
    updatesCommit = BackgroundCommit(updates, to: parts.log)
    try report(rollout, values, isReplayed: isReplayed)
    return true
  }

  /// Says which trajectory made an update be left out, on the screen and in the log.
  private func noteSkipped(_ fault: NonfiniteError, step: Int) throws {
    observer.observe(.warning("\(fault.finding): the update is left out"))
    try parts.log.append(
      event: EventRecord(step: step, kind: "skipped update", message: fault.finding))
  }

  /// A step that is redone from this run's own log has the log-probabilities that it was drawn with: the policy
  /// is the one that drew it.
  private func checkRedone(_ step: Int, _ metrics: StepMetrics) throws {
    guard parts.repeatsExactly, let difference = metrics["sampler/logp_difference_max"],
      difference > 0
    else { return }
    throw AlteredLog(log: parts.folder.log, step: step, difference: difference)
  }

  private func estimateAdvantages(of sourced: SourcedRollout) throws -> StepAdvantages {
    var estimated = try parts.estimator.advantages(
      of: sourced.record, rewardNames: parts.rewardNames,
      stepEnd: { [tokenizer = parts.policy.tokenizer] in
        $0.tokenCount(reaching: $1, tokenizer: tokenizer)
      })
    for (index, given) in (sourced.advantages ?? []).enumerated() {
      if let given { estimated.advantages[index] = given }
    }
    return estimated
  }

  private func rollout(of step: Int, isReplayed: Bool) throws -> SourcedRollout? {
    if isReplayed, !parts.source.isRecorded, let reader {
      return try reader.step(
        step, vocabularySize: parts.policy.model.configuration.vocabularySize
      ).map { SourcedRollout($0) }
    }
    let updates = parts.optimizer.updates
    if let hook = parts.iterationHook, !isReplayed,
      try !hook.prepare(step: step, updates: updates, isCancelled: observer.isCancelled)
    {
      return nil
    }
    return try parts.source.rollout(
      step: step, policyStep: updates, drawn: position.problemsDrawn,
      isCancelled: observer.isCancelled,
      progress: { [observer] done, total in
        observer.observe(.sampling(step: step, done: done, of: total))
      })
  }

  private func refreshReference(after update: Int) {
    let objective = parts.estimator.settings
    guard objective.refreshesReference, let reference = parts.reference,
      update % objective.referenceSyncSteps == 0
    else { return }
    reference.move(
      towards: parts.policy.model.parameters, share: objective.referenceMixupAlpha)
  }

  /// Waits until all that was done so far is in the log.
  private func finishLogging() throws {
    try updatesCommit?.wait()
    updatesCommit = nil
  }

  /// What the step took, under `time/…`.
  private func times(
    _ clock: PhaseClock, of rollout: StepRecord, updateTokens: Int, isReplayed: Bool
  ) -> [String: Double] {
    var values = Dictionary(uniqueKeysWithValues: clock.metrics.map { ($0.name, $0.value) })
    let sampled = rollout.groups.reduce(0) { sum, group in
      sum + group.completions.reduce(0) { $0 + $1.completion.tokens.count }
    }
    if !isReplayed { values["time/sampling_tokens_per_second"] = clock.rate(sampled, "rollout") }
    values["time/update_tokens_per_second"] = clock.rate(updateTokens, "update")
    return values
  }

  private func report(
    _ rollout: StepRecord, _ values: [String: Double], isReplayed: Bool
  ) throws {
    try metricsLog.append(step: position.step, values)
    for warning in parts.warnings() { observer.observe(.warning(warning)) }
    let seconds = (ContinuousClock.now - start).seconds
    let pace = seconds / Double(max(1, position.step - firstStep))
    observer.observe(
      .step(
        StepReport(
          step: position.step, total: parts.schedule.steps, metrics: values, seconds: seconds,
          secondsLeft: pace * Double(parts.schedule.steps - position.step),
          isReplayed: isReplayed, rollout: rollout)))
  }

  // MARK: Between steps

  /// Evaluates, unless the log has the evaluation already; false where the user gave up.
  private func evaluate(step: Int) throws -> Bool {
    guard let evaluator = parts.evaluator else { return true }
    if let logged = position.evaluations[step] {
      let metrics = EvaluationReport.prefixed(logged.metrics)
      try metricsLog.append(step: step, metrics)
      noteBest(step: step, metrics)
      return true
    }
    let state = parts.schedule.calendar.state(finished: step, drawn: position.problemsDrawn)
    guard
      let report = try evaluator.evaluate(
        step: step, state: state, isCancelled: observer.isCancelled)
    else { return false }
    try finishLogging()
    try parts.log.append(
      evaluation: EvaluationRecord(
        step: step, dataset: "eval", metrics: report.metrics, seconds: report.seconds,
        completions: report.completions))
    CrashPoint.evaluated.reach()
    let metrics = EvaluationReport.prefixed(report.metrics)
    try metricsLog.append(step: step, metrics)
    noteBest(step: step, metrics)
    observer.observe(.evaluation(report))
    return true
  }

  private func noteBest(step: Int, _ metrics: [String: Double]) {
    guard let wanted = parts.schedule.bestMetric, let value = metrics[wanted.name] else { return }
    if let best, wanted.greaterIsBetter ? best.value >= value : best.value <= value { return }
    best = (step, value)
  }

  /// Saves the policy as it stands, and removes what `save_total_limit` doesn't keep.
  ///
  /// A checkpoint that an interruption asks for is not in the log: whether a run was stopped on its way leaves
  /// no trace in what "the same log" means.
  private func checkpoint(isScheduled: Bool = true) throws {
    let step = position.step
    let folder = parts.folder.checkpoint(step: step)
    try FileManager.default.createDirectory(
      at: parts.folder.checkpoints, withIntermediateDirectories: true)
    try metricsLog.synchronize()
    // A resumed run goes on after this step: what its updates add must be in the log.
    try finishLogging()
    let movedReference = parts.estimator.settings.refreshesReference ? parts.reference : nil
    try parts.checkpoints.write(
      parts.policy.model, optimizer: parts.optimizer, reference: movedReference?.parameters,
      manifest: { files in
        CheckpointManifest(
          step: step, updates: parts.optimizer.updates, problemsDrawn: position.problemsDrawn,
          tokensSeen: position.tokensSeen, entropy: parts.updater.entropy,
          lossScale: parts.optimizer.lossScale,
          configurationHash: parts.configurationHash,
          programVersion: ProgramVersion.current, files: files)
      }, to: folder)
    CrashPoint.placed.reach()
    if isScheduled { try parts.log.append(checkpoint: checkpointRecord()) }
    CrashPoint.pruning.reach()
    removeOldCheckpoints()
    observer.observe(.checkpoint(step: step, url: folder))
  }

  /// What the log says of the checkpoint of the step that the run stands after.
  private func checkpointRecord() throws -> CheckpointRecord {
    let folder = parts.folder.checkpoint(step: position.step)
    return CheckpointRecord(
      step: position.step, policyStep: parts.optimizer.updates,
      path: "checkpoints/\(folder.lastPathComponent)",
      contentHash: try SHA256.digest(
        ofFile: folder.appendingPathComponent(CheckpointManifest.name).path
      ).hexadecimal)
  }

  /// Does what a stop may have left out between the checkpoint that the run is resumed from and the step
  /// after it: the checkpoint's row in the log, and the removal of those that are no longer kept.
  private func completeCheckpoint() throws {
    if isSaved(after: position.step) {
      let record = try checkpointRecord()
      let logged = try TrajectoryReader(readOnly: parts.folder.log).checkpoints()
      if !logged.contains(record) { try parts.log.append(checkpoint: record) }
    }
    removeOldCheckpoints()
  }

  private func removeOldCheckpoints() {
    guard let limit = parts.schedule.checkpointLimit else { return }
    // The first, the best and the newest stay.
    let steps = parts.folder.checkpointSteps.filter { $0 != 0 && $0 != best?.step }
    for step in steps.dropLast(max(1, limit)) {
      parts.folder.removeCheckpoint(step: step)
    }
  }

  private func interrupted() throws -> TrainingOutcome {
    try finishLogging()
    if !parts.folder.checkpointSteps.contains(position.step) {
      let step = position.step
      try checkpoint(
        isScheduled: step == 0 || isSaved(after: step))
    }
    try metricsLog.synchronize()
    try parts.log.append(
      event: EventRecord(
        step: position.step, kind: "interrupted",
        message: "stopped by the user after step \(position.step)"))
    return .interrupted(step: position.step)
  }

  private var finalProvenance: JSONObject {
    var record = parts.provenance
    record["steps"] = .integer(Int64(position.step))
    record["optimizer_updates"] = .integer(Int64(parts.optimizer.updates))
    return record
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
