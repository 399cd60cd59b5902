/// Qwen 3: queries and keys are normed per head; a head size of its own; sliding windows by layer.
enum Qwen3: ModelFamily {
  static let modelType = "qwen3"
  static let className = "Qwen3ForCausalLM"

  static func design(_ config: inout ConfigurationReader) throws(ModelError) -> ModelDesign {
    let sizes = config.decoderSizes(maximumPositions: 32_768)
    let heads = config.heads(of: sizes, keyValueCount: 32, size: 128)
    let rotation = try config.rotation(of: heads, maximumPositions: sizes.maximumPositions)
    let hasBias = config.boolean("attention_bias", default: false)
    let windows = config.windowsByLayer(of: sizes, default: 4096)
    let feedForward = config.gatedFeedForward(of: sizes)
    return sizes.preNormDesign { layer in
      let attention = GroupedQueryAttention.Design(
        hiddenSize: sizes.hiddenSize, headCount: heads.count,
        keyValueHeadCount: heads.keyValueCount, headSize: heads.size, hasBias: hasBias,
        hasOutputBias: hasBias, queryKeyNorm: .init(epsilon: sizes.normEpsilon),
        rotation: rotation, scale: heads.scale, window: windows[layer])
      return (attention, feedForward)
    }
  }
}
