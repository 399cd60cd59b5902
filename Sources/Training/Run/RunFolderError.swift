import Foundation

/// A new run that can't begin with what it was given; nothing of it is left.
public struct RefusedRun: Error {
  /// What was wrong.
  public let reason: any Error
}

/// A run that can't begin.
public enum RunFolderError: Error, CustomStringConvertible {
  /// Something stands where the run would be.
  case taken(RunFolder)
  /// There is no run to go on with.
  case notARun(URL)
  /// A run with checkpoints, whose log is gone.
  case logMissing(RunFolder)
  /// A run that is to end before where it stands.
  case endsBefore(RunFolder, steps: Int, stands: Int)
  /// What a run was made of is another now.
  case inputsChanged(RunFolder, [String])
  /// A data set without a usable row.
  case nothingToTrainOn(String)

  /// The sentence for the user.
  public var description: String {
    switch self {
    case .taken(let folder):
      return
        "\(folder.url.path) is not empty, and a run never overwrites another: continue it with "
        + "'grpo train --resume \(folder.url.path)', or give the new run another --run"
    case .notARun(let url):
      return
        "\(url.path) is not a run's folder: there is no config.json in it"
    case .logMissing(let folder):
      return
        "\(folder.log.path) is missing or empty, though the run has checkpoints: put it back from a copy, or begin a "
        + "new run from the last of them: grpo train --config \(folder.configuration.path) "
        + "--model \(folder.checkpoint(step: folder.checkpointSteps.last ?? 0).path) --run NEW"
    case .endsBefore(let folder, let steps, let stands):
      return
        "the run is to have \(steps) steps, and stands after step \(stands): its weights after step "
        + "\(steps) are in \(folder.checkpoints.path), if they were saved"
    case .inputsChanged(let folder, let changes):
      return
        "\(folder.url.path) can't be resumed, since what it was made from has changed: "
        + changes.joined(separator: "; ") + "; put it back, or begin a new run"
    case .nothingToTrainOn(let name):
      return
        "\(name) leaves no row to train on; give a data set with a row that is not filtered out, held out "
        + "for evaluation, or left out of the pass by a weight below 1"
    }
  }
}
