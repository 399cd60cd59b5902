/// OLMo 2: norms after the parts instead of before them, and over all heads of queries and of keys together.
enum OLMo2: ModelFamily {
  static let modelType = "olmo2"
  static let className = "Olmo2ForCausalLM"

  static func design(_ config: inout ConfigurationReader) throws(ModelError) -> ModelDesign {
    let sizes = config.decoderSizes(maximumPositions: 2048, normEpsilon: 1e-5)
    let heads = config.heads(of: sizes)
    let rotation = try config.rotation(of: heads, maximumPositions: sizes.maximumPositions)
    let hasBias = config.boolean("attention_bias", default: false)
    let attention = GroupedQueryAttention.Design(
      hiddenSize: sizes.hiddenSize, headCount: heads.count, keyValueHeadCount: heads.keyValueCount,
      headSize: heads.size, hasBias: hasBias, hasOutputBias: hasBias,
      queryKeyNorm: .init(epsilon: sizes.normEpsilon, isPerHead: false), rotation: rotation,
      scale: heads.scale)
    let feedForward = config.gatedFeedForward(of: sizes)
    var design = sizes.preNormDesign { _ in (attention, feedForward) }
    for layer in design.layers.indices {
      design.layers[layer].aroundAttention = Surroundings(
        normAfter: sizes.norm("post_attention_layernorm"))
      design.layers[layer].aroundFeedForward = Surroundings(
        normAfter: sizes.norm("post_feedforward_layernorm"))
    }
    return design
  }
}
