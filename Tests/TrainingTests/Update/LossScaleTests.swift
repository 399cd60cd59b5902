import PolicyOptimization
import Tensors
import Testing
import TrajectoryStore
import Transformer

@testable import Training

@Suite("Updates in two bytes")
struct LossScaleTests {
  @Test("a loss scale grows after quiet updates and shrinks where gradients overflow")
  func schedule() {
    var scale = LossScale(initial: 1024, growthInterval: 3, factor: 2)
    for _ in 0..<2 { scale.update(overflowed: false) }
    scale.update(overflowed: true)
    #expect(scale.scale == 512 && scale.skipped == 1 && scale.applied == 0)
    for _ in 0..<3 { scale.update(overflowed: false) }
    #expect(scale.scale == 1024 && scale.applied == 0)
  }

  @Test("the first ratios are 1 in every precision", arguments: Precision.allCases)
  func ratios(precision: Precision) throws {
    let policy = try SmallPolicy(precision: precision)
    let scale =
      precision == .fp16 ? LossScale(initial: 1024, growthInterval: 2000, factor: 2) : nil
    let outcome = try policy.update(by: policy.rollout(), lossScale: scale)[0]
    #expect(outcome.metrics["sampler/logp_difference_max"] == 0)
    #expect(outcome.metrics["skipped_updates"] == nil)
    let ratios = outcome.completions.flatMap { $0.ratios ?? [] }
    #expect(!ratios.isEmpty && ratios.allSatisfy { $0 == 1 })
  }

  @Test("scaling by a power of two changes nothing but what would have vanished")
  func scaling() throws {
    let (plain, scaled) = (try SmallPolicy(), try SmallPolicy())
    let rollout = plain.rollout()
    let expected = try plain.update(by: rollout)[0].metrics
    let metrics = try scaled.update(
      by: rollout, lossScale: LossScale(initial: 4096, growthInterval: 2000, factor: 2))[0].metrics
    #expect(metrics["loss_scale"] == 4096)
    #expect(metrics["grad_norm"] == expected["grad_norm"])
    #expect(scaled.bits == plain.bits)
  }

  @Test("an update whose gradient overflows is left out, and the next is scaled down")
  func overflow() throws {
    let policy = try SmallPolicy(precision: .fp16)
    let before = policy.bits
    // Gradients of float16 overflow at 65,504.
    let outcomes = try policy.update(
      by: policy.rollout(), updatesPerRollout: 4,
      lossScale: LossScale(initial: 0x1p34, growthInterval: 2000, factor: 65_536))
    #expect(outcomes[0].metrics["skipped_updates"] == 1)
    #expect(outcomes[0].policyStep == 0)
    #expect(outcomes[1].metrics["loss_scale"] == 0x1p18)
    let last = try #require(outcomes.last)
    #expect(last.metrics["skipped_updates"] == nil && last.policyStep >= 1)
    #expect(policy.bits != before)
  }

  @Test("a gradient that is not finite at the least scale either stops the run")
  func hopeless() throws {
    let policy = try SmallPolicy(precision: .fp16)
    let rollout = policy.rollout()
    guard case .matrix(let head) = policy.model.parameters.tensors[0].storage else { return }
    head.fill(from: [Float](repeating: .infinity, count: head.rows * head.columns))
    let error = #expect(throws: NonfiniteError.self) {
      try policy.update(by: rollout, lossScale: LossScale(initial: 1, growthInterval: 9, factor: 2))
    }
    #expect(try #require(error).description.contains("bf16"))
  }
}
