import Foundation
import Rollouts
import Tensors
import Transformer

/// The supervised stage before the first step of a run.
///
/// It is a function of the settings and the data: where the run dies in it, it is done again.
struct ColdStart {
  private let trainer: SupervisedTrainer
  private let updates: Int
  private let target: Double?
  private let notes: [String]

  /// Updates between two looks at whether the target is reached.
  private static let probeEvery = 10

  init(
    _ preparation: RunPreparation, policy: Policy, encoder: PromptEncoder,
    optimizer: ParameterOptimizer, cut: UpdateCut
  ) throws {
    let settings = preparation.settings
    let read = try SupervisedExamples(
      preparation.supervised, encoder, endToken: policy.endTokens.first,
      maxLength: settings.sftMaxLength)
    let examples = read.examples
    notes = read.notes
    guard !examples.isEmpty else {
      throw RunFolderError.nothingToTrainOn(
        preparation.supervised.map(\.name).joined(separator: ", "))
    }
    let passes = settings.sftEpochs * Double(examples.count) / Double(settings.sftBatchSize)
    target = settings.sftStopAt
    updates = settings.sftSteps ?? max(1, Int(clamping: passes.rounded(.up)))
    trainer = SupervisedTrainer(
      policy.model, optimizer: optimizer, examples: examples,
      settings: SupervisedSettings(
        updates: updates, batchSize: settings.sftBatchSize,
        learningRate: LearningRatePlan(
          settings.sftLrSchedulerType, warmupUpdates: settings.sftWarmupSteps,
          totalUpdates: updates),
        rowLimit: cut.rows, recomputesActivations: cut.recomputesActivations,
        seed: UInt64(settings.seed)))
  }

  /// Does the updates, all of them or until the target is reached.
  /// - Parameter probe: The share of a sample of training problems that is answered rightly; nil where the user
  ///   gave up.
  /// - Throws: `Interruption` where the user gave up.
  func run(_ observer: TrainingObserver, probe: () throws -> Double?) throws {
    for note in notes { observer.observe(.note(note)) }
    let start = ContinuousClock.now
    for update in 0..<updates {
      if observer.isCancelled() { throw Interruption() }
      CrashPoint.coldStart.reach()
      let result = try trainer.update(update)
      var isEnough = false
      if let target, (update + 1) % Self.probeEvery == 0 {
        guard let share = try probe() else { throw Interruption() }
        isEnough = share >= target
      }
      observer.observe(
        .supervised(
          SupervisedProgress(
            update: update + 1, total: isEnough ? update + 1 : updates, loss: result.loss,
            seconds: (ContinuousClock.now - start).seconds)))
      if isEnough { return }
    }
  }
}

/// The user stopped a run before its first step.
public struct Interruption: Error {}
