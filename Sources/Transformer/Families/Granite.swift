/// Granite 3 (dense): Llama's layers with four multipliers, of embeddings, scores, what the parts add, and logits.
enum Granite: ModelFamily {
  static let modelType = "granite"
  static let className = "GraniteForCausalLM"

  static func design(_ config: inout ConfigurationReader) throws(ModelError) -> ModelDesign {
    let sizes = config.decoderSizes(maximumPositions: 2048)
    let heads = config.heads(of: sizes)
    let rotation = try config.rotation(of: heads, maximumPositions: sizes.maximumPositions)
    let hasBias = config.boolean("attention_bias", default: false)
    let attention = GroupedQueryAttention.Design(
      hiddenSize: sizes.hiddenSize, headCount: heads.count, keyValueHeadCount: heads.keyValueCount,
      headSize: heads.size, hasBias: hasBias, hasOutputBias: hasBias, rotation: rotation,
      scale: multiplier("attention_multiplier", &config))
    let feedForward = config.gatedFeedForward(
      of: sizes, hasBias: config.boolean("mlp_bias", default: false))
    var design = sizes.preNormDesign { _ in (attention, feedForward) }
    design.embeddingScale = multiplier("embedding_multiplier", &config)
    // Logits are divided by it.
    design.logitScale = 1 / multiplier("logits_scaling", &config)
    let added = multiplier("residual_multiplier", &config)
    for layer in design.layers.indices {
      design.layers[layer].aroundAttention.multiplier = added
      design.layers[layer].aroundFeedForward.multiplier = added
    }
    return design
  }

  private static func multiplier(_ key: String, _ config: inout ConfigurationReader) -> Float {
    Float(config.positiveNumber(key, below: 1e6) ?? 1)
  }
}
