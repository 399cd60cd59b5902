import PolicyOptimization
import TrajectoryStore

/// The rollout of a step while it is made: its groups so far, and what their source knows beyond the record.
struct StepRollout {
  /// The groups with their completions and scores.
  var record: StepRecord
  /// Problems that the steps before drew.
  let drawn: Int
  /// In how many rounds groups were taken so far; more than one where some of them had to be replaced.
  private(set) var rounds = 0
  /// The groups of the last round.
  private(set) var open = 0..<0
  /// The policy's log-probabilities at the start of the step, completion by completion, where another
  /// engine's stand in the record; nil where those of the record are the policy's own.
  var policyLogProbabilities: [[Float]]?
  /// Advantages that are given instead of estimated, completion by completion; nil where none are.
  var advantages: [TokenAdvantages?]?
  /// Whether it comes from this run's own log: all is in it, and it must come out as it did.
  var isFromOwnLog = false
  /// Whether the policy learns from it: not where a replay only draws it again.
  var isLearnedFrom = true

  /// The rollout of a step that is to be made.
  init(step: Int, policyStep: Int, drawn: Int = 0) {
    record = StepRecord(step: step, policyStep: policyStep, groups: [])
    self.drawn = drawn
  }

  /// Opens the groups of a round, without completions where they are to be sampled.
  mutating func open(_ groups: [GroupRecord]) {
    open = record.groups.count..<record.groups.count + groups.count
    record.groups += groups
    rounds += 1
  }

  /// Opens a whole step that is recorded, as the one round there is.
  mutating func open(_ recorded: StepRecord) {
    record = recorded
    open = 0..<recorded.groups.count
    rounds += 1
  }
}

/// Where the rollouts of a run come from: the policy itself, the run's own log, another's, or a file.
///
/// A step calls the three in their order until no problems are left to take.
protocol RolloutSource: AnyObject {
  /// Adds the groups of the next round to a rollout; false where it has all of them.
  func takeProblems(for rollout: inout StepRollout) throws -> Bool
  /// Gives the groups of the round their completions.
  /// - Throws: `Interruption` where the user gave up.
  func sampleGroups(of rollout: inout StepRollout) throws
  /// Gives the completions of the round their scores.
  /// - Throws: As `sampleGroups`.
  func scoreGroups(of rollout: inout StepRollout) throws
}

/// What is recorded has its completions and its scores already.
extension RolloutSource {
  func sampleGroups(of rollout: inout StepRollout) throws {}
  func scoreGroups(of rollout: inout StepRollout) throws {}
}
