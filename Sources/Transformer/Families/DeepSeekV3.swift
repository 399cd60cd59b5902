import Tensors

/// DeepSeek V3 and R1: latent attention; dense layers, then experts by sigmoid scores and a selection bias, in groups.
enum DeepSeekV3: ModelFamily {
  static let modelType = "deepseek_v3"
  static let className = "DeepseekV3ForCausalLM"

  static func design(_ config: inout ConfigurationReader) throws(ModelError) -> ModelDesign {
    let sizes = config.decoderSizes(maximumPositions: 4096)
    let isInterleaved = config.boolean("rope_interleave", default: true)
    let attention = try config.latentAttention(
      of: sizes, pairs: isInterleaved ? .neighbours : .halves)
    let dense = config.gatedFeedForward(of: sizes)
    config.requireUnbiasedChoice()
    let experts = try config.deepSeekExperts(
      of: sizes,
      usual: DeepSeekExperts(
        count: 256, chosen: 8, size: 2048, shared: 1, scale: 2.5, firstLayer: 3),
      scores: ("sigmoid", .sigmoid))
    var routed = experts.design
    routed.hasSelectionBias = true
    routed.routing.normalizes = config.boolean("norm_topk_prob", default: true)
    routed.routing.normalizerEpsilon = 1e-20
    routed.routing.groups = config.expertGroups(of: routed, usual: (8, 4), addsTopTwo: true)
    var design = sizes.preNormDesign { [routed] layer in
      (attention, layer >= experts.firstLayer ? routed as any FeedForwardDesign : dense)
    }
    // The layers that predict several tokens stand behind the others.
    let predicting = config.integer("num_nextn_predict_layers", in: 0...64, default: 0)
    design.passedOver.prefixes = (0..<predicting).map {
      "model.layers.\(sizes.layerCount + $0)."
    }
    return design
  }
}
