import PolicyOptimization
import Rollouts
import Testing
import TrajectoryStore
import Transformer

@testable import Training

@Suite("A step of training")
struct TrainerTests {
  /// A source and a journal that write down what the step asks of them, and whether the weights had moved by then.
  private final class Witness: RolloutSource, StepJournal {
    var calls: [String] = []
    var rollouts: [StepRollout] = []
    var trained: [TrainedStep] = []
    var leavesAt: String?
    private let groups: [[GroupRecord]]
    private let hasMoved: () -> Bool

    init(_ groups: [[GroupRecord]], hasMoved: @escaping () -> Bool = { false }) {
      self.groups = groups
      self.hasMoved = hasMoved
    }

    private func note(_ call: String) throws {
      calls.append(hasMoved() ? call + ", moved" : call)
      if call == leavesAt { throw Interruption() }
    }

    func takeProblems(for rollout: inout StepRollout) throws -> Bool {
      guard rollout.rounds < groups.count else { return false }
      try note("problems")
      rollout.open(
        groups[rollout.rounds].map { group in
          var group = group
          group.completions = []
          return group
        })
      return true
    }

    func sampleGroups(of rollout: inout StepRollout) throws {
      try note("sample")
      for (place, group) in zip(rollout.open, groups[rollout.rounds - 1]) {
        rollout.record.groups[place].completions = group.completions.map { completion in
          var completion = completion
          (completion.scores, completion.reward) = ([], nil)
          return completion
        }
      }
    }

    func scoreGroups(of rollout: inout StepRollout) throws {
      try note("score")
      for (place, group) in zip(rollout.open, groups[rollout.rounds - 1]) {
        rollout.record.groups[place].completions = group.completions
      }
    }

    func commit(_ rollout: StepRollout) throws {
      rollouts.append(rollout)
      try note("log")
    }

    func awaitCommit() throws { try note("durable") }

    func record(_ step: TrainedStep) throws {
      trained.append(step)
      try note("record")
    }
  }

  @Test(
    "goes problems, sample, score, log, update, record, and rounds that are replaced come first")
  func order() throws {
    let policy = try SmallPolicy()
    let before = policy.bits
    let groups = policy.rollout().groups
    let witness = Witness([Array(groups[..<3]), [groups[3]]]) { policy.bits != before }
    let trainer = policy.trainer { $0.iterations = 2 }
    try trainer.trainStep(7, drawn: 40, from: witness, into: witness)
    #expect(
      witness.calls == [
        "problems", "sample", "score", "problems", "sample", "score", "log", "durable",
        "durable, moved", "record, moved",
      ])
    let logged = try #require(witness.rollouts.first)
    #expect(logged.record.step == 7 && logged.drawn == 40 && logged.rounds == 2)
    #expect(logged.record.groups.flatMap(\.completions).allSatisfy { $0.advantage != nil })
    let trained = try #require(witness.trained.first)
    #expect(
      trained.updates.map(\.update) == [0, 1] && trained.updates.map(\.policyStep) == [1, 2])
    #expect(trained.metrics["sampler/logp_difference_max"] == 0)
  }

  @Test("ends where the user gives up, and then nothing is logged", arguments: ["sample", "score"])
  func interruption(place: String) throws {
    let policy = try SmallPolicy()
    let before = policy.bits
    let witness = Witness([policy.rollout().groups])
    witness.leavesAt = place
    #expect(throws: Interruption.self) {
      try policy.trainer().trainStep(1, from: witness, into: witness)
    }
    #expect(witness.calls.last == place && policy.bits == before)
  }

  @Test("comes to the same bits from the log as from the sampler")
  func redone() throws {
    let (first, second) = try (SmallPolicy(), SmallPolicy())
    let journal = MemoryJournal()
    let rollout = first.rollout()
    try first.trainer().trainStep(1, from: GivenSteps([rollout]), into: journal)
    let logged = try #require(journal.committed.first).record
    let again = MemoryJournal()
    try second.trainer().trainStep(1, from: GivenSteps([logged], isOwnLog: true), into: again)
    #expect(first.bits == second.bits)
    #expect(journal.steps[0].updates == again.steps[0].updates)
  }

  @Test(
    "asks the reference, unless its numbers are in the run's own log", arguments: [false, true])
  func reference(isOwnLog: Bool) throws {
    let policy = try SmallPolicy()
    let trainer = policy.trainer { $0.beta = 0.1 }
    trainer.reference = ReferenceModel(
      try SmallPolicy(seed: 2).model.parameters, compute: policy.model.compute, temperature: 1)
    var rollout = policy.rollout()
    for group in rollout.groups.indices {
      for completion in rollout.groups[group].completions.indices {
        let count = rollout.groups[group].completions[completion].completion.tokens.count
        rollout.groups[group].completions[completion].referenceLogProbabilities = Array(
          repeating: -1, count: count)
      }
    }
    let journal = MemoryJournal()
    try trainer.trainStep(1, from: GivenSteps([rollout], isOwnLog: isOwnLog), into: journal)
    let logged = try #require(journal.committed.first).record.groups.flatMap(\.completions)
    let isKept = logged.allSatisfy {
      $0.referenceLogProbabilities?.allSatisfy { $0 == -1 } ?? false
    }
    #expect(isKept == isOwnLog)
  }

  @Test("a rollout that is only drawn moves nothing")
  func drawnAlone() throws {
    final class DrawnAlone: RolloutSource {
      let record: StepRecord
      init(_ record: StepRecord) { self.record = record }
      func takeProblems(for rollout: inout StepRollout) -> Bool {
        guard rollout.rounds == 0 else { return false }
        rollout.open(record)
        rollout.isLearnedFrom = false
        return true
      }
    }
    let policy = try SmallPolicy()
    let before = policy.bits
    let journal = MemoryJournal()
    try policy.trainer().trainStep(1, from: DrawnAlone(policy.rollout()), into: journal)
    #expect(policy.bits == before && journal.committed.count == 1)
    #expect(journal.steps[0].updates.isEmpty)
  }

  @Test("the reference follows updates that moved the policy, and no others")
  func movedReference() throws {
    let policy = try SmallPolicy()
    let trainer = policy.trainer(skipsNonfinite: true) {
      $0.beta = 0.1
      $0.refreshesReference = true
      $0.referenceMixupAlpha = 0.5
      $0.referenceSyncSteps = 1
    }
    let other = try SmallPolicy(seed: 2)
    trainer.reference = ReferenceModel(
      other.model.parameters, compute: policy.model.compute, temperature: 1)
    let before = other.bits
    var rollout = policy.rollout()
    rollout.groups[0].completions[0].samplerLogProbabilities?[0] = .nan
    let journal = MemoryJournal()
    try trainer.trainStep(1, from: GivenSteps([rollout]), into: journal)
    #expect(journal.steps[0].skipped.count == 1 && other.bits == before)
    try trainer.trainStep(1, from: GivenSteps([policy.rollout()]), into: journal)
    #expect(journal.steps[1].skipped.isEmpty && other.bits != before)
  }
}
