import Rollouts
import Tensors
import Testing

@testable import Transformer

/// Their numbers are PyTorch's in `GoldenModelTests`.
@Suite("Families with routed experts")
struct ExpertFamiliesTests {
  static func experts(_ modelType: String, _ changes: [String: JSONValue?] = [:]) throws
    -> [RoutedExperts.Design?]
  {
    try ModelConfiguration(json: configurationJSON(modelType, changes)).design.layers.map {
      $0.feedForward as? RoutedExperts.Design
    }
  }

  @Test("Qwen 3's dense layers are those of mlp_only_layers and of a sparse step")
  func denseLayers() throws {
    func isRouted(_ changes: [String: JSONValue?]) throws -> [Bool] {
      try Self.experts("qwen3_moe", ["num_hidden_layers": 4].merging(changes) { $1 })
        .map { $0 != nil }
    }
    #expect(try isRouted([:]) == [true, true, true, true])
    #expect(try isRouted(["decoder_sparse_step": 2]) == [false, true, false, true])
    #expect(try isRouted(["mlp_only_layers": [0, 3]]) == [false, true, true, false])
  }

  @Test("keys left out take transformers' values")
  func defaults() throws {
    func routing(_ modelType: String) throws -> (ExpertRouting, Int) {
      let design = try #require(try Self.experts(modelType, ["intermediate_size": 33])[0])
      return (design.routing, design.intermediateSize)
    }
    #expect(
      try routing("qwen3_moe") == (.init(expertCount: 128, chosenCount: 8, normalizes: false), 768))
    #expect(
      try routing("qwen2_moe") == (.init(expertCount: 60, chosenCount: 4, normalizes: false), 1408))
    #expect(try routing("olmoe") == (.init(expertCount: 64, chosenCount: 8, normalizes: false), 33))
    #expect(try routing("mixtral") == (.init(expertCount: 8, chosenCount: 2, normalizes: true), 33))
  }

  @Test("Qwen 2's shared expert stands behind a gate, and a window that is not used may be 0")
  func shared() throws {
    let design = try #require(
      try Self.experts("qwen2_moe", ["sliding_window": 0, "shared_expert_intermediate_size": 21])[0]
    )
    #expect(design.shared?.intermediateSize == 21 && design.sharedGate != nil)
  }

  @Test("experts are named as their files name them")
  func names() throws {
    let mixtral = try ModelConfiguration(json: configurationJSON("mixtral"))
    let names = Set(mixtral.tensorLayout.map(\.name))
    for name in ["gate", "experts.0.w1", "experts.7.w2", "experts.3.w3"] {
      #expect(names.contains("model.layers.1.block_sparse_moe.\(name).weight"))
    }
    // A router is no map that LoRA adapts.
    #expect(!mixtral.linearLayers.contains { $0.name.hasSuffix("gate") })
    #expect(mixtral.linearLayers.contains { $0.name.hasSuffix("experts.7.w2") })
  }

  @Test("gpt-oss rotates by YaRN where the file says nothing, and mxfp4 is refused with a remedy")
  func gptOss() throws {
    let design = try ModelConfiguration(json: configurationJSON("gpt_oss")).design
    let attention = try #require(design.layers[1].attention as? GroupedQueryAttention.Design)
    #expect(attention.hasSinks && attention.window == nil)
    #expect(
      attention.rotation?.embedding.amplitude == RotaryEmbedding.Yarn.attentionFactor(scaledBy: 32))
    let error = try #require(throws: ModelError.self) {
      try ModelConfiguration(
        json: configurationJSON(
          "gpt_oss", ["quantization_config": ["quant_method": "mxfp4"]]))
    }
    #expect(
      error.kind == .unsupported && error.description.contains("Mxfp4Config(dequantize=True)"))
  }

  @Test(
    "faults are named",
    arguments: [
      ("qwen3_moe", ["num_experts": 0], "num_experts: expected"),
      (
        "qwen3_moe", ["num_experts": 4, "num_experts_per_tok": 5], "num_experts_per_tok: 5 is more"
      ),
      ("qwen3_moe", ["mlp_only_layers": "none"], "mlp_only_layers: expected a list"),
      ("olmoe", ["clip_qkv": 8], "clip_qkv"), ("mixtral", ["hidden_act": "relu"], "hidden_act"),
    ] as [(String, [String: JSONValue?], String)])
  func faults(modelType: String, changes: [String: JSONValue?], phrase: String) throws {
    let error = try #require(throws: ModelError.self) { try Self.experts(modelType, changes) }
    #expect(error.description.contains(phrase), "\(error)")
  }
}
