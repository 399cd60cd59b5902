import Foundation
import Rollouts
import Tensors
import Transformer

/// The supervised stage before the first step of a run.
///
/// It is a function of the settings and the data: where the run dies in it, it is done again.
struct ColdStart {
  private let trainer: SupervisedTrainer
  private let target: Double?
  private let notes: [String]

  /// Updates between two looks at whether the target is reached.
  private static let probeEvery = 10

  init(
    _ preparation: RunPreparation, policy: Policy, encoder: PromptEncoder, cut: UpdateCut
  ) throws {
    let settings = preparation.settings
    let read = try SupervisedExamples(
      preparation.supervised, encoder, endToken: policy.endTokens.first,
      maxLength: settings.sftMaxLength)
    notes = read.notes
    guard !read.examples.isEmpty else {
      throw RunFolderError.nothingToTrainOn(
        preparation.supervised.map(\.name).joined(separator: ", "))
    }
    target = settings.sftStopAt
    trainer = settings.supervisedTrainer(of: policy, examples: read.examples, cut: cut)
  }

  /// Does the updates, all of them or until the target is reached.
  /// - Parameter probe: The share of a sample of training problems that is answered rightly; nil where the user
  ///   gave up.
  /// - Throws: `Interruption` where the user gave up.
  func run(_ observer: TrainingObserver, probe: () throws -> Double?) throws {
    for note in notes { observer.observe(.note(note)) }
    let start = ContinuousClock.now
    let updates = trainer.settings.updates
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
