import Foundation
import Rollouts
import Testing

@testable import TrajectoryStore

/// Whether two arrays have the same bits; NaN equals itself here, and 0.0 does not equal −0.0.
private func haveSameBits(_ a: [Float]?, _ b: [Float]?) -> Bool { a?.bits == b?.bits }

@Suite("What is written comes back bit for bit")
struct RoundTripTests {
  @Test func aRunComesBack() throws {
    let folder = try TemporaryFolder()
    let log = try TrajectoryLog(creating: folder.log)
    try log.begin(run: Sample.run())
    try log.finish(outcome: "done")
    let runs = try TrajectoryReader(readOnly: folder.log).runs()
    #expect(runs.map(\.record) == [Sample.run()])
    #expect(runs[0].outcome == "done")
    #expect(runs[0].finishedAt != nil)
  }

  @Test func stepsComeBackWithEveryBit() throws {
    let folder = try TemporaryFolder()
    let log = try TrajectoryLog(creating: folder.log)
    try log.begin(run: Sample.run())
    for index in 0..<3 { try log.append(step: Sample.step(index)) }
    let reader = try TrajectoryReader(readOnly: folder.log)
    #expect(try reader.steps() == [0, 1, 2])
    #expect(try reader.lastCommittedStep() == 2)
    #expect(try reader.step(3) == nil)
    for index in 0..<3 {
      let written = Sample.step(index)
      let read = try #require(try reader.step(index))
      try expectSame(read, written)
    }
  }

  private func expectSame(_ read: StepRecord, _ written: StepRecord) throws {
    #expect(read.step == written.step)
    #expect(read.policyStep == written.policyStep)
    #expect(read.metrics == written.metrics)
    try #require(read.groups.count == written.groups.count)
    for (read, written) in zip(read.groups, written.groups) {
      #expect(read.problem == written.problem)
      #expect(read.dataset == written.dataset)
      #expect(read.promptTokens == written.promptTokens)
      #expect(read.draw == written.draw)
      #expect(read.isDropped == written.isDropped)
      try #require(read.completions.count == written.completions.count)
      for (read, written) in zip(read.completions, written.completions) {
        #expect(read.completion == written.completion)
        #expect(haveSameBits(read.samplerLogProbabilities, written.samplerLogProbabilities))
        #expect(haveSameBits(read.referenceLogProbabilities, written.referenceLogProbabilities))
        #expect(haveSameBits(read.entropies, written.entropies))
        #expect(read.keptSets == written.keptSets)
        #expect(read.scores == written.scores)
        // A REAL keeps every bit but the sign of zero.
        #expect(read.reward?.bitPattern == written.reward.map { ($0 == 0 ? 0 : $0).bitPattern })
        #expect(bits(read.advantage) == bits(written.advantage))
      }
    }
  }

  private func bits(_ advantage: AdvantageRecord?) -> [UInt64] {
    switch advantage {
    case .completion(let value): return [(value == 0 ? 0 : value).bitPattern]
    case .tokens(let values): return values.map(\.bitPattern)
    case nil: return []
    }
  }

  @Test func updatesComeBackAndMayBeRepeated() throws {
    let folder = try TemporaryFolder()
    let log = try TrajectoryLog(creating: folder.log)
    try log.begin(run: Sample.run())
    let step = Sample.step(0)
    try log.append(step: step)
    for index in [0, 1, 0, 1] { try log.append(update: Sample.update(index, of: step)) }
    let reader = try TrajectoryReader(readOnly: folder.log)
    let updates = try reader.updates(ofStep: 0)
    #expect(updates.map(\.update) == [0, 1])
    for (read, index) in zip(updates, 0...) {
      let written = Sample.update(index, of: step)
      #expect(read.policyStep == written.policyStep)
      #expect(read.metrics == written.metrics)
      try #require(read.completions.count == written.completions.count)
      for (read, written) in zip(read.completions, written.completions) {
        #expect(haveSameBits(read.trainerLogProbabilities, written.trainerLogProbabilities))
        #expect(read.ratios == written.ratios)
        #expect(read.clips == written.clips)
        #expect(read.klMean == written.klMean)
      }
    }
    let metrics = try #require(try reader.step(0)).metrics
    #expect(metrics["clip_ratio/high_mean"] == 0.25)
    #expect(metrics["reward"] == 0.25)
  }

