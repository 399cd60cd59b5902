import RewardKit

/// How long a run is, for rewards that go by where training stands.
struct TrainerCalendar {
  /// Steps that the run has.
  var steps: Int
  /// Problems of one epoch.
  var epoch: Int
  /// Problems that a step asks for.
  var promptsPerStep: Int

  /// What TRL calls `trainer_state`, between two steps.
  /// - Parameters:
  ///   - finished: Steps that are finished.
  ///   - drawn: Problems that they drew.
  func state(finished: Int, drawn: Int) -> TrainerState {
    let epoch = Double(max(1, epoch))
    return TrainerState(
      globalStep: finished, maxSteps: steps, epoch: Double(drawn) / epoch,
      trainEpochs: Int(
        exactly: (Double(steps) * Double(promptsPerStep) / epoch).rounded(.up)))
  }
}
