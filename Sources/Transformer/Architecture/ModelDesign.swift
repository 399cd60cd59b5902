// What a family's file chooses, as values without memory: which parts a model is made of, and what stands around them.
//
//     x₀ = s · E[token] + P[position]                        P where positions are learned
//     x  = x + m · norm_after(part(norm_before(x)))        for both parts of each layer
//     logits = t · norm(x_L) W_headᵀ, softly capped where the family caps them: c · tanh(logits / c)

/// A decoder-only model.
struct ModelDesign: Sendable {
  /// C, the size of a token's state.
  var hiddenSize: Int
  /// The rows of the embedding.
  var vocabularySize: Int
  /// The longest sequence, in tokens.
  var maximumPositions: Int
  /// What begins every tensor's name but the head's, where files of the bare model may leave it out.
  var basePrefix: String?
  /// What files may hold besides, and what means nothing here.
  var passedOver = PassedOverTensors()
  /// The name of the embedding, without `.weight`.
  var embedding = "model.embed_tokens"
  /// The name of the positions' own embedding, without `.weight`, where positions are learned: a row for each.
  var positionEmbedding: String?
  /// s, what embeddings are multiplied by.
  var embeddingScale: Float = 1
  /// From the first up.
  var layers: [LayerDesign]
  /// The norm before the head.
  var finalNorm: NormDesign
  /// The name of the head, without `.weight`.
  var head = "lm_head"
  /// Whether the head is the embedding's own matrix.
  var tiesEmbeddings: Bool
  /// t, what logits are multiplied by.
  var logitScale: Float = 1
  /// c, where logits z are softly capped: c · tanh(z / c).
  var logitCap: Float?
}

/// Tensors that files may hold though the model does not use them, by how their names begin or end.
struct PassedOverTensors: Sendable {
  var prefixes: [String] = []
  /// Old checkpoints stored the frequencies of rotations.
  var suffixes = ["rotary_emb.inv_freq"]

  func contains(_ name: String) -> Bool {
    prefixes.contains { name.hasPrefix($0) } || suffixes.contains { name.hasSuffix($0) }
  }
}

/// A layer: attention, then the feed-forward part.
struct LayerDesign: Sendable {
  /// Put before the names of its tensors: `model.layers.0.`.
  var prefix: String
  var attention: any AttentionDesign
  var feedForward: any FeedForwardDesign
  var aroundAttention: Surroundings
  var aroundFeedForward: Surroundings
}

/// What stands around a part of a layer.
struct Surroundings: Sendable {
  /// Before the part; nil where the part takes the stream itself.
  var normBefore: NormDesign?
  /// Between the part and the stream.
  var normAfter: NormDesign?
  /// m, what the part's output is multiplied by.
  var multiplier: Float = 1
}

/// A norm of rows.
struct NormDesign: Sendable {
  /// Its tensor's name after the layer's prefix, without `.weight`.
  var name: String
  /// The numbers that are normalised together.
  var columns: Int
  var epsilon: Float
  var kind = Norm.Kind.rms
  /// Whether a vector is added behind it.
  var hasBias = false
}

/// An attention part as a family chooses it.
protocol AttentionDesign: Sendable {
  /// Declares the part, its tensors in the order in which they are listed everywhere.
  func part(_ declaration: inout Declaration) -> any AttentionPart
}

/// A feed-forward part as a family chooses it.
protocol FeedForwardDesign: Sendable {
  /// Declares the part, its tensors in the order in which they are listed everywhere.
  func part(_ declaration: inout Declaration) -> any FeedForwardPart
}
