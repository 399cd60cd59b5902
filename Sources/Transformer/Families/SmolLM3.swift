import Rollouts

/// SmolLM 3: Llama's layers, of which some do not rotate; only these may have a sliding window.
enum SmolLM3: ModelFamily {
  static let modelType = "smollm3"
  static let className = "SmolLM3ForCausalLM"

  static func design(_ config: inout ConfigurationReader) throws(ModelError) -> ModelDesign {
    let sizes = config.decoderSizes(maximumPositions: 32_768, tiesEmbeddings: true)
    let heads = config.heads(of: sizes, keyValueCount: 4)
    let rotation = try config.rotation(
      of: heads, maximumPositions: sizes.maximumPositions, theta: 2_000_000)
    let hasBias = config.boolean("attention_bias", default: false)
    let rotates = rotatingLayers(sizes.layerCount, &config)
    let windows = config.windowsByLayer(of: sizes, default: nil) { !rotates[$0] }
    let feedForward = config.gatedFeedForward(
      of: sizes, hasBias: config.boolean("mlp_bias", default: false))
    return sizes.preNormDesign { layer in
      let attention = GroupedQueryAttention.Design(
        hiddenSize: sizes.hiddenSize, headCount: heads.count,
        keyValueHeadCount: heads.keyValueCount, headSize: heads.size, hasBias: hasBias,
        hasOutputBias: hasBias, rotation: rotates[layer] ? rotation : nil, scale: heads.scale,
        window: windows[layer])
      return (attention, feedForward)
    }
  }

  /// Which layers rotate: `no_rope_layers` has 1 for those that do; without it each `no_rope_layer_interval`-th does not.
  private static func rotatingLayers(
    _ layerCount: Int, _ config: inout ConfigurationReader
  ) -> [Bool] {
    let interval = config.integer("no_rope_layer_interval", in: 1...Int(Int32.max), default: 4)
    let key = "no_rope_layers"
    guard let list = config.value(key) else {
      return (0..<layerCount).map { ($0 + 1) % interval != 0 }
    }
    let flags = (list.array ?? []).compactMap { $0.integer ?? $0.bool.map { $0 ? 1 : 0 } }
    guard flags.count == layerCount, list.array?.count == layerCount else {
      config.note(
        key,
        "expected a list of \(layerCount) numbers, 0 for a layer that does not rotate, found "
          + ConfigurationReader.shown(list))
      return Array(repeating: true, count: layerCount)
    }
    return flags.map { $0 != 0 }
  }
}
