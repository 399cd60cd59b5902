import Foundation
import Rollouts

/// Phi 3, 3.5 and 4, and the mini models: fused matrices, rotation of a part of each head, LongRoPE.
///
/// LongRoPE has factors for sequences up to the original length and others for longer ones, and transformers takes
/// those of a whole sequence by how long it has become. A token's numbers would then depend on what is written after
/// it, so a model is trained within the original length, and its short factors are used.
enum Phi3: ModelFamily {
  static let modelType = "phi3"
  static let className = "Phi3ForCausalLM"

  static func design(_ config: inout ConfigurationReader) throws(ModelError) -> ModelDesign {
    var sizes = config.decoderSizes(maximumPositions: 4096, normEpsilon: 1e-5)
    let heads = config.heads(of: sizes)
    let rotated = config.rotatedSize(of: heads)
    var embedding = RotaryEmbedding(theta: 10_000)
    if let scaling = longRope(rotated, sizes, &config) {
      embedding = RotaryEmbedding(theta: scaling.theta, scaling: scaling.scaling)
      sizes.maximumPositions = min(sizes.maximumPositions, scaling.originalPositions)
    } else {
      embedding = try config.rotaryEmbedding(
        maximumPositions: sizes.maximumPositions, rotatesPart: true)
    }
    let attention = GroupedQueryAttention.Design(
      hiddenSize: sizes.hiddenSize, headCount: heads.count, keyValueHeadCount: heads.keyValueCount,
      headSize: heads.size, storage: .fused,
      rotation: Rotation(embedding: embedding, size: rotated),
      scale: heads.scale, window: config.window(of: sizes, default: nil))
    var feedForward = config.gatedFeedForward(of: sizes)
    feedForward.isFused = true
    return sizes.preNormDesign { [feedForward] _ in (attention, feedForward) }
  }

  /// The object that describes the rotation.
  private static func rope(_ config: ConfigurationReader) -> (
    key: String, reader: ConfigurationReader
  )? {
    guard let key = config.ropeKey(), let object = config.object[key]?.object else { return nil }
    return (key, ConfigurationReader(object, path: config.path))
  }

  private struct LongRope {
    var theta: Double
    var scaling: RotaryEmbedding.Scaling
    var originalPositions: Int
  }

  /// LongRoPE, also under its older names `su` and `yarn`.
  private static func longRope(
    _ rotated: Int, _ sizes: DecoderSizes, _ config: inout ConfigurationReader
  ) -> LongRope? {
    guard let (key, found) = rope(config) else { return nil }
    var reader = found
    let kind = reader.string("rope_type") ?? reader.string("type")
    guard let kind, ["longrope", "su", "yarn"].contains(kind) else { return nil }
    let originalKey = "original_max_position_embeddings"
    let positions = 1...ConfigurationReader.Limits.positions
    let original =
      config.optionalInteger(originalKey, in: positions)
      ?? reader.integer(originalKey, in: positions, default: 4096)
    let outerTheta = config.positiveNumber("rope_theta", below: 1e15)
    let theta = reader.positiveNumber("rope_theta", below: 1e15) ?? outerTheta ?? 10_000
    let factor =
      reader.positiveNumber("factor", below: 1e6)
      ?? Double(sizes.maximumPositions) / Double(original)
    let usual =
      factor <= 1 || original < 2 ? 1 : (1 + log(factor) / log(Double(original))).squareRoot()
    let attentionFactor = reader.positiveNumber("attention_factor", below: 1e6) ?? usual
    let list = reader.value("short_factor")?.array ?? []
    let factors = list.compactMap(\.double).filter { $0 >= 1e-6 && $0 <= 1e6 }
    if factors.count != rotated / 2 || list.count != factors.count {
      reader.note("short_factor", "expected a list of \(rotated / 2) numbers above 0")
    }
    for fault in reader.faults { config.note("\(key).\(fault.subject ?? "")", fault.reason) }
    let isSound = factors.count == rotated / 2
    return LongRope(
      theta: theta,
      scaling: .longRope(
        factors: isSound ? factors : Array(repeating: 1, count: rotated / 2),
        attentionFactor: attentionFactor), originalPositions: original)
  }
}
