import Tensors

/// Gemma 2: norms before and after the parts, GELU gates, soft caps of scores and logits, a window on every other layer.
enum Gemma2: ModelFamily {
  static let modelType = "gemma2"
  static let className = "Gemma2ForCausalLM"

  static func design(_ config: inout ConfigurationReader) throws(ModelError) -> ModelDesign {
    let sizes = config.decoderSizes(maximumPositions: 8192, tiesEmbeddings: true)
    let heads = config.heads(of: sizes, keyValueCount: 4, size: 256)
    let rotation = try config.rotation(of: heads, maximumPositions: sizes.maximumPositions)
    let hasBias = config.boolean("attention_bias", default: false)
    let scalar = config.positiveNumber("query_pre_attn_scalar", below: 1e9) ?? 256
    let scoreCap = config.softCap("attn_logit_softcapping", default: 50)
    let windows = config.windowsOfSlidingLayers(of: sizes, default: 4096) { $0 % 2 == 0 }.windows
    try config.refuseBidirectionalAttention()
    let feedForward = config.gatedFeedForward(
      of: sizes, key: "hidden_activation", activation: .geluTanh)
    var design = sizes.doublyNormedDesign { layer in
      let attention = GroupedQueryAttention.Design(
        hiddenSize: sizes.hiddenSize, headCount: heads.count,
        keyValueHeadCount: heads.keyValueCount, headSize: heads.size, hasBias: hasBias,
        hasOutputBias: hasBias, rotation: rotation, scale: Float(1 / scalar.squareRoot()),
        scoreCap: scoreCap, window: windows[layer])
      return (attention, feedForward)
    }
    design.logitCap = config.softCap("final_logit_softcapping", default: 30)
    return design
  }
}
