import Foundation
import PolicyOptimization
import Rollouts
import Transformer

/// A run of supervised training: its steps, each an optimiser update, and what is written between them.
final class SupervisedStage: RunStage {
  /// What the stage is made of.
  struct Parts {
    var policy: Policy
    var trainer: SupervisedTrainer
    /// Examples whose loss is measured and not learned from.
    var held: [SupervisedExample]
    var checkpoints: CheckpointFiles
    var folder: RunFolder
    /// The time that chat templates print, in seconds since 1970.
    var clock: Int
    var entropy: EntropyController
    var configurationHash: String
    var provenance: JSONObject
    var metrics: MetricsLog
    var observer: TrainingObserver
  }

  private let parts: Parts
  private var tokensSeen: Int
  private let start = ContinuousClock.now

  /// - Parameter step: The update after which the run goes on.
  init(_ parts: Parts, after step: Int) {
    self.parts = parts
    tokensSeen = parts.trainer.tokens(before: step)
  }

  func trainStep(_ step: Int) throws {
    let report = try parts.trainer.update(step - 1)
    tokensSeen += report.tokensSeen
    let seconds = (ContinuousClock.now - start).seconds
    try parts.metrics.append(
      step: step,
      [
        "loss": report.loss, "grad_norm": report.gradientNorm, "num_tokens": Double(tokensSeen),
        "learning_rate": report.learningRate, "time/total": seconds,
      ])
    parts.observer.observe(
      .supervised(
        SupervisedProgress(
          update: step, total: parts.trainer.settings.updates, loss: report.loss,
          seconds: seconds)))
  }

  /// The mean loss on held-out examples, in nats per token.
  func evaluate(after step: Int) throws -> [String: Double]? {
    guard !parts.held.isEmpty else { return nil }
    let groups = parts.held.map { TokenGroup(prompt: $0.prompt, completions: [$0.completion]) }
    var loss = 0.0
    var tokens = 0
    for (example, statistics) in zip(parts.held, ScoringPass(parts.policy.model).score(groups)) {
      for (place, value) in statistics[0].logProbabilities.enumerated()
      where example.mask?[place] ?? true {
        loss -= Double(value)
        tokens += 1
      }
    }
    loss /= Double(max(1, tokens))
    let text = String(format: "%.4f", loss)
    parts.observer.observe(.note("held-out loss after update \(step): \(text) nats per token"))
    return ["eval_loss": loss]
  }

  func writeCheckpoint(after step: Int, to folder: URL) throws {
    try parts.checkpoints.write(
      parts.policy.model, optimizer: parts.trainer.optimizer, reference: nil,
      manifest: { [parts] files in
        CheckpointManifest(
          step: step, updates: parts.trainer.optimizer.updates,
          problemsDrawn: step * parts.trainer.settings.batchSize, clock: parts.clock,
          entropy: parts.entropy, lossScale: parts.trainer.optimizer.lossScale,
          configurationHash: parts.configurationHash,
          programVersion: ProgramVersion.current, files: files)
      }, to: folder)
  }

  func writeFinal(after step: Int) throws {
    try parts.checkpoints.writeFinal(
      parts.policy.model.parameters, provenance: parts.provenance, to: parts.folder.final)
  }

  // A supervised run has no log: its checkpoints and metrics are the record.
  var recordedEvaluations: [Int: [String: Double]] { [:] }
  func settle() throws {}
  func recordCheckpoint(after step: Int) throws {}
  func recordInterruption(after step: Int) throws {}
  func finish() throws {}
}
