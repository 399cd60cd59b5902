import Rollouts
import Testing

@testable import Transformer

/// Its numbers are PyTorch's in `GoldenModelTests`.
@Suite("Granite")
struct GraniteTests {
  private func read(_ changes: [String: JSONValue?]) throws -> ModelConfiguration {
    try ModelConfiguration(json: configurationJSON("granite", changes))
  }

  @Test("each multiplier stands where it belongs")
  func multipliers() throws {
    let design = try read([
      "embedding_multiplier": 12, "attention_multiplier": 0.015_625, "residual_multiplier": 0.22,
      "logits_scaling": 8,
    ]).design
    #expect(design.embeddingScale == 12 && design.logitScale == 0.125)
    for layer in design.layers {
      #expect((layer.attention as? GroupedQueryAttention.Design)?.scale == 0.015_625)
      #expect(layer.aroundAttention.multiplier == 0.22)
      #expect(layer.aroundFeedForward.multiplier == 0.22)
    }
  }

  @Test("left out they are 1, as in transformers, and 0 is refused by name")
  func defaults() throws {
    let design = try read([:]).design
    #expect(design.embeddingScale == 1 && design.logitScale == 1)
    #expect((design.layers[0].attention as? GroupedQueryAttention.Design)?.scale == 1)
    #expect(design.layers[0].aroundAttention.multiplier == 1)
    let error = try #require(throws: ModelError.self) { try read(["logits_scaling": 0]) }
    #expect(error.faults.map(\.subject) == ["logits_scaling"])
  }
}
