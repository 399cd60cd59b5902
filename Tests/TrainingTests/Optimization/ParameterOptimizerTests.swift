import Foundation
import Tensors
import Testing
import Transformer

@testable import Training

@Suite("AdamW with clipping")
struct ParameterOptimizerTests {
  /// AdamW over all tensors in double precision, as torch.optim.AdamW and clip_grad_norm_ define it.
  struct Reference {
    var weights: [[Double]]
    var first: [[Double]]
    var second: [[Double]]
    var step = 0

    init(_ parameters: Parameters) {
      weights = parameters.tensors.map { $0.values.map(Double.init) }
      first = weights.map { $0.map { _ in 0 } }
      second = first
    }

    mutating func update(
      by gradients: [[Double]], _ settings: ParameterOptimizer.Settings, _ rules: [ParameterRule],
      factor: Double
    ) -> Double {
      step += 1
      let norm = gradients.joined().reduce(0) { $0 + $1 * $1 }.squareRoot()
      let limit = settings.maxGradientNorm
      let scale = limit > 0 ? min(1, limit / (norm + 1e-6)) : 1
      let correction1 = 1 - pow(settings.beta1, Double(step))
      let correction2 = 1 - pow(settings.beta2, Double(step))
      for tensor in weights.indices {
        let rate = rules[tensor].learningRate * factor
        for index in weights[tensor].indices {
          let g = gradients[tensor][index] * scale
          first[tensor][index] = settings.beta1 * first[tensor][index] + (1 - settings.beta1) * g
          second[tensor][index] =
            settings.beta2 * second[tensor][index] + (1 - settings.beta2) * g * g
          let direction =
            first[tensor][index] / correction1
            / ((second[tensor][index] / correction2).squareRoot() + settings.epsilon)
          weights[tensor][index] -=
            rate * (direction + rules[tensor].weightDecay * weights[tensor][index])
        }
      }
      return norm
    }
  }

  private func setGradients(_ gradients: Gradients, _ parameters: Parameters, step: Int)
    -> [[Double]]
  {
    parameters.tensors.enumerated().map { index, tensor in
      let random = Philox(seed: UInt64(step), purpose: .data, step: index)
      let values = (0..<tensor.storage.count).map { Float(random.normal(at: $0)) }
      tensor.storage.fill(from: values, in: gradients.parts[index])
      return values.map(Double.init)
    }
  }

  @Test("agrees with a reference in double precision", arguments: [0.0, 1.0, 1e6])
  func reference(limit: Double) throws {
    let policy = try SmallPolicy()
    let parameters = policy.model.parameters
    let settings = ParameterOptimizer.Settings(
      beta1: 0.8, beta2: 0.95, epsilon: 1e-6, maxGradientNorm: limit)
    let rules = ParameterRule.rules(
      for: parameters, base: ParameterRule(learningRate: 1e-2, weightDecay: 0.1),
      exempt: .normsAndBiases,
      groups: [
        (pattern: "*norm*", learningRate: nil, weightDecay: 0),
        (pattern: "model.layers.0.*", learningRate: 3e-2, weightDecay: nil),
      ])
    #expect(Set(rules.map(\.learningRate)) == [1e-2, 3e-2])
    let optimizer = ParameterOptimizer(
      parameters, compute: policy.model.compute, settings: settings, rules: rules)
    var reference = Reference(parameters)
    let gradients = Gradients(of: parameters)
    for step in 1...4 {
      let plain = setGradients(gradients, parameters, step: step)
      let report = optimizer.update(
        by: gradients, optimizer.clip(gradients), learningRateFactor: 1 / Double(step))
      let norm = reference.update(by: plain, settings, rules, factor: 1 / Double(step))
      #expect(abs(report.gradientNorm - norm) < 1e-9 * norm)
      #expect(report.isApplied && optimizer.updates == step)
      #expect(gradients.arena.values.allSatisfy { $0 == 0 })
    }
    for (tensor, want) in zip(parameters.tensors, reference.weights) {
      // Four float32 steps of weights around 1: some 1e-7 each.
      let error = zip(tensor.values, want).map { abs(Double($0) - $1) }.max() ?? 0
      #expect(error < 2e-6, "\(tensor.name)")
    }
  }

