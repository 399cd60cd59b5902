import Rollouts

/// What a run leaves on the disk.
public struct DiskPlan: Sendable {
  /// A checkpoint: weights and two moments.
  public var checkpointBytes: Int
  /// How many stand at the same time, the one being written included.
  public var checkpoints: Int
  /// `final/`.
  public var finalBytes: Int
  /// The log, at about 30 bytes per token and 400 per completion.
  public var logBytes: Int

  /// All of it.
  public var total: Int { checkpointBytes *| checkpoints +| finalBytes +| logBytes }

  /// Makes the plan of a run.
  public init(
    trainedCount: Int, steps: Int, completionsPerStep: Int, tokensPerCompletion: Int,
    checkpointEvery: Int, checkpointLimit: Int?, bytesPerWeight: Int
  ) {
    let written = 2 +| steps / max(1, checkpointEvery)
    checkpointBytes = 12 *| trainedCount
    checkpoints = min(written, (checkpointLimit ?? written) +| 2)
    finalBytes = bytesPerWeight *| trainedCount
    logBytes = steps *| completionsPerStep *| (400 +| 30 *| tokensPerCompletion)
  }
}
