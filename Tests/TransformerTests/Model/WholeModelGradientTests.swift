import Rollouts
import Tensors
import Testing

@testable import Transformer

/// The backward pass of whole models against differences of their forward pass.
///
/// For a direction d of one tensor, Σ g·d is held against the central difference with Richardson's
/// extrapolation, (4 D(h/2) − D(h)) / 3 with D(h) = (L(θ + h d) − L(θ − h d)) / 2h, whose error is O(h⁴).
@Suite("Gradients of whole models")
struct WholeModelGradientTests {
  /// A scalar of the statistics: Σ wᵢ log πᵢ + Σ uᵢ Hᵢ, with weights that a stream decides.
  struct Loss {
    var batch: PackedBatch
    var distribution: Distribution
    var logProbabilityWeights: [Float]
    var entropyWeights: [Float]

    init(_ model: LanguageModel, temperature: Float, keepsSets: Bool) {
      let vocabulary = model.configuration.vocabularySize
      batch = PackedBatch([
        TokenGroup(
          prompt: randomTokens(17, below: vocabulary, stream: 1),
          completions: (2...4).map { randomTokens(4 * $0, below: vocabulary, stream: $0) }),
        TokenGroup(
          prompt: randomTokens(3, below: vocabulary, stream: 9),
          completions: [[], [5], randomTokens(20, below: vocabulary, stream: 8)]),
      ])
      let random = Philox(seed: 3, purpose: .data)
      let count = batch.targets.count
      logProbabilityWeights = (0..<count).map { Float(random.normal(at: $0)) }
      entropyWeights = (0..<count).map { Float(random.normal(at: count + $0)) }
      distribution = Distribution(temperature: temperature)
      if keepsSets {
        distribution.keptSets = batch.targets.enumerated().map { index, target in
          switch index % 3 {
          case 0: return nil
          case 1: return .except([target.token == 7 ? 8 : 7])
          default:
            let others = randomTokens(9, below: vocabulary, stream: 50 + index)
            return .only(Set(others + [target.token]).sorted())
          }
        }
      }
    }

    func value(_ pass: ScoringPass) -> Double {
      let statistics = pass.score(batch, under: distribution)
      var sum = 0.0
      for index in batch.targets.indices {
        sum += Double(logProbabilityWeights[index]) * Double(statistics.logProbabilities[index])
        sum += Double(entropyWeights[index]) * Double(statistics.entropies[index])
      }
      return sum
    }
  }

  struct Case: Sendable, CustomTestStringConvertible {
    var small: SmallModel
    var temperature: Float
    var keepsSets: Bool
    var testDescription: String {
      "\(small.name), temperature \(temperature)\(keepsSets ? ", kept sets" : "")"
    }
  }

  static let cases =
    SmallModel.all.map { Case(small: $0, temperature: 1, keepsSets: false) } + [
      Case(small: .llama, temperature: 0.6, keepsSets: false),
      Case(small: .qwen3, temperature: 1.7, keepsSets: true),
      // Masked logits, −∞, pass through the cap's gradient.
      Case(small: .gemma2, temperature: 0.7, keepsSets: true),
    ]

