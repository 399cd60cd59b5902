import Tensors

/// OLMoE: Llama's layers with routed experts in each, and norms over all heads of queries and of keys together.
enum Olmoe: ModelFamily {
  static let modelType = "olmoe"
  static let className = "OlmoeForCausalLM"

  static func design(_ config: inout ConfigurationReader) throws(ModelError) -> ModelDesign {
    let sizes = config.decoderSizes(maximumPositions: 4096, normEpsilon: 1e-5)
    let heads = config.heads(of: sizes)
    let rotation = try config.rotation(of: heads, maximumPositions: sizes.maximumPositions)
    let hasBias = config.boolean("attention_bias", default: false)
    if config.value("clip_qkv") != nil {
      throw ModelError(
        .unsupported, path: config.path, subject: "clip_qkv",
        "clipping queries, keys and values is not supported")
    }
    let attention = GroupedQueryAttention.Design(
      hiddenSize: sizes.hiddenSize, headCount: heads.count, keyValueHeadCount: heads.keyValueCount,
      headSize: heads.size, hasBias: hasBias, hasOutputBias: hasBias,
      queryKeyNorm: .init(epsilon: sizes.normEpsilon, isPerHead: false), rotation: rotation,
      scale: heads.scale)
    let routed = config.routedExperts(
      of: sizes, count: ["num_experts"], usualCount: 64, usualChosen: 8,
      size: "intermediate_size", usualSize: 2048,
      normalizes: config.boolean("norm_topk_prob", default: false))
    return sizes.preNormDesign { _ in (attention, routed) }
  }
}
