import Rollouts

/// How a reward runs.
public enum RewardKind: String, Sendable {
  /// Swift, in this process.
  case builtIn = "built in"
  /// An executable that speaks the line protocol.
  case executable
  /// A Python function, through the adapter.
  case pythonFunction = "python function"
  /// A Swift package that was built.
  case swiftPackage = "swift package"
  /// A program that ships with grpo, in a child process.
  case shipped = "shipped, child process"
}

/// What a run's record says about one of its rewards.
public struct RewardDescription: Sendable {
  /// The name in metrics and log.
  public var name: String
  /// What the config says to use.
  public var use: String
  /// The factor in the weighted sum.
  public var weight: Double
  /// How it runs.
  public var kind: RewardKind
  /// What it judges.
  public var category: RewardCategory
  /// The least and greatest score, where they are known.
  public var range: ClosedRange<Double>?
  /// What it sees in one call.
  public var scope: RewardScope
  /// Whether equal completions get equal scores.
  public var isDeterministic: Bool
  /// How far its process is kept from the machine.
  public var sandbox: Sandbox
  /// SHA-256 of what it is made of, in hexadecimal; empty for a built-in, which is grpo itself.
  public var contentHash: String
  /// What its scores depend on besides, as its greeting says: a library with its version.
  public var version: String?
  /// Its resolved settings, for the record of the run.
  public var specification: RewardSpecification

  /// That `cache: true` remembers nothing, where it doesn't.
  var uselessCache: String? {
    guard specification.cache == true, scope != .completion else { return nil }
    return
      "reward \"\(name)\": cache: true remembers nothing, for it judges a whole \(scope.rawValue) in a "
      + "call, and only a completion that is judged by itself can be remembered"
  }
}

/// A completion with what every reward said of it.
public struct ScoredCompletion: Sendable, Hashable {
  /// The caller's name for the completion.
  public var id: Int
  /// One outcome for each reward, in the order of the suite's rewards.
  public var outcomes: [RewardOutcome]
  /// The weighted sum of what counts, Σ wₖ·rₖ; nil where nothing counts: unscorable.
  public var total: Double?

  /// Makes a scored completion.
  public init(id: Int, outcomes: [RewardOutcome], total: Double?) {
    self.id = id
    self.outcomes = outcomes
    self.total = total
  }
}
