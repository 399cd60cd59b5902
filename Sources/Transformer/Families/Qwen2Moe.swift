import Tensors

/// Qwen 1.5 and 2 with routed experts: Qwen 2's attention, a shared expert behind a gate, some layers dense.
enum Qwen2Moe: ModelFamily {
  static let modelType = "qwen2_moe"
  static let className = "Qwen2MoeForCausalLM"

  static func design(_ config: inout ConfigurationReader) throws(ModelError) -> ModelDesign {
    let sizes = config.decoderSizes(maximumPositions: 32_768)
    let heads = config.heads(of: sizes, keyValueCount: 16)
    let rotation = try config.rotation(of: heads, maximumPositions: sizes.maximumPositions)
    let hasBias = config.boolean("qkv_bias", default: true)
    let windows = windows(of: sizes, &config)
    let dense = config.gatedFeedForward(of: sizes)
    var routed = config.routedExperts(
      of: sizes, count: ["num_experts"], usualCount: 60, usualChosen: 4, usualSize: 1408,
      normalizes: config.boolean("norm_topk_prob", default: false))
    routed.shared = GatedFeedForward.Design(
      hiddenSize: sizes.hiddenSize,
      intermediateSize: config.integer(
        "shared_expert_intermediate_size", in: 1...ConfigurationReader.Limits.intermediateSize,
        default: 5632), name: "mlp.shared_expert")
    routed.sharedGate = "mlp.shared_expert_gate"
    let isRouted = config.expertLayers(of: sizes)
    return sizes.preNormDesign { [routed] layer in
      let attention = GroupedQueryAttention.Design(
        hiddenSize: sizes.hiddenSize, headCount: heads.count,
        keyValueHeadCount: heads.keyValueCount, headSize: heads.size, hasBias: hasBias,
        rotation: rotation, scale: heads.scale, window: windows[layer])
      return (attention, isRouted[layer] ? routed as any FeedForwardDesign : dense)
    }
  }

  /// Windows are on every other layer below `max_window_layers` where no list says so, and only with `use_sliding_window`;
  /// without it the window's size is often 0.
  private static func windows(
    of sizes: DecoderSizes, _ config: inout ConfigurationReader
  ) -> [Int?] {
    guard config.boolean("use_sliding_window", default: false) else {
      return Array(repeating: nil, count: sizes.layerCount)
    }
    let first = config.integer("max_window_layers", in: 0...Int(Int32.max), default: 28)
    return config.windowsByLayer(of: sizes, default: 4096) { $0 % 2 == 0 && $0 < first }
  }
}
