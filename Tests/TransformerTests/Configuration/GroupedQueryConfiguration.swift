@testable import Transformer

// What the tests ask of families whose layers are grouped-query attention and a gated feed-forward part.
extension ModelConfiguration {
  func attention(layer: Int = 0) -> GroupedQueryAttention.Design {
    guard let design = design.layers[layer].attention as? GroupedQueryAttention.Design else {
      preconditionFailure("\(modelType) has another attention part")
    }
    return design
  }

  var feedForward: GatedFeedForward.Design {
    guard let design = design.layers[0].feedForward as? GatedFeedForward.Design else {
      preconditionFailure("\(modelType) has another feed-forward part")
    }
    return design
  }

  var headCount: Int { attention().headCount }
  var keyValueHeadCount: Int { attention().keyValueHeadCount }
  var headSize: Int { attention().headSize }
  var attentionBias: Bool { attention().hasBias }
  var attentionOutputBias: Bool { attention().hasOutputBias }
  var mlpBias: Bool { feedForward.hasBias }
  var normalizesQueriesAndKeys: Bool { attention().queryKeyNorm != nil }
  var normEpsilon: Float { design.finalNorm.epsilon }
  var rope: RotaryEmbedding? { attention().rotation?.embedding }
  func slidingWindow(layer: Int) -> Int? { attention(layer: layer).window }
}