  @Test func firstUpdatesOnPolicyCostNoArrays() throws {
    let folder = try TemporaryFolder()
    let log = try TrajectoryLog(creating: folder.log)
    try log.begin(run: Sample.run())
    let step = Sample.step(0)
    try log.append(step: step)
    try log.append(update: Sample.update(0, of: step))
    let connection = try Connection(path: folder.log.path, mode: .readOnly)
    let stored = try connection.integer(
      "SELECT count(trainer_logprobs) + count(ratios) + count(clips) FROM completion_updates")
    #expect(stored == 0)
  }

  @Test func evaluationsCheckpointsAndEventsComeBack() throws {
    let folder = try TemporaryFolder()
    let log = try TrajectoryLog(creating: folder.log)
    try log.begin(run: Sample.run())
    let evaluation = EvaluationRecord(
      step: 4, dataset: "eval.jsonl", metrics: ["accuracy": 0.75, "pass@4": 1], seconds: 2,
      completions: [
        EvaluationCompletionRecord(
          problemIndex: 3, sample: 0, prompt: .messages([ChatMessage(role: "user", content: "?")]),
          completion: Completion(text: "4", tokens: [4, 2], finish: .stop), reward: -0.0,
          scores: ["exact": -0.0, "style": Double?.none], columns: ["level": 3])
      ])
    try log.append(evaluation: evaluation)
    try log.append(evaluation: evaluation)
    let checkpoint = CheckpointRecord(
      step: 4, policyStep: 8, path: "checkpoints/step-000004", contentHash: "99")
    try log.append(checkpoint: checkpoint)
    let event = EventRecord(step: 2, kind: "warning", message: "Slow.", detail: ["seconds": 3.5])
    try log.append(event: event)
    let reader = try TrajectoryReader(readOnly: folder.log)
    #expect(try reader.evaluations(withCompletions: true) == [evaluation])
    #expect(try reader.checkpoints() == [checkpoint])
    #expect(try reader.events() == [event])
  }

  @Test func removingATailLeavesWhatWasBefore() throws {
    let folder = try TemporaryFolder()
    let log = try TrajectoryLog(creating: folder.log)
    try log.begin(run: Sample.run())
    for index in 0..<4 {
      try log.append(step: Sample.step(index, problems: 50))
      try log.append(update: Sample.update(0, of: Sample.step(index, problems: 50)))
    }
    try log.removeSteps(after: 1)
    let reader = try TrajectoryReader(readOnly: folder.log)
    #expect(try reader.steps() == [0, 1])
    #expect(try reader.connection.integer("SELECT count(*) FROM problems") == 6)
    #expect(try reader.connection.integer("SELECT count(*) FROM completions") == 24)
    #expect(
      try reader.connection.integer("SELECT count(*) FROM completion_search('answer')") == 24)
    try log.append(step: Sample.step(2, problems: 50))
    #expect(try reader.steps() == [0, 1, 2])
  }

  @Test(
    arguments: [
      [.only([5, 6, 7, 8, 9, 10, 11, 12, 13, 40])], [nil], [.only([])], [.only([31999, 0, 5])],
      [nil, .only([7]), nil], [.only([]), .only([TokenID.max, 0])], [.except([2, 7])],
      [.except([2, -3])],
    ] as [[KeptSet?]])
  func keptSetsComeBack(_ sets: [KeptSet?]) {
    let bytes = KeptSets.encoded(sets)
    #expect(KeptSets.decoded(bytes, count: sets.count) == sets)
    #expect(KeptSets.decoded(bytes + [0], count: sets.count) == nil)
    #expect(KeptSets.decoded(Array(bytes.dropLast()), count: sets.count) == nil)
  }
}
