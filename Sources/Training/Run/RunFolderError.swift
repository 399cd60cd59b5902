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
    case .nothingToTrainOn(let name):
      return "\(name) has no row to train on; give --dataset FILE with a row at least that is not "
        + "filtered out"
    }
  }
}
