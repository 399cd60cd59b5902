import Tensors

/// Gemma 3 (text): Gemma 2's layers with normed queries and keys in place of the caps, five layers with a window to one
/// without, and another θ for each kind.
enum Gemma3: ModelFamily {
  static let modelType = "gemma3_text"
  static let className = "Gemma3ForCausalLM"

  static func design(_ config: inout ConfigurationReader) throws(ModelError) -> ModelDesign {
    let sizes = config.decoderSizes(maximumPositions: 131_072, tiesEmbeddings: true)
    let heads = config.heads(of: sizes, keyValueCount: 4, size: 256)
    let hasBias = config.boolean("attention_bias", default: false)
    let scalar = config.positiveNumber("query_pre_attn_scalar", below: 1e9) ?? 256
    let (isSliding, windows) = slidingLayers(&config, sizes)
    let whole = Rotation(
      embedding: try config.rotaryEmbedding(
        maximumPositions: sizes.maximumPositions, theta: 1e6, layerType: "full_attention"),
      size: heads.size)
    let sliding = Rotation(
      embedding: try slidingEmbedding(&config, sizes), size: heads.size)
    try config.refuseBidirectionalAttention()
    if config.value("attn_logit_softcapping") != nil {
      // transformers reads the key and does nothing with it.
      config.note("attn_logit_softcapping", "expected null: Gemma 3 does not cap scores")
    }
    let feedForward = config.gatedFeedForward(
      of: sizes, key: "hidden_activation", activation: .geluTanh)
    var design = sizes.doublyNormedDesign { layer in
      let attention = GroupedQueryAttention.Design(
        hiddenSize: sizes.hiddenSize, headCount: heads.count,
        keyValueHeadCount: heads.keyValueCount, headSize: heads.size, hasBias: hasBias,
        hasOutputBias: hasBias,
        queryKeyNorm: .init(epsilon: sizes.normEpsilon, kind: .rmsAroundOne),
        rotation: isSliding[layer] ? sliding : whole, scale: Float(1 / scalar.squareRoot()),
        window: windows[layer])
      return (attention, feedForward)
    }
    design.logitCap = config.softCap("final_logit_softcapping", default: nil)
    return design
  }

  /// Layers with a window: as `layer_types` says, else all but each sixth, or each `sliding_window_pattern`-th.
  private static func slidingLayers(
    _ config: inout ConfigurationReader, _ sizes: DecoderSizes
  ) -> (isSliding: [Bool], windows: [Int?]) {
    let key =
      config.value("sliding_window_pattern") == nil
      ? "_sliding_window_pattern" : "sliding_window_pattern"
    let pattern = config.integer(key, in: 1...Int(Int32.max), default: 6)
    return config.windowsOfSlidingLayers(of: sizes, default: 4096) { ($0 + 1) % pattern != 0 }
  }

  /// The rotation of layers with a window, which `rope_scaling` does not stretch.
  private static func slidingEmbedding(
    _ config: inout ConfigurationReader, _ sizes: DecoderSizes
  ) throws(ModelError) -> RotaryEmbedding {
    let theta = config.positiveNumber("rope_local_base_freq", below: 1e15) ?? 10_000
    return try config.rotaryEmbedding(
      ofLayerType: "sliding_attention", theta: theta, maximumPositions: sizes.maximumPositions)
      ?? RotaryEmbedding(theta: theta)
  }
}
