import Tensors

/// StableLM and StableLM 2: Llama's layers with layer norms, and a quarter of each head rotated.
enum StableLM: ModelFamily {
  static let modelType = "stablelm"
  static let className = "StableLmForCausalLM"

  static func design(_ config: inout ConfigurationReader) throws(ModelError) -> ModelDesign {
    for key in ["use_parallel_residual", "qk_layernorm"]
    where config.boolean(key, default: false) {
      throw ModelError(
        .unsupported, path: config.path, subject: key,
        "attention and feed-forward side by side, and norms of queries and keys, are not supported")
    }
    var sizes = config.decoderSizes(
      maximumPositions: 4096, normEpsilon: 1e-5, epsilonKey: "layer_norm_eps")
    (sizes.normKind, sizes.normHasBias) = (.layer, true)
    let heads = config.heads(of: sizes)
    let rotation = Rotation(
      embedding: try config.rotaryEmbedding(
        maximumPositions: sizes.maximumPositions, rotatesPart: true),
      size: config.rotatedSize(of: heads, default: 0.25))
    let attention = GroupedQueryAttention.Design(
      hiddenSize: sizes.hiddenSize, headCount: heads.count, keyValueHeadCount: heads.keyValueCount,
      headSize: heads.size, hasBias: config.boolean("use_qkv_bias", default: false),
      rotation: rotation, scale: heads.scale)
    let feedForward = config.gatedFeedForward(of: sizes)
    return sizes.preNormDesign { _ in (attention, feedForward) }
  }
}
