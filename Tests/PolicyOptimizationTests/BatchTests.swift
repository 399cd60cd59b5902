import Testing

@testable import PolicyOptimization

@Suite("Batches")
struct BatchTests {
  @Test("micro-batches keep the order, the budget, and every item")
  func microBatches() {
    #expect(
      MicroBatches.ranges(lengths: [3, 3, 3, 9, 1], budget: 6) == [0..<2, 2..<3, 3..<4, 4..<5])
    #expect(MicroBatches.ranges(lengths: [], budget: 6).isEmpty)
    #expect(MicroBatches.ranges(lengths: [7, 7], budget: 0) == [0..<1, 1..<2])
  }

  @Test("dynamic sampling draws what is missing, up to its limit")
  func dynamicSampling() {
    let sampling = DynamicSampling(maximumDraws: 3)
    #expect(sampling.decision(kept: 5, wanted: 8, draws: 1) == .draw(prompts: 3))
    #expect(sampling.decision(kept: 8, wanted: 8, draws: 1) == .full)
    #expect(sampling.decision(kept: 6, wanted: 8, draws: 3) == .exhausted(missing: 2))
  }

  @Test("prompts of middling success are drawn most, and none never")
  func priority() {
    let untried = PromptRecord(attempts: 0, successes: 0)
    let solved = PromptRecord(attempts: 64, successes: 64)
    let half = PromptRecord(attempts: 64, successes: 32)
    #expect(untried.weight == 1 && half.weight == 1)
    #expect(solved.weight > 0 && solved.weight < 0.07)
  }

  @Test("a tenth of what a reward model is trained on is history (DeepSeekMath §4.1.4)")
  func historyReplay() {
    let replay = HistoryReplay()
    let chosen = replay.indices(history: 5000, fresh: 900, seed: 7, iteration: 2)
    #expect(chosen.count == 100 && Set(chosen).count == 100 && chosen == chosen.sorted())
    #expect(chosen.allSatisfy { (0..<5000).contains($0) })
    #expect(chosen == replay.indices(history: 5000, fresh: 900, seed: 7, iteration: 2))
    #expect(chosen != replay.indices(history: 5000, fresh: 900, seed: 7, iteration: 3))
    // Spread over the history: its first half holds 50 ± 5 standard deviations.
    #expect((25...75).contains(chosen.count { $0 < 2500 }))
    #expect(replay.indices(history: 3, fresh: 900, seed: 7, iteration: 1) == [0, 1, 2])
    #expect(replay.indices(history: 0, fresh: 900, seed: 7, iteration: 1).isEmpty)
  }
}
