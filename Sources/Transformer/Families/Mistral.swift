/// Mistral: Llama's layers with a sliding window, and no biases whatever the configuration says.
enum Mistral: ModelFamily {
  static let modelType = "mistral"
  static let className = "MistralForCausalLM"

  static func design(_ config: inout ConfigurationReader) throws(ModelError) -> ModelDesign {
    let sizes = config.decoderSizes(maximumPositions: 131_072)
    let heads = config.heads(of: sizes, keyValueCount: 8)
    let rotation = try config.rotation(of: heads, maximumPositions: sizes.maximumPositions)
    let attention = GroupedQueryAttention.Design(
      hiddenSize: sizes.hiddenSize, headCount: heads.count, keyValueHeadCount: heads.keyValueCount,
      headSize: heads.size, rotation: rotation, scale: heads.scale,
      window: config.window(of: sizes, default: 4096))
    let feedForward = config.gatedFeedForward(of: sizes)
    return sizes.preNormDesign { _ in (attention, feedForward) }
  }
}
