import Foundation
import PolicyOptimization
import Rollouts
import TrajectoryStore
import Transformer

/// A run that learns by reinforcement: its steps, and what is written between them.
///
/// A step's trajectories are committed before its update takes effect, so that whatever stops the run, resuming it
/// redoes the updates after the last checkpoint from the log.
final class ReinforcementStage: RunStage {
  /// What the stage is made of.
  struct Parts {
    var folder: RunFolder
    var log: TrajectoryLog
    var trainer: Trainer
    var journal: RunJournal
    var source: any RolloutSource
    /// Where steps up to `lastCommitted` come from again.
    var redone: any RolloutSource
    var lastCommitted: Int
    /// Evaluations in the log, by step.
    var evaluations: [Int: EvaluationRecord]
    var evaluator: Evaluator?
    /// What rewards are told of how long the run is.
    var calendar: TrainerCalendar
    var checkpoints: CheckpointFiles
    var provenance: JSONObject
    var configurationHash: String
    /// What is run between two iterations.
    var iterationHook: IterationHook?
    var observer: TrainingObserver
  }

  private let parts: Parts
  private var trainer: Trainer { parts.trainer }

  init(_ parts: Parts) { self.parts = parts }

  func trainStep(_ step: Int) throws {
    let isRedone = step <= parts.lastCommitted
    if !isRedone {
      try parts.iterationHook?.prepare(
        step: step, updates: trainer.optimizer.updates, isCancelled: parts.observer.isCancelled)
    }
    try trainer.trainStep(
      step, drawn: parts.journal.totals.problemsDrawn,
      from: isRedone ? parts.redone : parts.source, into: parts.journal)
  }

  func settle() throws { try parts.journal.settle() }

  // MARK: Evaluations

  var recordedEvaluations: [Int: [String: Double]] {
    parts.evaluations.mapValues { EvaluationReport.prefixed($0.metrics) }
  }

  /// Evaluates, unless the log has the evaluation already.
  func evaluate(after step: Int) throws -> [String: Double]? {
    guard let evaluator = parts.evaluator else { return nil }
    if let recorded = recordedEvaluations[step] { return recorded }
    let state = parts.calendar.state(
      finished: step, drawn: parts.journal.totals.problemsDrawn)
    guard
      let report = try evaluator.evaluate(
        step: step, state: state, isCancelled: parts.observer.isCancelled)
    else { throw Interruption() }
    try settle()
    try parts.log.append(
      evaluation: EvaluationRecord(
        step: step, dataset: "eval", metrics: report.metrics, seconds: report.seconds,
        completions: report.completions))
    CrashPoint.evaluated.reach()
    parts.observer.observe(.evaluation(report))
    return EvaluationReport.prefixed(report.metrics)
  }

  // MARK: Checkpoints

  func writeCheckpoint(after step: Int, to folder: URL) throws {
    let isMoved = trainer.settings.objective.refreshesReference
    let totals = parts.journal.totals
    try parts.checkpoints.write(
      trainer.policy, optimizer: trainer.optimizer,
      reference: isMoved ? trainer.reference?.parameters : nil,
      manifest: { [parts] files in
        CheckpointManifest(
          step: step, updates: parts.trainer.optimizer.updates, problemsDrawn: totals.problemsDrawn,
          tokensSeen: totals.tokensSeen, entropy: parts.trainer.entropy,
          lossScale: parts.trainer.optimizer.lossScale,
          configurationHash: parts.configurationHash, programVersion: ProgramVersion.current,
          files: files)
      }, to: folder)
  }

  func recordCheckpoint(after step: Int) throws {
    let folder = parts.folder.checkpoint(step: step)
    try parts.log.append(
      checkpoint: CheckpointRecord(
        step: step, policyStep: trainer.optimizer.updates,
        path: "checkpoints/\(folder.lastPathComponent)",
        contentHash: try SHA256.digest(
          ofFile: folder.appendingPathComponent(CheckpointManifest.name).path
        ).hexadecimal))
  }

  func recordInterruption(after step: Int) throws {
    try parts.log.append(
      event: EventRecord(
        step: step, kind: "interrupted", message: "stopped by the user after step \(step)"))
  }

  // MARK: The end

  func writeFinal(after step: Int) throws {
    var provenance = parts.provenance
    provenance["steps"] = .integer(Int64(step))
    provenance["optimizer_updates"] = .integer(Int64(trainer.optimizer.updates))
    try parts.checkpoints.writeFinal(
      trainer.policy.parameters, provenance: provenance, to: parts.folder.final)
  }

  func finish() throws { try parts.log.finish(outcome: "done") }
}
