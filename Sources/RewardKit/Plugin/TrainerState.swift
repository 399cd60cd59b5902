import Rollouts

/// Where training stands, under the names and with the meaning of TRL's `trainer_state`.
public struct TrainerState: Sendable, Hashable {
  /// Steps that were finished before this one: 0 in the first, the same for all calls of a step.
  public var globalStep: Int
  /// Steps that the run is to have; nil where that is not known.
  public var maxSteps: Int?
  /// Passes over the data set so far, a part of one included; nil where that is not known.
  public var epoch: Double?
  /// Passes over the data set that the run is to make, the last of them begun; nil where that is not known.
  public var trainEpochs: Int?

  /// Says where training stands.
  public init(
    globalStep: Int, maxSteps: Int? = nil, epoch: Double? = nil, trainEpochs: Int? = nil
  ) {
    self.globalStep = globalStep
    self.maxSteps = maxSteps
    self.epoch = epoch
    self.trainEpochs = trainEpochs
  }

  /// Reads the state as the protocol writes it; nil where it is none.
  init?(_ value: JSONValue?) {
    guard let value, let step = value["global_step"]?.integer else { return nil }
    self.init(
      globalStep: step, maxSteps: value["max_steps"]?.integer, epoch: value["epoch"]?.double,
      trainEpochs: value["num_train_epochs"]?.integer)
  }

  /// The state as a member of a request.
  package var json: JSONValue {
    [
      "global_step": .integer(Int64(globalStep)),
      "max_steps": maxSteps.map { .integer(Int64($0)) } ?? .null,
      "epoch": epoch.map { .number($0) } ?? .null,
      "num_train_epochs": trainEpochs.map { .integer(Int64($0)) } ?? .null,
    ]
  }
}
