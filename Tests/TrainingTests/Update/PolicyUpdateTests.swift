import PolicyOptimization
import Rollouts
import Tensors
import Testing
import TrajectoryStore
import Transformer

@testable import Training

@Suite("Updates of the policy")
struct PolicyUpdateTests {
  @Test(
    "the first update's ratios are exactly 1, whatever the sampling and the micro-batch",
    arguments: [
      SamplingSettings(maxNewTokens: 12, endTokens: [0]),
      SamplingSettings(temperature: 0.6, maxNewTokens: 12, endTokens: [0]),
      SamplingSettings(
        temperature: 1.4, topK: 9, topP: 0.8, minNewTokens: 3, maxNewTokens: 12, endTokens: [0]),
    ], [4096, 20])
  func firstRatios(sampling: SamplingSettings, microBatch: Int) throws {
    let policy = try SmallPolicy()
    let rollout = policy.rollout(sampling: sampling)
    let outcome = try policy.update(
      by: rollout, cut: UpdateCut(rows: microBatch), temperature: sampling.temperature)[0]
    #expect(outcome.metrics["sampler/logp_difference_max"] == 0)
    #expect(outcome.metrics["ratio/min"] ?? 1 == 1 && outcome.metrics["ratio/max"] ?? 1 == 1)
    let completions = rollout.groups.flatMap(\.completions)
    #expect(outcome.completions.count == completions.count)
    for (seen, drawn) in zip(outcome.completions, completions) {
      #expect(seen.ratios?.allSatisfy { $0 == 1 } == true)
      #expect(
        seen.trainerLogProbabilities?.map(\.bitPattern)
          == drawn.samplerLogProbabilities?.map(\.bitPattern))
      #expect(seen.clips?.allSatisfy { $0 == 0 } == true)
    }
  }

  @Test("an update makes rewarded completions likelier")
  func learns() throws {
    let policy = try SmallPolicy()
    let rollout = policy.rollout()
    func rewarded() -> Double {
      let estimates = rollout.groups.map { group -> Double in
        let scored = ScoringPass(policy.model).score([
          TokenGroup(
            prompt: group.promptTokens, completions: group.completions.map(\.completion.tokens))
        ])[0]
        let mean =
          group.completions.compactMap(\.reward).reduce(0, +) / Double(group.completions.count)
        return zip(scored, group.completions).reduce(0.0) { sum, pair in
          let total = pair.0.logProbabilities.reduce(0.0) { $0 + Double($1) }
          return sum + ((pair.1.reward ?? 0) - mean) * total
            / Double(pair.1.completion.tokens.count)
        }
      }
      return estimates.reduce(0, +)
    }
    let before = rewarded()
    _ = try policy.update(by: rollout, learningRate: 1e-3)
    #expect(rewarded() > before)
  }

  @Test("a second pass with a large learning rate is clipped")
  func clips() throws {
    let policy = try SmallPolicy()
    let outcomes = try policy.update(by: policy.rollout(), learningRate: 0.05) {
      $0.iterations = 2
      $0.lossType = .grpo
    }
    #expect(outcomes.count == 2)
    #expect(outcomes[0].metrics["clip_ratio/region_mean"] == 0)
    #expect(try #require(outcomes[1].metrics["clip_ratio/region_mean"]) > 0)
    let clips = outcomes[1].completions.flatMap { $0.clips ?? [] }
    #expect(clips.contains { $0 != 0 })
    #expect(outcomes[1].metrics["sampler/logp_difference_max"] == nil)
  }

  @Test("equal rewards move nothing")
  func equalRewards() throws {
    let policy = try SmallPolicy()
    let before = policy.bits
    let outcomes = try policy.update(by: policy.rollout { _, _ in 3 })
    #expect(outcomes[0].metrics["grad_norm"] == 0)
    #expect(policy.bits == before)
  }

  @Test("each part of a rollout is an update of its own, in order and by whole groups")
  func parts() throws {
    let policy = try SmallPolicy()
    let rollout = policy.rollout()
    let outcomes = try policy.update(by: rollout, updatesPerRollout: 2) { $0.iterations = 2 }
    #expect(outcomes.map(\.update) == [0, 1, 2, 3])
    #expect(outcomes.map(\.policyStep) == [1, 2, 3, 4])
    let draws = outcomes.map { Set($0.completions.map(\.draw)) }
    #expect(draws == [[0, 1], [2, 3], [0, 1], [2, 3]])
  }

  /// Micro-batches change the order of float32 sums: after one AdamW step of 1e-2 weights agree to the
  /// step times a relative 1e-2 but where a gradient is nearly zero, so that its sign decides.
  @Test("micro-batches change the memory, not the mathematics", arguments: [1, 20, 60])
  func microBatches(limit: Int) throws {
    let whole = try SmallPolicy()
    let parted = try SmallPolicy()
    let rollout = whole.rollout()
    let one = try whole.update(by: rollout)[0]
    let many = try parted.update(by: rollout, cut: UpdateCut(rows: limit))[0]
    for name in ["loss", "entropy"] {
      #expect(one.metrics[name] == many.metrics[name], "\(name)")
    }
    let (a, b) = try (#require(one.metrics["grad_norm"]), #require(many.metrics["grad_norm"]))
    #expect(abs(a - b) <= 1e-5 * a)
    for (a, b) in zip(whole.model.parameters.tensors, parted.model.parameters.tensors) {
      let differences = zip(a.values, b.values).map { abs($0 - $1) }
      let mean = differences.reduce(0, +) / Float(differences.count)
      #expect(mean < 1e-4, "\(a.name)")
    }
  }

  @Test("dropped groups are left out, as if they had not been drawn")
  func droppedGroups() throws {
    let whole = try SmallPolicy()
    let dropping = try SmallPolicy()
    var rollout = whole.rollout()
    var without = rollout
    without.groups.remove(at: 1)
    rollout.groups[1].isDropped = true
    _ = try whole.update(by: without)
    let outcome = try dropping.update(by: rollout)[0]
    #expect(!outcome.completions.contains { $0.draw == 1 })
    #expect(dropping.bits == whole.bits)
  }

  @Test("the weights don't move before the commit has returned, nor where it failed")
  func waitsForTheCommit() throws {
    struct DiskFull: Error {}
    let policy = try SmallPolicy()
    let rollout = policy.rollout()
    let before = policy.bits
    #expect(throws: DiskFull.self) {
      try policy.update(by: rollout, beforeMove: { throw DiskFull() })
    }
    #expect(policy.bits == before)
    var wasUnmoved = false
    _ = try policy.update(by: rollout, beforeMove: { wasUnmoved = policy.bits == before })
    #expect(wasUnmoved && policy.bits != before)
  }

  @Test("a log-probability that isn't finite stops the run and names its trajectory")
  func nonfinite() throws {
    let policy = try SmallPolicy()
    var rollout = policy.rollout()
    rollout.groups[2].completions[4].samplerLogProbabilities?[0] = .nan
    let error = #expect(throws: NonfiniteError.self) { try policy.update(by: rollout) }
    let sentence = try #require(error).description
    for part in ["step 1", "row 3 of data.jsonl", "sample 4", "not finite"] {
      #expect(sentence.contains(part), "\(sentence)")
    }
    let before = policy.bits
    let skipped = try policy.update(by: rollout, skipsNonfinite: true)
    #expect(skipped[0].metrics["skipped_updates"] == 1)
    #expect(policy.bits == before)
    // What an update left out leaves no gradient behind for the next.
    rollout = policy.rollout { _, _ in 1 }
    _ = try policy.update(by: rollout)
    #expect(policy.bits == before)
  }

  @Test("weights that overflow are caught at their update")
  func overflow() throws {
    let policy = try SmallPolicy()
    let rollout = policy.rollout()
    guard case .matrix(let head) = policy.model.parameters.tensors[0].storage else { return }
    head.fill(from: [Float](repeating: .infinity, count: head.rows * head.columns))
    #expect(throws: NonfiniteError.self) { try policy.update(by: rollout) }
  }

  @Test("the same update twice gives the same bits")
  func repeats() throws {
    let once = try SmallPolicy()
    let twice = try SmallPolicy()
    let rollout = once.rollout()
    let first = try once.update(by: rollout) { $0.iterations = 3 }
    let second = try twice.update(by: rollout) { $0.iterations = 3 }
    #expect(once.bits == twice.bits)
    #expect(first == second)
  }
}
