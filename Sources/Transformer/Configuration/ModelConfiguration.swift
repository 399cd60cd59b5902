import Foundation
import Rollouts

/// What a model is made of: the checked content of a Hugging Face folder's config.json and
/// generation_config.json.
///
/// A value that exists is sound: counts are positive and bounded, heads divide evenly, the rotary
/// part is one that is implemented. H heads, K key-value heads, D head size, C hidden size.
public struct ModelConfiguration: Sendable, Equatable {
  /// The family.
  public let architecture: Architecture
  /// C, the size of a token's state.
  public let hiddenSize: Int
  /// The size inside the feed-forward part.
  public let intermediateSize: Int
  /// The number of layers.
  public let layerCount: Int
  /// H, the number of query heads; a multiple of `keyValueHeadCount`.
  public let headCount: Int
  /// K, the number of key and value heads.
  public let keyValueHeadCount: Int
  /// D, the size of a head; even; H · D need not be C.
  public let headSize: Int
  /// The number of rows of the embedding.
  public let vocabularySize: Int
  /// The longest sequence, in tokens.
  public let maximumPositions: Int
  /// ε of the RMS norms.
  public let normEpsilon: Float
  /// The position embedding.
  public let rope: RotaryEmbedding
  /// Whether the head is the embedding's own matrix.
  public let tiesEmbeddings: Bool
  /// Whether queries, keys and values have biases.
  public let attentionBias: Bool
  /// Whether the attention's output has a bias.
  public let attentionOutputBias: Bool
  /// Whether the three products of the feed-forward part have biases.
  public let mlpBias: Bool
  /// Whether each head of queries and keys passes an RMS norm of its own before it is turned.
  public let normalizesQueriesAndKeys: Bool
  /// The token that begins a text, if any.
  public let beginTokenID: TokenID?
  /// The token that pads a batch, if any; nothing here pads, it is kept for others.
  public let padTokenID: TokenID?
  /// The tokens that end a completion: generation_config.json's, then config.json's.
  public let endTokenIDs: [TokenID]
  /// The whole of config.json, keys unknown here included, as it is written again.
  public let original: JSONObject
  /// The whole of generation_config.json, where there is one.
  public let generation: JSONObject?

  let slidingWindow: Int?
  /// Which layers have the window; nil for all of them.
  let slidingLayers: [Bool]?

  /// How many positions a token of the layer sees, itself included; nil where it sees all.
  ///
  /// A window that the longest sequence fits in is no window.
  public func slidingWindow(layer: Int) -> Int? {
    guard let slidingWindow, slidingWindow < maximumPositions else { return nil }
    if let slidingLayers, !slidingLayers[layer] { return nil }
    return slidingWindow
  }
}
