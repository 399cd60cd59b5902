import Rollouts
import Testing

@testable import Transformer

/// Its numbers are PyTorch's in `GoldenModelTests`.
@Suite("Phi 3")
struct Phi3Tests {
  private func read(_ changes: [String: JSONValue?] = [:]) throws -> ModelConfiguration {
    try ModelConfiguration(json: configurationJSON("phi3", changes))
  }

  @Test("queries, keys and values are one tensor, and gate and up another; no bias, no window")
  func tensors() throws {
    let configuration = try read()
    let shapes = Dictionary(
      uniqueKeysWithValues: configuration.blueprint().tensors.map {
        ($0.specification.name, $0.specification.shape)
      })
    #expect(shapes["model.layers.0.self_attn.qkv_proj.weight"] == [(8 + 2 * 4) * 8, 64])
    #expect(shapes["model.layers.0.mlp.gate_up_proj.weight"] == [192, 64])
    #expect(shapes.count == 2 + 1 + 4 * 6)
    #expect(configuration.slidingWindow(layer: 0) == nil)
  }

  @Test("the part of a head that is rotated, in both spellings")
  func partialRotation() throws {
    let outer = try read(["partial_rotary_factor": 0.75])
    let inner = try read([
      "rope_parameters": ["rope_type": "default", "partial_rotary_factor": 0.75]
    ])
    for configuration in [outer, inner] {
      #expect(configuration.attention().rotation?.size == 6)
    }
    let error = try #require(throws: ModelError.self) { try read(["partial_rotary_factor": 0.4]) }
    #expect(error.faults.map(\.subject) == ["partial_rotary_factor"])
  }

  @Test("LongRoPE under each of its names: short factors within the original length")
  func longRope() throws {
    for kind in ["longrope", "su", "yarn"] {
      let configuration = try read([
        "original_max_position_embeddings": 32,
        "rope_scaling": [
          "type": .string(kind), "short_factor": [1, 1.5, 2, 4], "long_factor": [8, 8, 8, 8],
        ],
      ])
      #expect(configuration.maximumPositions == 32)
      let rope = try #require(configuration.rope)
      // √(1 + ln 16 / ln 32): 512 positions are 16 times 32.
      #expect(abs(rope.amplitude - 1.3416407864998738) < 1e-14)
      let plain = RotaryEmbedding(theta: 10_000).inverseFrequencies(headSize: 8)
      #expect(
        rope.inverseFrequencies(headSize: 8)
          == [plain[0], plain[1] / 1.5, plain[2] / 2, plain[3] / 4])
    }
    let error = try #require(throws: ModelError.self) {
      try read(["rope_scaling": ["type": "longrope", "short_factor": [1, 2]]])
    }
    #expect(error.faults.map(\.subject) == ["rope_scaling.short_factor"])
  }
}
