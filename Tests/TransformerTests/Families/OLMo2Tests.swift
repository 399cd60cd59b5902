import Rollouts
import Testing

@testable import Transformer

/// Its numbers are PyTorch's in `GoldenModelTests`.
@Suite("OLMo 2")
struct OLMo2Tests {
  @Test("norms stand after the parts, and over whole queries and keys")
  func design() throws {
    let configuration = try ModelConfiguration(
      json: configurationJSON("olmo2", ["rms_norm_eps": .none]))
    for layer in configuration.design.layers {
      #expect(layer.aroundAttention.normBefore == nil && layer.aroundFeedForward.normBefore == nil)
      #expect(layer.aroundAttention.normAfter?.name == "post_attention_layernorm")
      #expect(layer.aroundFeedForward.normAfter?.name == "post_feedforward_layernorm")
      let attention = try #require(layer.attention as? GroupedQueryAttention.Design)
      #expect(attention.queryKeyNorm == .init(epsilon: 1e-5, isPerHead: false))
    }
  }
}
