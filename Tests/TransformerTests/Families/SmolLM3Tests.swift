import Rollouts
import Testing

@testable import Transformer

/// Its numbers are PyTorch's in `GoldenModelTests`.
@Suite("SmolLM 3")
struct SmolLM3Tests {
  private func attention(_ changes: [String: JSONValue?]) throws -> [GroupedQueryAttention.Design] {
    try ModelConfiguration(json: configurationJSON("smollm3", changes)).design.layers
      .compactMap { $0.attention as? GroupedQueryAttention.Design }
  }

  @Test("left out, each fourth layer does not rotate, θ is 2 million and the head is tied")
  func defaults() throws {
    let layers = try attention([
      "num_hidden_layers": 9, "rope_theta": .none, "num_key_value_heads": .none,
    ])
    #expect(
      layers.map { $0.rotation == nil }
        == [false, false, false, true, false, false, false, true, false])
    #expect(layers[0].rotation?.embedding == RotaryEmbedding(theta: 2_000_000))
    #expect(layers.allSatisfy { $0.keyValueHeadCount == 4 && $0.window == nil })
    let tied = try ModelConfiguration(
      json: configurationJSON("smollm3", ["tie_word_embeddings": .none]))
    #expect(tied.tiesEmbeddings)
  }

  @Test("a list of layers wins over the interval; layers without rotation alone have the window")
  func layers() throws {
    let layers = try attention([
      "num_hidden_layers": 3, "no_rope_layers": [1, 0, 1], "no_rope_layer_interval": 2,
      "use_sliding_window": true, "sliding_window": 5,
    ])
    #expect(layers.map { $0.rotation == nil } == [false, true, false])
    #expect(layers.map(\.window) == [nil, 5, nil])
  }

  @Test("a list of another length is refused by name")
  func fault() throws {
    let error = try #require(throws: ModelError.self) {
      try attention(["num_hidden_layers": 3, "no_rope_layers": [1, 0]])
    }
    #expect(error.faults.map(\.subject) == ["no_rope_layers"])
  }
}
