import Foundation
import Rollouts
import Tensors
import Testing

@testable import Transformer

extension SmallModel {
  /// The model frozen, with adapters that are far from zero.
  func adapted(
    _ adapter: AdapterConfiguration = AdapterConfiguration(rank: 3, alpha: 7),
    element: ElementType = .float32
  ) throws -> Parameters {
    let base = try make().parameters
    let parameters = Parameters(
      frozen: base.configuration, adapter: adapter, element: { _ in element })
    for (mine, theirs) in zip(parameters.tensors, base.tensors) {
      mine.storage.fill(from: theirs.values)
    }
    for (index, tensor) in parameters.trained.enumerated() {
      let random = Philox(seed: 21, purpose: .data, step: index)
      let scale = 1 / Double(tensor.shape[1]).squareRoot()
      tensor.storage.fill(
        from: (0..<tensor.storage.count).map { Float(scale * random.normal(at: $0)) })
    }
    return parameters
  }
}

extension Parameters {
  /// The base alone, all float32 and all trained.
  func widenedBase() -> Parameters {
    let plain = Parameters(zero: configuration)
    for (mine, theirs) in zip(plain.tensors, tensors) {
      mine.storage.fill(from: theirs.values)
    }
    return plain
  }
}

@Suite("Adapters")
struct AdapterTests {
  static let groups = [
    TokenGroup(
      prompt: randomTokens(19, below: 61, stream: 1),
      completions: (2...4).map { randomTokens(5 * $0, below: 61, stream: $0) }),
    TokenGroup(prompt: [4], completions: [randomTokens(33, below: 61, stream: 9)]),
  ]

  static func bits(_ model: LanguageModel) -> [UInt32] {
    ScoringPass(model).score(PackedBatch(groups)).bits
  }

  @Test(
    "sampler = scoring = training, bit for bit", arguments: SmallModel.all,
    [ElementType.float32, .bfloat16])
  func onePolicy(small: SmallModel, element: ElementType) throws {
    for threads in 1...2 {
      let model = LanguageModel(
        try small.adapted(element: element), compute: Compute(threads: threads))
      try OnePolicyTests.expectOnePolicy(
        model, OnePolicyTests.settings(), requests: OnePolicyTests.requests(model))
    }
  }

  @Test(
    "the same bits on every instruction-set table",
    arguments: InstructionSet.allCases.filter(\.isSupported))
  func instructionSets(set: InstructionSet) throws {
    let parameters = try SmallModel.biased.adapted(element: .bfloat16)
    let found = Self.bits(
      LanguageModel(parameters, compute: Compute(threads: 1, instructionSet: set)))
    #expect(found == Self.bits(LanguageModel(parameters, compute: Compute(threads: 2))))
  }

