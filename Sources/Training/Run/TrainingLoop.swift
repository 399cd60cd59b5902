import Foundation
import TrajectoryStore

/// What a run does in its steps and between them: reinforcement, or supervised training.
protocol RunStage: AnyObject {
  /// Does a step, from 1, and records it.
  /// - Throws: `Interruption` where the user gave up before anything of the step is kept.
  func trainStep(_ step: Int) throws
  /// Evaluates the policy after a step.
  /// - Returns: What `metrics.jsonl` says of it; nil where there is nothing to evaluate on.
  /// - Throws: As `trainStep`.
  func evaluate(after step: Int) throws -> [String: Double]?
  /// The evaluations that are recorded already, by step.
  var recordedEvaluations: [Int: [String: Double]] { get }
  /// Waits until everything that was recorded so far is durable.
  func settle() throws
  /// Writes the policy with everything that the run is resumed from.
  func writeCheckpoint(after step: Int, to folder: URL) throws
  /// Records a checkpoint that the calendar asked for, or that it is recorded already.
  func recordCheckpoint(after step: Int) throws
  /// Records that the user stopped the run.
  func recordInterruption(after step: Int) throws
  /// Writes the trained model.
  func writeFinal(after step: Int) throws
  /// Records that the run is done.
  func finish() throws
}

/// The frame of a run: its steps by a calendar, with evaluations and checkpoints between them, and where it stops.
final class TrainingLoop {
  /// The steps that a run is to have, those done, and when it does what between them.
  struct Calendar {
    var steps: Int
    var evaluationSteps: Int?
    var evaluatesFirst: Bool
    var checkpointSteps: Int
    /// Whether the first weights and the last are checkpoints, whatever the period.
    var savesEnds: Bool
    /// How many checkpoints stay, but for the first and the best; nil for all.
    var checkpointLimit: Int?
    var bestMetric: (name: String, greaterIsBetter: Bool)?

    func isEvaluated(after step: Int) -> Bool {
      Self.isDue(step, every: evaluationSteps) || step == steps
    }

    func isSaved(after step: Int) -> Bool {
      let isEnd = step == 0 || step == steps
      return isEnd ? savesEnds : Self.isDue(step, every: checkpointSteps)
    }

    private static func isDue(_ step: Int, every period: Int?) -> Bool {
      guard let period, period > 0 else { return false }
      return step % period == 0
    }
  }

  private let stage: any RunStage
  private let calendar: Calendar
  private let folder: RunFolder
  private let metrics: MetricsLog
  private let observer: TrainingObserver
  /// The last step that is done.
  private var step: Int
  private var best: (step: Int, value: Double)?

  /// - Parameter step: The step after which the run goes on; 0 for one that begins.
  init(
    _ stage: any RunStage, by calendar: Calendar, in folder: RunFolder, metrics: MetricsLog,
    after step: Int, observer: TrainingObserver
  ) {
    self.stage = stage
    self.calendar = calendar
    self.folder = folder
    self.metrics = metrics
    self.step = step
    self.observer = observer
  }

  /// Does the steps that are left.
  /// - Returns: How it ended; a run that the user stopped has a checkpoint of where it stands.
  func run() throws -> TrainingOutcome {
    do {
      try step == 0 ? begin() : resume()
      while step < calendar.steps {
        if observer.isCancelled() { throw Interruption() }
        try stage.trainStep(step + 1)
        step += 1
        if calendar.isEvaluated(after: step) { try evaluate() }
        if isSaved { try checkpoint() }
      }
    } catch is Interruption {
      return try interrupted()
    }
    CrashPoint.finishing.reach()
    try stage.writeFinal(after: step)
    try metrics.synchronize()
    try stage.settle()
    CrashPoint.finished.reach()
    try stage.finish()
    return .done
  }

  private func begin() throws {
    if calendar.evaluatesFirst { try evaluate() }
    // Step 0 is kept: a reference made by a cold start is read from it.
    if isSaved { try checkpoint() }
  }

  /// Makes good what a stop may have left out between the checkpoint that the run is resumed from and the step after
  /// it: the evaluation, the checkpoint's record, and the removal of those that are no longer kept.
  private func resume() throws {
    for (step, metrics) in stage.recordedEvaluations.sorted(by: { $0.key < $1.key })
    where step < self.step {
      noteBest(step: step, metrics)
    }
    if calendar.isEvaluated(after: step) { try evaluate() }
    if isSaved { try stage.recordCheckpoint(after: step) }
    removeOldCheckpoints()
  }

  // MARK: Evaluations

  private func evaluate() throws {
    guard let evaluation = try stage.evaluate(after: step) else { return }
    try metrics.append(step: step, evaluation)
    noteBest(step: step, evaluation)
  }

  private func noteBest(step: Int, _ metrics: [String: Double]) {
    guard let wanted = calendar.bestMetric, let value = metrics[wanted.name] else { return }
    if let best, wanted.greaterIsBetter ? best.value >= value : best.value <= value { return }
    best = (step, value)
  }

  // MARK: Checkpoints

  /// Whether the step has a checkpoint: by the calendar, or since it is the best so far.
  private var isSaved: Bool { calendar.isSaved(after: step) || step > 0 && step == best?.step }

  /// Saves the policy as it stands, and removes what is no longer kept.
  ///
  /// A checkpoint that an interruption asks for is not recorded: whether a run was stopped on its way leaves
  /// no trace in what "the same log" means.
  private func checkpoint() throws {
    let url = folder.checkpoint(step: step)
    try FileManager.default.createDirectory(
      at: folder.checkpoints, withIntermediateDirectories: true)
    try metrics.synchronize()
    // A resumed run goes on after this step: what its updates add must be durable.
    try stage.settle()
    try stage.writeCheckpoint(after: step, to: url)
    CrashPoint.placed.reach()
    if isSaved { try stage.recordCheckpoint(after: step) }
    CrashPoint.pruning.reach()
    removeOldCheckpoints()
    observer.observe(.checkpoint(step: step, url: url))
  }

  /// Keeps the first checkpoint, the best and the newest.
  private func removeOldCheckpoints() {
    guard let limit = calendar.checkpointLimit else { return }
    let steps = folder.checkpointSteps.filter { $0 != 0 && $0 != best?.step }
    for step in steps.dropLast(max(1, limit)) { folder.removeCheckpoint(step: step) }
  }

  private func interrupted() throws -> TrainingOutcome {
    try stage.settle()
    if !folder.checkpointSteps.contains(step) { try checkpoint() }
    try metrics.synchronize()
    try stage.recordInterruption(after: step)
    return .interrupted(step: step)
  }
}

/// The user stopped the work.
public struct Interruption: Error {}
