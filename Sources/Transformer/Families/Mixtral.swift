import Tensors

/// Mixtral: Mistral's layers with routed experts in each, weighed by their softmax over the chosen ones.
///
/// The noise that `router_jitter_noise` puts before the router while others train is left out: what acted is what learns.
enum Mixtral: ModelFamily {
  static let modelType = "mixtral"
  static let className = "MixtralForCausalLM"

  static func design(_ config: inout ConfigurationReader) throws(ModelError) -> ModelDesign {
    let sizes = config.decoderSizes(maximumPositions: 131_072, normEpsilon: 1e-5)
    let heads = config.heads(of: sizes, keyValueCount: 8)
    let rotation = try config.rotation(
      of: heads, maximumPositions: sizes.maximumPositions, theta: 1_000_000)
    let attention = GroupedQueryAttention.Design(
      hiddenSize: sizes.hiddenSize, headCount: heads.count, keyValueHeadCount: heads.keyValueCount,
      headSize: heads.size, rotation: rotation, scale: heads.scale,
      window: config.window(of: sizes, default: nil))
    var routed = config.routedExperts(
      of: sizes, count: ["num_local_experts", "num_experts"], usualCount: 8, usualChosen: 2,
      size: "intermediate_size", usualSize: 14_336, normalizes: true)
    routed.names = RoutedExperts.Names(
      router: "block_sparse_moe.gate", experts: "block_sparse_moe.experts", gate: "w1", up: "w3",
      down: "w2")
    return sizes.preNormDesign { [routed] _ in (attention, routed) }
  }
}
