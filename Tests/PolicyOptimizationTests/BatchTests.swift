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
}
