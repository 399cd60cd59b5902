import Rollouts
import Tensors
import Testing

@testable import Transformer

@Suite("Training in two bytes")
struct PrecisionTests {
  /// Gradients of a fixed scalar, over batches of groups.
  private func gradients(
    _ model: LanguageModel, batches: [[TokenGroup]] = [AdapterTests.groups]
  ) -> [[Float]] {
    let pass = TrainingPass(model)
    for groups in batches {
      let batch = PackedBatch(groups)
      _ = pass.forward(batch)
      pass.backward(dLogProbability: batch.targets.map { Float($0.token % 7) - 3 })
    }
    return pass.gradients.parts.map(\.values)
  }

  private func norm(_ values: [[Float]]) -> Double {
    values.joined().reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
  }

  /// Models whose results move little where operands are rounded: a token may be sent to another expert.
  static let smooth = {
    let routed = [SmallModel.experts, .sharedExpert, .sigmoidExperts].map(\.name)
    return SmallModel.all.filter { !routed.contains($0.name) }
  }()

  @Test(
    "gradients are float32's up to the rounding of operands",
    arguments: smooth, [(Precision.bf16, 0.25), (.fp16, 0.04)])
  func gradients(small: SmallModel, precision: (Precision, Double)) throws {
    let exact = gradients(try small.make())
    let rounded = gradients(try small.make(compute: Compute(threads: 2, precision: precision.0)))
    let difference = zip(exact, rounded).map { zip($0, $1).map { $0 - $1 } }
    #expect(norm(difference) < precision.1 * norm(exact))
    #expect(norm(difference) > 0)
  }

  /// What products add up: an embedding and norms are sums of their own, in order of the batches.
  @Test(
    "micro-batches of whole groups change no bit, odd ones among them",
    arguments: [SmallModel.llama, .qwen3], [Precision.bf16, .fp16])
  func microBatches(small: SmallModel, precision: Precision) throws {
    let groups = (0..<3).map { index in
      TokenGroup(
        prompt: randomTokens(3 + 2 * index, below: 61, stream: index),
        completions: [
          randomTokens(6, below: 61, stream: 10 + index),
          randomTokens(5 + index, below: 61, stream: 20 + index),
        ])
    }
    func bits(_ batches: [[TokenGroup]]) throws -> [[UInt32]] {
      let model = try small.make(compute: Compute(threads: 1, precision: precision))
      return zip(model.parameters.trained, gradients(model, batches: batches))
        .filter { $0.0.name.hasSuffix("_proj.weight") }.map { $0.1.map(\.bitPattern) }
    }
    let whole = try bits([groups])
    #expect(try bits(groups.map { [$0] }) == whole)
    #expect(try bits([Array(groups.prefix(2)), Array(groups.suffix(1))]) == whole)
  }

  @Test("log-probabilities are float32's up to the rounding of operands", arguments: smooth)
  func logProbabilities(small: SmallModel) throws {
    func scored(_ precision: Precision) throws -> [Float] {
      let model = try small.make(compute: Compute(threads: 1, precision: precision))
      return ScoringPass(model).score(PackedBatch(AdapterTests.groups)).logProbabilities
    }
    let exact = try scored(.float32)
    for (precision, limit) in [(Precision.bf16, Float(0.2)), (.fp16, 0.025)] {
      let error =
        zip(try scored(precision), exact).map { ($0 - $1).magnitude }.reduce(0, +)
        / Float(exact.count)
      #expect(error < limit && error > 0, "\(precision)")
    }
  }
}
