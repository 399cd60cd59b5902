import Rollouts
import Tensors
import Testing

@testable import Transformer

/// Their numbers are PyTorch's in `GoldenModelTests`.
@Suite("Gemma")
struct GemmaTests {
  private func read(
    _ modelType: String, _ changes: [String: JSONValue?] = [:]
  ) throws -> ModelConfiguration {
    try ModelConfiguration(json: configurationJSON(modelType, changes))
  }

  @Test("Gemma 2 left out: caps of 50 and 30, heads of 256, a window on even layers, a tied head")
  func gemma2() throws {
    let configuration = try read(
      "gemma2",
      ["head_dim": .none, "max_position_embeddings": .none, "num_key_value_heads": .none])
    #expect(configuration.design.logitCap == 30 && configuration.design.embeddingScale == 8)
    #expect(configuration.tiesEmbeddings && configuration.maximumPositions == 8192)
    #expect(configuration.headSize == 256 && configuration.keyValueHeadCount == 4)
    #expect(configuration.feedForward.activation == .geluTanh)
    #expect(
      (0..<4).map { configuration.slidingWindow(layer: $0) } == [4096, nil, 4096, nil])
    #expect(configuration.attention().scoreCap == 50 && configuration.attention().scale == 1 / 16)
    for layer in configuration.design.layers {
      #expect(layer.aroundAttention.normAfter?.kind == .rmsAroundOne)
      #expect(layer.aroundFeedForward.normBefore?.name == "pre_feedforward_layernorm")
    }
    let uncapped = try read(
      "gemma2", ["attn_logit_softcapping": .null, "final_logit_softcapping": .null])
    #expect(uncapped.attention().scoreCap == nil && uncapped.design.logitCap == nil)
  }

  @Test("Gemma 3's two rotations, in the older and the newer spelling")
  func gemma3() throws {
    let older = try read(
      "gemma3_text",
      [
        "sliding_window": 9, "sliding_window_pattern": 3, "rope_theta": 5e5,
        "rope_local_base_freq": 2e4, "rope_scaling": ["rope_type": "linear", "factor": 8],
      ])
    let newer = try read(
      "gemma3_text",
      [
        "sliding_window": 9,
        "layer_types": [
          "sliding_attention", "sliding_attention", "full_attention", "sliding_attention",
        ],
        "rope_parameters": [
          "full_attention": ["rope_type": "linear", "factor": 8, "rope_theta": 5e5],
          "sliding_attention": ["rope_type": "default", "rope_theta": 2e4],
        ],
      ])
    for configuration in [older, newer] {
      let layers = (0..<4).map { configuration.attention(layer: $0) }
      #expect(layers.map(\.window) == [9, 9, nil, 9])
      #expect(layers[0].rotation?.embedding == RotaryEmbedding(theta: 2e4))
      #expect(
        layers[2].rotation?.embedding
          == RotaryEmbedding(theta: 5e5, scaling: .linear(factor: 8)))
      #expect(layers[0].queryKeyNorm?.kind == .rmsAroundOne && layers[0].scoreCap == nil)
    }
    let plain = try read("gemma3_text", ["num_hidden_layers": 6])
    #expect(plain.attention(layer: 0).rotation?.embedding == RotaryEmbedding(theta: 1e4))
    #expect(plain.attention(layer: 5).rotation?.embedding == RotaryEmbedding(theta: 1e6))
    #expect(plain.design.logitCap == nil)
  }

  @Test("what can't be done is refused by name", arguments: ["gemma2", "gemma3_text"])
  func refused(_ modelType: String) throws {
    let error = try #require(throws: ModelError.self) {
      try read(modelType, ["use_bidirectional_attention": true])
    }
    #expect(error.kind == .unsupported)
    #expect(error.faults.map(\.subject) == ["use_bidirectional_attention"])
  }
}
