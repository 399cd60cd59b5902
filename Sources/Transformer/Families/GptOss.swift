import Rollouts
import Tensors

/// gpt-oss: attention sinks, a window on every other layer, and experts with biases whose maps are stacked tensors.
///
/// Its published weights are quantised (mxfp4), which can't be trained: transformers writes them back in bfloat16.
enum GptOss: ModelFamily {
  static let modelType = "gpt_oss"
  static let className = "GptOssForCausalLM"

  static func design(_ config: inout ConfigurationReader) throws(ModelError) -> ModelDesign {
    let sizes = config.decoderSizes(maximumPositions: 131_072, normEpsilon: 1e-5)
    let heads = config.heads(of: sizes, keyValueCount: 8, size: 64)
    let rotation = Rotation(
      embedding: try rope(&config, maximumPositions: sizes.maximumPositions), size: heads.size)
    let hasBias = config.boolean("attention_bias", default: true)
    let windows = config.windowsOfSlidingLayers(of: sizes, default: 128) { $0 % 2 == 0 }.windows
    var routed = config.routedExperts(
      of: sizes, count: ["num_local_experts", "num_experts"], usualCount: 128, usualChosen: 4,
      size: "intermediate_size", usualSize: 2880, normalizes: true)
    routed.stacked = ClampedUnit(
      alpha: Float(config.positiveNumber("swiglu_alpha", below: 1e6) ?? 1.702),
      limit: Float(config.positiveNumber("swiglu_limit", below: 1e30) ?? 7))
    routed.names.router = "mlp.router"
    return sizes.preNormDesign { [routed] layer in
      let attention = GroupedQueryAttention.Design(
        hiddenSize: sizes.hiddenSize, headCount: heads.count,
        keyValueHeadCount: heads.keyValueCount, headSize: heads.size, hasBias: hasBias,
        hasOutputBias: hasBias, rotation: rotation, scale: heads.scale, window: windows[layer],
        hasSinks: true)
      return (attention, routed)
    }
  }

  /// YaRN by 32 from 4096 positions where the file says nothing.
  private static func rope(
    _ config: inout ConfigurationReader, maximumPositions: Int
  ) throws(ModelError) -> RotaryEmbedding {
    guard config.ropeKey() == nil else {
      return try config.rotaryEmbedding(maximumPositions: maximumPositions, theta: 150_000)
    }
    let theta = config.positiveNumber("rope_theta", below: 1e15) ?? 150_000
    return RotaryEmbedding(
      theta: theta,
      scaling: .yarn(
        .init(
          factor: 32, originalMaximumPositions: 4096,
          attentionFactor: RotaryEmbedding.Yarn.attentionFactor(scaledBy: 32),
          usesWholePairs: false)))
  }
}
