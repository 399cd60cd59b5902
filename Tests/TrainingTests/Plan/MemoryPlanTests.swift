import Tensors
import Testing
import Transformer

@testable import Training

@Suite("Memory plans")
struct MemoryPlanTests {
  /// The shape of SmolLM2-135M.
  private func smolLM2() throws -> ModelConfiguration {
    try .llama(
      vocabularySize: 49152, hiddenSize: 576, intermediateSize: 1536, layerCount: 30, headCount: 9,
      keyValueHeadCount: 3, maximumPositions: 8192, endTokenIDs: [0])
  }

  private func demand(
    steps: [[Int]], groupSize: Int = 4, completionLength: Int = 64
  ) throws -> MemoryDemand {
    MemoryDemand(
      model: try smolLM2(), steps: steps, groupSize: groupSize, completionLength: completionLength,
      concurrency: 128)
  }

  @Test("the largest micro-batch is that of the packed groups")
  func microBatches() throws {
    var demand = try demand(steps: [[100, 50], [30, 200]])
    demand.cut.rows = 2048
    // The second step's two groups together: 30 + 200 + 2 · 4 · 63, since a last token predicts nothing.
    #expect(demand.largestMicroBatch.rows == 734)
    #expect(demand.largestMicroBatch.targets == 512)
    demand.cut.rows = 600
    // One group at a time: 200 + 4 · 63.
    #expect(demand.largestMicroBatch.rows == 452)
    demand.cut.rows = 300
    // Groups in pieces: 100 + 3 · 63 is the largest that fits.
    #expect(demand.largestMicroBatch.rows == 289)
    demand.cut.rows = 10
    // Less than a prompt and one completion can't be.
    #expect(demand.largestMicroBatch.rows == 263)
  }

  @Test("updates of a part of a rollout hold a part of it")
  func updatesPerRollout() throws {
    var demand = try demand(steps: [[10, 10, 10, 10]])
    demand.updatesPerRollout = 2
    #expect(demand.largestMicroBatch.rows == 2 * (10 + 252))
  }

  @Test("SmolLM2-135M in full fits 3 GiB at 2 × 4 × 64 with prompts of 256")
  func smallModelInFull() throws {
    let fitted = try demand(steps: [[256, 256]]).fit(within: 3 << 30, rows: nil, recomputes: nil)
    #expect(MemoryPlan(fitted).peak <= 3 << 30)
    #expect(!fitted.cut.recomputesActivations)
  }

  @Test("activations are computed again where they would not fit, and only there")
  func recomputation() throws {
    let demand = try demand(steps: [[256, 256]])
    let whole = MemoryPlan(demand).peak
    func fitted(_ limit: Int, recomputes: Bool? = nil) -> MemoryDemand {
      demand.fit(within: limit, rows: nil, recomputes: recomputes)
    }
    #expect(fitted(whole).cut == UpdateCut(rows: 2048))
    // A single group's rows still fit: cheaper than computing again.
    let parted = fitted(whole - (64 << 20))
    #expect(!parted.cut.recomputesActivations && parted.cut.rows < 2048)
    let again = fitted(whole - (400 << 20))
    #expect(again.cut.recomputesActivations)
    #expect(MemoryPlan(again).peak <= whole - (400 << 20))
    #expect(fitted(whole, recomputes: true).cut.recomputesActivations)
    #expect(!fitted(1 << 20, recomputes: false).cut.recomputesActivations)
    // Where nothing fits, it is the least.
    #expect(fitted(1 << 20).cut == UpdateCut(rows: 320, recomputesActivations: true))
  }

  @Test(
    "in bf16 SmolLM2-135M fits 2.5 GiB, and a token keeps 0.6 of float32's activations and cache")
  func halves() throws {
    var demand = try demand(steps: [[32, 32]], completionLength: 32)
    demand.precision = .bf16
    demand.keyValueElement = .bfloat16
    #expect(MemoryPlan(demand).peak <= 5 << 29)
    let costs = try smolLM2().rowCosts()
    let kept = Double(costs.savedOfLayers.reduce(0, +)) * 4
    let narrow = Double(costs.operandsOfLayers.reduce(0, +)) * 2
    let (cache, narrowCache) = (
      Double(try smolLM2().cacheBytesPerToken()),
      Double(try smolLM2().cacheBytesPerToken(.bfloat16))
    )
    #expect(kept - narrow + narrowCache <= 0.6 * (kept + cache))
    #expect(narrowCache == cache / 2)
  }

  @Test("rows that were asked for stay")
  func givenRows() throws {
    let demand = try demand(steps: [[256, 256]])
    let fitted = demand.fit(within: 1 << 20, rows: 777, recomputes: nil)
    #expect(fitted.cut == UpdateCut(rows: 777, recomputesActivations: true))
  }

  @Test("an adapter's gradients and moments are its own, and a bfloat16 base takes two bytes")
  func adapters() throws {
    let model = try smolLM2()
    var demand = try demand(steps: [[32, 32]])
    // The program and the records of completions are the same in both.
    let rest = MemoryPlan.program + demand.recordBytes
    let whole = MemoryPlan(demand).resident.reduce(0) { $0 + $1.bytes }
    demand.adapter = AdapterConfiguration(rank: 32, alpha: 32)
    demand.element = { _ in .bfloat16 }
    let frozen = MemoryPlan(demand).resident.reduce(0) { $0 + $1.bytes }
    let adapters = AdapterConfiguration(rank: 32, alpha: 32).parameterCount(for: model)
    let norms = model.hiddenSize * (2 * model.layerCount + 1)
    #expect(whole - rest == 16 * model.parameterCount)
    #expect(
      frozen - rest
        == 2 * (model.parameterCount - norms) + 4 * norms + 16 * adapters)
  }

  @Test("nothing is sampled where rollouts are recorded")
  func recorded() throws {
    var demand = try demand(steps: [[32]])
    demand.concurrency = 0
    #expect(MemoryPlan(demand).sampling.isEmpty)
    demand.concurrency = 2
    #expect(demand.sessions[0].completions == 2)
  }
}