  @Test("weights that an update throws out of the numbers are named")
  func nonfiniteWeights() throws {
    let policy = try SmallPolicy()
    let parameters = policy.model.parameters
    let optimizer = ParameterOptimizer(
      parameters, compute: policy.model.compute, settings: ParameterOptimizer.Settings(),
      rules: parameters.trained.indices.map { index in
        ParameterRule(learningRate: index == 2 ? 1e300 : 1e-3, weightDecay: 0)
      })
    let gradients = Gradients(of: parameters)
    _ = setGradients(gradients, parameters, step: 1)
    let report = optimizer.update(by: gradients, optimizer.clip(gradients), learningRateFactor: 1)
    #expect(report.nonfiniteTensor == parameters.trained[2].name)
  }

  @Test(
    "a gradient that isn't finite moves nothing, counts nothing and is gone",
    arguments: [
      Float.nan, .infinity,
    ])
  func nonfinite(value: Float) throws {
    let policy = try SmallPolicy()
    let before = policy.bits
    let optimizer = ParameterOptimizer(
      policy.model.parameters, compute: policy.model.compute,
      settings: ParameterOptimizer.Settings(),
      rules: policy.model.parameters.tensors.map { _ in
        ParameterRule(learningRate: 1, weightDecay: 1)
      })
    let gradients = Gradients(of: policy.model.parameters)
    gradients.parts[3].elements(0..<1).fill(from: [value])
    let report = optimizer.update(by: gradients, optimizer.clip(gradients), learningRateFactor: 1)
    #expect(!report.isApplied && !report.gradientNorm.isFinite && optimizer.updates == 0)
    #expect(policy.bits == before)
    #expect(gradients.parts[3].values[0] == 0)
  }

  @Test("norms and biases don't decay, unless a group says so")
  func exemptFromDecay() throws {
    let parameters = try SmallPolicy().model.parameters
    func decays(
      _ groups: [(pattern: String, learningRate: Double?, weightDecay: Double?)],
      exempt: WeightDecayExemption = .normsAndBiases
    ) -> [String: Double] {
      let rules = ParameterRule.rules(
        for: parameters, base: ParameterRule(learningRate: 1, weightDecay: 0.1), exempt: exempt,
        groups: groups)
      return Dictionary(
        uniqueKeysWithValues: zip(parameters.trained.map(\.name), rules.map(\.weightDecay)))
    }
    for (name, decay) in decays([]) {
      #expect(decay == (name.contains("norm") || name.hasSuffix("bias") ? 0 : 0.1), "\(name)")
    }
    #expect(decays([("model.norm.weight", nil, 0.2)])["model.norm.weight"] == 0.2)
    #expect(decays([("*", 3, nil)])["model.norm.weight"] == 0)
    #expect(Set(decays([], exempt: .none).values) == [0.1])
  }

  @Test(
    "what counts as a norm or a bias, by transformers' patterns",
    arguments: [
      ("model.layers.0.input_layernorm.weight", true), ("model.norm.weight", true),
      ("model.layers.0.self_attn.q_norm.weight", true), ("norm", true),
      ("model.layers.0.self_attn.q_proj.bias", true), ("model.RMSNorm.weight", true),
      ("model.layers.0.mlp.gate.e_score_correction_bias", true),
      ("model.layers.0.self_attn.q_proj.weight", false), ("lm_head.weight", false),
      ("model.embed_tokens.weight", false), ("model.normal.weight", false),
      ("model.layers.0.self_attn.sinks", false), ("base.q_proj.lora_A.weight", false),
    ])
  func exemptNames(name: String, isExempt: Bool) {
    #expect(ParameterRule.isNormOrBias(name) == isExempt)
  }

  @Test(
    "globs",
    arguments: [
      ("*", "anything", true), ("", "", true), ("", "a", false), ("a?c", "abc", true),
      ("a?c", "ac", false), ("*norm*", "model.norm.weight", true), ("*norm", "norm.weight", false),
      ("model.layers.*.q_proj.*", "model.layers.12.self_attn.q_proj.weight", true),
      ("model.layers.?.*", "model.layers.12.self_attn.q_proj.weight", false),
      ("*a*b*c", "aXbXbc", true), ("*a*b*c", "aXbXcb", false), ("**", "x", true),
    ])
  func globs(pattern: String, text: String, matches: Bool) {
    #expect(Glob(pattern).matches(text) == matches)
  }

  @Test("a glob of many stars ends soon on a text that it nearly matches")
  func hostileGlob() {
    let pattern = String(repeating: "*a", count: 200) + "b"
    #expect(!Glob(pattern).matches(String(repeating: "a", count: 5000)))
  }
}