  @Test("switched off, it is the base, bit for bit", arguments: SmallModel.all)
  func switchedOff(small: SmallModel) throws {
    let parameters = try small.adapted()
    let compute = Compute(threads: 1)
    let base = Self.bits(LanguageModel(parameters.widenedBase(), compute: compute))
    #expect(
      Self.bits(LanguageModel(parameters, compute: compute, appliesAdapter: false)) == base)
    #expect(Self.bits(LanguageModel(parameters, compute: compute)) != base)
  }

  @Test("a new one changes nothing yet", arguments: SmallModel.all)
  func fresh(small: SmallModel) throws {
    let parameters = try small.adapted()
    parameters.initializeAdapters(seed: 3)
    let compute = Compute(threads: 1)
    #expect(
      Self.bits(LanguageModel(parameters, compute: compute))
        == Self.bits(LanguageModel(parameters.widenedBase(), compute: compute)))
  }

  @Test("a new A is uniform in ±1/√inputs, B is zero, and both are the seed's")
  func initialization() throws {
    let parameters = try SmallModel.llama.adapted(AdapterConfiguration(rank: 8, alpha: 8))
    parameters.initializeAdapters(seed: 3)
    let again = Parameters(copying: parameters, compute: Compute(threads: 1))
    again.initializeAdapters(seed: 3)
    var other = false
    for (tensor, same) in zip(parameters.trained, again.trained) {
      let values = tensor.values
      #expect(values == same.values)
      guard tensor.name.hasSuffix("lora_A.weight") else {
        #expect(values.allSatisfy { $0 == 0 })
        continue
      }
      let bound = 1 / Float(tensor.shape[1]).squareRoot()
      #expect(values.allSatisfy { abs($0) <= bound })
      // The greatest of 288 or more uniform numbers is below 0.9 of the bound with chance 0.9²⁸⁸.
      #expect(values.contains { abs($0) > 0.9 * bound })
      let mean = values.reduce(0, +) / Float(values.count)
      #expect(abs(mean) < 4 * bound / (3 * Float(values.count)).squareRoot())
    }
    again.initializeAdapters(seed: 4)
    for (tensor, changed) in zip(parameters.trained, again.trained) {
      other = other || tensor.values != changed.values
    }
    #expect(other)
  }

  @Test("a bfloat16 base gives the bits of its widened copy, at half the bytes")
  func bfloat16() throws {
    let parameters = try SmallModel.qwen2.adapted(element: .bfloat16)
    let compute = Compute(threads: 1)
    #expect(
      Self.bits(LanguageModel(parameters, compute: compute, appliesAdapter: false))
        == Self.bits(LanguageModel(parameters.widenedBase(), compute: compute)))
    guard case .matrix(let matrix) = parameters.tensors[0].storage else {
      Issue.record("the embedding is a matrix")
      return
    }
    #expect(matrix.byteCount == 2 * matrix.layout.count)
  }

  @Test("a copy shares the frozen base and has adapters of its own")
  func copies() throws {
    let parameters = try SmallModel.qwen3.adapted()
    let compute = Compute(threads: 1)
    let copy = Parameters(copying: parameters, compute: compute)
    #expect(copy.matrix(.model(0)) === parameters.matrix(.model(0)))
    let before = Self.bits(LanguageModel(copy, compute: compute))
    #expect(before == Self.bits(LanguageModel(parameters, compute: compute)))
    parameters.initializeAdapters(seed: 1)
    #expect(before == Self.bits(LanguageModel(copy, compute: compute)))
    #expect(before != Self.bits(LanguageModel(parameters, compute: compute)))
  }

  @Test("targets by their last part, by their whole name, and all of them")
  func targets() {
    func adapts(_ targets: [String], _ layer: String) -> Bool {
      AdapterConfiguration(rank: 1, alpha: 1, targets: targets).adapts(layer)
    }
    let layer = "model.layers.10.self_attn.q_proj"
    #expect(adapts(["q_proj"], layer))
    #expect(adapts(["k_proj", "self_attn.q_proj"], layer))
    #expect(adapts([layer], layer))
    #expect(adapts(["all-linear"], layer))
    #expect(!adapts(["proj"], layer))
    #expect(!adapts(["layers.0.self_attn.q_proj"], layer))
    #expect(!adapts([], layer))
  }

  @Test("targets that a model lacks are named, with the nearest that it has")
  func unknownTargets() throws {
    let model = try SmallModel.llama.make().configuration
    let faults = AdapterConfiguration(rank: 2, alpha: 1, targets: ["q_porj", "lm_head", "v_proj"])
      .faults(for: model)
    #expect(faults.count == 2)
    #expect(faults.first?.contains("did you mean 'q_proj'?") == true)
    #expect(faults.last?.contains("is not a layer that can have an adapter") == true)
    #expect(!AdapterConfiguration(rank: 4096, alpha: 1).faults(for: model).isEmpty)
    #expect(AdapterConfiguration(rank: 12, alpha: 1).faults(for: model).isEmpty)
  }
}
