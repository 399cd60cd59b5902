import TrajectoryStore

/// The steps that a run has committed: what its updates are redone from.
final class LoggedSteps: RolloutSource {
  private let reader: TrajectoryReader
  private let vocabularySize: Int

  /// The steps of a log, for a model with that many tokens.
  init(_ reader: TrajectoryReader, vocabularySize: Int) {
    self.reader = reader
    self.vocabularySize = vocabularySize
  }

  func takeProblems(for rollout: inout StepRollout) throws -> Bool {
    guard rollout.rounds == 0 else { return false }
    let number = rollout.record.step
    guard let logged = try reader.step(number, vocabularySize: vocabularySize) else {
      throw MissingStep(step: number)
    }
    rollout.open(logged)
    rollout.isFromOwnLog = true
    return true
  }
}

/// A step that a log should have and doesn't.
struct MissingStep: Error, CustomStringConvertible {
  var step: Int

  var description: String {
    "step \(step) is not in the log that it is to be done again from; put the log back from a copy"
  }
}
