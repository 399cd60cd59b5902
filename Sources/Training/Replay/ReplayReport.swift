/// What a replay compared, and whether it came to the same.
public struct ReplayReport: Sendable, Equatable {
  /// Steps whose completions were drawn again.
  public var steps = 0
  /// Completions that were drawn again.
  public var completions = 0
  /// Those of them that are the log's in every bit.
  public var agreeing = 0
  /// Those of which the log has tokens and text alone, since it was pruned.
  public var pruned = 0
  /// Tokens of the completions in the log.
  public var tokens = 0
  /// Steps whose updates were redone from the log.
  public var redoneSteps = 0
  /// Checkpoints that were arrived at again, and compared.
  public var checkpoints = 0
  /// The first thing that came out otherwise.
  public var firstDifference: ReplayDifference?

  /// Whether everything came out as it is recorded.
  public var isIdentical: Bool { firstDifference == nil && agreeing == completions }
}

/// What a replay tells whoever watches it.
public enum ReplayEvent: Sendable {
  /// From where it sets out.
  case note(String)
  /// Something that deserves a look.
  case warning(String)
  /// A step is done; how far it is.
  case step(Int, last: Int, ReplayReport)
}

/// Whoever watches a replay, and may stop it.
public struct ReplayObserver: Sendable {
  /// Told everything, on the replay's own thread.
  public var observe: @Sendable (ReplayEvent) -> Void
  /// Whether it should stop.
  public var isCancelled: @Sendable () -> Bool

  /// Makes an observer.
  public init(
    observe: @escaping @Sendable (ReplayEvent) -> Void = { _ in },
    isCancelled: @escaping @Sendable () -> Bool = { false }
  ) {
    self.observe = observe
    self.isCancelled = isCancelled
  }
}

/// A run that can't be replayed.
public enum ReplayError: Error, CustomStringConvertible {
  /// No step is committed.
  case nothingLogged(RunFolder)
  /// The completions are another run's, or another program's.
  case notSampled(RunFolder, origin: String)
  /// There is no completion of that id.
  case noCompletion(RunFolder, Int)
  /// No committed step is in the range.
  case noSteps(RunFolder, has: ClosedRange<Int>)
  /// A step between the checkpoint and the range is gone, as after `grpo log prune`.
  case missingStep(RunFolder, Int)
  /// Every checkpoint from which a step could be reached is gone.
  case noCheckpoint(RunFolder, before: Int)

  /// The sentence for the user.
  public var description: String {
    switch self {
    case .nothingLogged(let run): return "\(run.displayPath) has no committed step to replay"
    case .notSampled(let run, let origin):
      return "\(run.displayPath) didn't sample its completions, they come from \(origin): replay "
        + "the run that sampled them"
    case .noCompletion(let run, let id):
      return "\(run.displayPath) has no completion \(id); ids are those that 'grpo query "
        + "\(run.displayPath) worst' and the other reports print"
    case .noSteps(let run, let all):
      return "\(run.displayPath) has no committed step in that range; it has steps "
        + "\(all.lowerBound) to \(all.upperBound)"
    case .missingStep(let run, let step):
      return "step \(step) is not in the log of \(run.displayPath), so that its updates can't be "
        + "redone; replay a range of steps after a later checkpoint with --step A..B"
    case .noCheckpoint(let run, let step):
      return "\(run.displayPath) has no whole checkpoint before step \(step), and a policy is "
        + "replayed from one; replay later steps with --step A..B"
    }
  }
}
