import Tensors

/// DeepSeek V2: latent attention; dense layers, then a softmax over all experts beside shared ones.
enum DeepSeekV2: ModelFamily {
  static let modelType = "deepseek_v2"
  static let className = "DeepseekV2ForCausalLM"

  static func design(_ config: inout ConfigurationReader) throws(ModelError) -> ModelDesign {
    let sizes = config.decoderSizes(maximumPositions: 2048)
    let attention = try config.latentAttention(of: sizes, pairs: .neighbours)
    let hasBias = config.boolean("mlp_bias", default: false)
    let dense = config.gatedFeedForward(of: sizes, hasBias: hasBias)
    // `norm_topk_prob` is read over, as in transformers: weights are not normalised.
    let experts = try config.deepSeekExperts(
      of: sizes,
      usual: DeepSeekExperts(
        count: 64, chosen: 6, size: 1407, shared: 2, scale: 1, firstLayer: 0),
      scores: ("softmax", .softmax))
    var routed = experts.design
    routed.shared?.hasBias = hasBias
    if config.choosesByGroups() {
      routed.routing.groups = config.expertGroups(
        of: routed, usual: (1, 1), addsTopTwo: false)
    }
    return sizes.preNormDesign { [routed] layer in
      (attention, layer >= experts.firstLayer ? routed as any FeedForwardDesign : dense)
    }
  }
}
