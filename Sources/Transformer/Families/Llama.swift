/// Llama 1 to 3, SmolLM, TinyLlama: no biases unless the configuration says so.
enum Llama: ModelFamily {
  static let modelType = "llama"
  static let className = "LlamaForCausalLM"

  static func design(_ config: inout ConfigurationReader) throws(ModelError) -> ModelDesign {
    let sizes = config.decoderSizes(maximumPositions: 2048)
    let heads = config.heads(of: sizes)
    let rotation = try config.rotation(of: heads, maximumPositions: sizes.maximumPositions)
    let hasBias = config.boolean("attention_bias", default: false)
    let attention = GroupedQueryAttention.Design(
      hiddenSize: sizes.hiddenSize, headCount: heads.count, keyValueHeadCount: heads.keyValueCount,
      headSize: heads.size, hasBias: hasBias, hasOutputBias: hasBias, rotation: rotation,
      scale: heads.scale)
    let feedForward = config.gatedFeedForward(
      of: sizes, hasBias: config.boolean("mlp_bias", default: false))
    return sizes.preNormDesign { _ in (attention, feedForward) }
  }
}
