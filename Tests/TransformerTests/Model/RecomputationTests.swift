import Rollouts
import Tensors
import Testing

@testable import Transformer

@Suite("Activations computed again")
struct RecomputationTests {
  /// The bits of every statistic and every gradient after two micro-batches.
  private func bits(
    _ model: LanguageModel, recomputing: Bool
  ) -> (statistics: [UInt32], gradients: [[UInt32]]) {
    let pass = TrainingPass(model, recomputesActivations: recomputing)
    var statistics: [UInt32] = []
    // A batch of fewer rows follows one of more: scratch then holds what is no longer meant.
    for groups in [AdapterTests.groups, Array(AdapterTests.groups.suffix(1))] {
      let batch = PackedBatch(groups)
      statistics += pass.forward(batch, under: Distribution(temperature: 0.8)).bits
      pass.backward(
        dLogProbability: batch.targets.indices.map { Float($0 % 7) - 3 },
        dEntropy: batch.targets.indices.map { Float($0 % 5) / 4 })
    }
    let gradients = pass.gradients.parts.map { $0.values.map(\.bitPattern) }
    return (statistics, gradients)
  }

  private func expectSame(_ model: LanguageModel) {
    let kept = bits(model, recomputing: false)
    let again = bits(model, recomputing: true)
    #expect(kept.statistics == again.statistics)
    #expect(kept.gradients == again.gradients)
    // Experts that no token was sent to have no gradient, and what they are chosen by has none ever.
    for (tensor, gradient) in zip(model.parameters.trained, kept.gradients)
    where tensor.role != .selectionBias && !tensor.name.contains(".experts.") {
      #expect(gradient.contains { $0 != 0 }, "\(tensor.name)")
    }
  }

  @Test("give the same gradients, bit for bit", arguments: SmallModel.all)
  func everything(small: SmallModel) throws {
    for threads in 1...2 { expectSame(try small.make(compute: Compute(threads: threads))) }
  }

  @Test("give the same gradients of adapters, bit for bit", arguments: SmallModel.all)
  func adapters(small: SmallModel) throws {
    for adapter in [
      AdapterConfiguration(rank: 3, alpha: 7),
      AdapterConfiguration(rank: 2, alpha: 3, targets: ["down_proj", "layers.0.self_attn.v_proj"]),
    ] {
      expectSame(
        LanguageModel(
          try small.adapted(adapter, element: .bfloat16), compute: Compute(threads: 2)))
    }
  }

  @Test("serve a model of one layer", arguments: 0..<3)
  func oneLayer(number: Int) throws {
    var small = SmallModel(random: number)
    small.json["num_hidden_layers"] = 1
    small.json["vocab_size"] = 61
    expectSame(try small.make())
  }
}
