/// Qwen 2 and 2.5: biases on queries, keys and values, whatever the configuration says; sliding windows by layer.
enum Qwen2: ModelFamily {
  static let modelType = "qwen2"
  static let className = "Qwen2ForCausalLM"

  static func design(_ config: inout ConfigurationReader) throws(ModelError) -> ModelDesign {
    let sizes = config.decoderSizes(maximumPositions: 32_768)
    let heads = config.heads(of: sizes, keyValueCount: 32)
    let rotation = try config.rotation(of: heads, maximumPositions: sizes.maximumPositions)
    let windows = config.windowsByLayer(of: sizes, default: 4096)
    let feedForward = config.gatedFeedForward(of: sizes)
    return sizes.preNormDesign { layer in
      let attention = GroupedQueryAttention.Design(
        hiddenSize: sizes.hiddenSize, headCount: heads.count,
        keyValueHeadCount: heads.keyValueCount, headSize: heads.size, hasBias: true,
        rotation: rotation, scale: heads.scale, window: windows[layer])
      return (attention, feedForward)
    }
  }
}
