import Tensors

/// Qwen 3 with routed experts: Qwen 3's attention, a softmax over all experts, some layers dense.
enum Qwen3Moe: ModelFamily {
  static let modelType = "qwen3_moe"
  static let className = "Qwen3MoeForCausalLM"

  static func design(_ config: inout ConfigurationReader) throws(ModelError) -> ModelDesign {
    let sizes = config.decoderSizes(maximumPositions: 32_768)
    let heads = config.heads(of: sizes, keyValueCount: 4)
    let rotation = try config.rotation(of: heads, maximumPositions: sizes.maximumPositions)
    let hasBias = config.boolean("attention_bias", default: false)
    let window =
      config.boolean("use_sliding_window", default: false)
      ? config.window(of: sizes, default: 4096) : nil
    let attention = GroupedQueryAttention.Design(
      hiddenSize: sizes.hiddenSize, headCount: heads.count, keyValueHeadCount: heads.keyValueCount,
      headSize: heads.size, hasBias: hasBias, hasOutputBias: hasBias,
      queryKeyNorm: .init(epsilon: sizes.normEpsilon), rotation: rotation, scale: heads.scale,
      window: window)
    let routed = config.routedExperts(
      of: sizes, count: ["num_experts", "num_local_experts"], usualCount: 128, usualChosen: 8,
      usualSize: 768, normalizes: config.boolean("norm_topk_prob", default: false))
    let isRouted = config.expertLayers(of: sizes)
    let dense = config.gatedFeedForward(of: sizes)
    return sizes.preNormDesign { layer in
      (attention, isRouted[layer] ? routed as any FeedForwardDesign : dense)
    }
  }
}