  @Test("agree with central differences, entropies included", arguments: cases)
  func differences(of example: Case) throws {
    let model = try example.small.make(compute: Compute(threads: 2))
    var loss = Loss(model, temperature: example.temperature, keepsSets: example.keepsSets)
    let pass = TrainingPass(model)
    _ = pass.forward(loss.batch, under: loss.distribution)
    pass.backward(
      dLogProbability: loss.logProbabilityWeights, dEntropy: loss.entropyWeights)
    // A choice of experts has no derivative: it stays as it was.
    loss.batch.givenRoutes = pass.routes
    let scoring = ScoringPass(model)
    for (index, tensor) in model.parameters.tensors.enumerated() {
      let gradient = plainGradient(pass, tensor, index)
      let norm = gradient.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      let direction = Self.direction(count: gradient.count, stream: index)
      let derivative = zip(gradient, direction).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
      let measured = Self.difference(of: tensor, along: direction) { loss.value(scoring) }
      // The loss is a sum of about 80 float32 numbers, each good to 1e-6: 1e-5 over 2h = 0.04.
      let size = max(abs(derivative), norm / Double(gradient.count).squareRoot())
      #expect(
        abs(measured - derivative) <= 4e-3 * size + 1e-3,
        "\(tensor.name): \(derivative) against \(measured)")
      // Experts that no token was sent to, and what chooses them, change nothing.
      let mayHaveNone = tensor.name.contains(".experts.") || tensor.role == .selectionBias
      #expect(norm > 0 || mayHaveNone && measured == 0, "\(tensor.name) has no gradient")
    }
  }

  /// A unit vector of signs.
  static func direction(count: Int, stream: Int) -> [Float] {
    let random = Philox(seed: 11, purpose: .data, step: stream)
    let size = 1 / Float(count).squareRoot()
    return (0..<count).map { random.integer(below: 2, at: $0) == 0 ? size : -size }
  }

  static func difference(
    of tensor: ParameterTensor, along direction: [Float], _ value: () -> Double
  ) -> Double {
    let original = tensor.values
    defer { tensor.storage.fill(from: original) }
    func central(_ step: Float) -> Double {
      tensor.storage.fill(from: zip(original, direction).map { $0 + step * $1 })
      let above = value()
      tensor.storage.fill(from: zip(original, direction).map { $0 - step * $1 })
      return (above - value()) / Double(2 * step)
    }
    let step: Float = 0.02
    return (4 * central(step / 2) - central(step)) / 3
  }

  private func plainGradient(
    _ pass: TrainingPass, _ tensor: ParameterTensor, _ index: Int
  ) -> [Float] {
    tensor.storage.values(in: pass.gradients.parts[index])
  }

  /// Sums of the same products in another order: float32 rounding, some 1e-6 of each tensor's size.
  @Test("micro-batches add up to the whole, also where they part a group")
  func microBatches() throws {
    let model = try SmallModel.qwen3.make(compute: Compute(threads: 2))
    let vocabulary = model.configuration.vocabularySize
    let group = TokenGroup(
      prompt: randomTokens(19, below: vocabulary, stream: 1),
      completions: (2...7).map { randomTokens(3 * $0, below: vocabulary, stream: $0) })
    let other = TokenGroup(prompt: [3, 4], completions: [[5, 6, 7], [8]])
    func gradients(_ batches: [[TokenGroup]]) -> [[Float]] {
      let pass = TrainingPass(model)
      for groups in batches {
        let batch = PackedBatch(groups)
        _ = pass.forward(batch)
        pass.backward(
          dLogProbability: batch.targets.map { Float($0.token % 7) - 3 },
          dEntropy: batch.targets.map { Float($0.token % 5) - 2 })
      }
      return model.parameters.tensors.enumerated().map { plainGradient(pass, $1, $0) }
    }
    func part(_ range: Range<Int>) -> TokenGroup {
      TokenGroup(prompt: group.prompt, completions: Array(group.completions[range]))
    }
    let whole = gradients([[group, other]])
    for split in [[[group], [other]], [[part(0..<2)], [part(2..<6), other]]] {
      for (index, (sum, expected)) in zip(gradients(split), whole).enumerated() {
        let size = expected.map(abs).max() ?? 0
        let error = zip(sum, expected).map { abs($0 - $1) }.max() ?? 0
        #expect(error <= 2e-5 * size, "\(model.parameters.tensors[index].name)")
      }
    }
  }

  @Test("the gradient's bits depend neither on threads nor on earlier batches")
  func repeatable() throws {
    func bits(threads: Int, after earlier: Bool) throws -> [[UInt32]] {
      let model = try SmallModel.biased.make(compute: Compute(threads: threads))
      let pass = TrainingPass(model)
      if earlier {
        let batch = PackedBatch([
          TokenGroup(prompt: [1, 2], completions: [Array(repeating: 9, count: 90)])
        ])
        _ = pass.forward(batch)
        pass.backward(dLogProbability: batch.targets.map { _ in 1 })
        pass.gradients.reset(model.compute)
      }
      let loss = Loss(model, temperature: 1, keepsSets: false)
      _ = pass.forward(loss.batch)
      pass.backward(dLogProbability: loss.logProbabilityWeights)
      return model.parameters.tensors.enumerated().map {
        plainGradient(pass, $1, $0).map(\.bitPattern)
      }
    }
    let once = try bits(threads: 2, after: false)
    #expect(try bits(threads: 2, after: true) == once)
  }
}
