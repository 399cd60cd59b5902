import Tensors

/// GPT-2: layer norms with biases, learned positions, one tensor for queries, keys and values, no gate; matrices are
/// [inputs, outputs] in files, and stay so.
enum GPT2: ModelFamily {
  static let modelType = "gpt2"
  static let className = "GPT2LMHeadModel"
  static let classPrefix = "GPT2"

  static func design(_ config: inout ConfigurationReader) throws(ModelError) -> ModelDesign {
    if config.boolean("add_cross_attention", default: false) {
      throw ModelError(
        .unsupported, path: config.path, subject: "add_cross_attention",
        "attention to another model's states is not supported")
    }
    let sizes = DecoderSizes(
      hiddenSize: config.integer("n_embd", in: 1...Limits.hiddenSize, default: 768),
      layerCount: config.integer("n_layer", in: 1...Limits.layerCount, default: 12),
      vocabularySize: config.integer("vocab_size", in: 1...Limits.vocabularySize, default: 50_257),
      maximumPositions: config.integer("n_positions", in: 1...Limits.positions, default: 1024),
      normEpsilon: Float(config.positiveNumber("layer_norm_epsilon", below: 1) ?? 1e-5),
      tiesEmbeddings: config.boolean("tie_word_embeddings", default: true), normKind: .layer,
      normHasBias: true)
    let feedForward = feedForward(of: sizes, &config)
    let attention = attention(of: sizes, &config)
    // Scores may be divided by the layer's number too.
    let isByLayer = config.boolean("scale_attn_by_inverse_layer_idx", default: false)
    return ModelDesign(
      hiddenSize: sizes.hiddenSize, vocabularySize: sizes.vocabularySize,
      maximumPositions: sizes.maximumPositions, basePrefix: "transformer.",
      // Old checkpoints stored the causal masks.
      passedOver: .init(suffixes: [".attn.bias", ".attn.masked_bias"]),
      embedding: "transformer.wte",
      positionEmbedding: "transformer.wpe",
      layers: (0..<sizes.layerCount).map { layer in
        var own = attention
        if isByLayer { own.scale /= Float(layer + 1) }
        return LayerDesign(
          prefix: "transformer.h.\(layer).", attention: own, feedForward: feedForward,
          aroundAttention: Surroundings(normBefore: sizes.norm("ln_1")),
          aroundFeedForward: Surroundings(normBefore: sizes.norm("ln_2")))
      },
      finalNorm: sizes.norm("transformer.ln_f"), tiesEmbeddings: sizes.tiesEmbeddings)
  }

  private typealias Limits = ConfigurationReader.Limits

  private static func attention(
    of sizes: DecoderSizes, _ config: inout ConfigurationReader
  ) -> GroupedQueryAttention.Design {
    let count = config.integer("n_head", in: 1...Limits.headCount, default: 12)
    if !config.isFaulty("n_head"), !config.isFaulty("n_embd"), sizes.hiddenSize % count != 0 {
      config.note("n_head", "\(count) does not divide n_embd (\(sizes.hiddenSize))")
    }
    let size = max(1, sizes.hiddenSize / count)
    let isScaled = config.boolean("scale_attn_weights", default: true)
    return GroupedQueryAttention.Design(
      hiddenSize: sizes.hiddenSize, headCount: count, keyValueHeadCount: count, headSize: size,
      names: .init(fused: "attn.c_attn", output: "attn.c_proj"), storage: .fused,
      isTransposed: true, hasBias: true, hasOutputBias: true,
      scale: isScaled ? 1 / Float(size).squareRoot() : 1)
  }

  private static func feedForward(
    of sizes: DecoderSizes, _ config: inout ConfigurationReader
  ) -> PlainFeedForward.Design {
    let size = config.optionalInteger("n_inner", in: 1...Limits.intermediateSize)
    config.requireActivation(.geluTanh, key: "activation_function")
    return PlainFeedForward.Design(
      hiddenSize: sizes.hiddenSize, intermediateSize: size ?? 4 * sizes.hiddenSize,
      activation: .geluTanh, hasBias: true, entrance: "mlp.c_fc", exit: "mlp.c_proj",
      isTransposed: true)
  }
}
