import Tensors

/// What a layer's forward pass leaves for its backward pass, for R rows.
///
/// The normed inputs and the feed-forward's product are computed again from these: they cost a pass
/// over memory, not a product.
final class LayerActivations {
  /// The residual stream before the layer, [R, C].
  let input = FloatScratch()
  /// 1 / RMS of `input`, [R].
  let inputInverseRMS: FloatScratch
  /// What attention keeps.
  let attention: AttentionActivations
  /// The residual stream between the two parts, [R, C].
  let middle: FloatScratch
  /// 1 / RMS of `middle`, [R].
  let middleInverseRMS: FloatScratch
  /// What the feed-forward part keeps.
  let feedForward: FeedForwardActivations

  /// Makes room for a layer of its own.
  init() {
    inputInverseRMS = FloatScratch()
    attention = AttentionActivations()
    middle = FloatScratch()
    middleInverseRMS = FloatScratch()
    feedForward = FeedForwardActivations()
  }

  /// Makes room for a layer's input alone; the rest is one scratch that layers use in turn.
  init(sharing other: LayerActivations) {
    inputInverseRMS = other.inputInverseRMS
    attention = other.attention
    middle = other.middle
    middleInverseRMS = other.middleInverseRMS
    feedForward = other.feedForward
  }
}

/// What attention keeps: rotated queries and keys, values, and the softmax's normaliser.
final class AttentionActivations {
  /// Rotated queries, [R, H·D].
  let query = FloatScratch()
  /// Rotated keys, [R, K·D].
  let key = FloatScratch()
  /// Values, [R, K·D].
  let value = FloatScratch()
  /// Queries and keys before their norms, where the model norms them.
  let rawQuery = FloatScratch()
  let rawKey = FloatScratch()
  let queryInverseRMS = FloatScratch()
  let keyInverseRMS = FloatScratch()
  /// Weighted values before the output product, [R, H·D].
  let attended = FloatScratch()
  /// log Σ exp of the scores, [R, H].
  let logSumExp = FloatScratch()
  /// s x Aᵀ of each adapted product, [R, r].
  let queryReduced = FloatScratch()
  let keyReduced = FloatScratch()
  let valueReduced = FloatScratch()
  let outputReduced = FloatScratch()
}

/// What the gated feed-forward keeps.
final class FeedForwardActivations {
  /// x W_gateᵀ, [R, F].
  let gate = FloatScratch()
  /// x W_upᵀ, [R, F].
  let up = FloatScratch()
  /// s x Aᵀ of each adapted product, [R, r].
  let gateReduced = FloatScratch()
  let upReduced = FloatScratch()
  let downReduced = FloatScratch()
}

/// A buffer that grows to the greatest size asked of it and never shrinks.
final class FloatScratch {
  private var buffer: FloatBuffer?

  /// At least `count` numbers, with whatever they held.
  func reserve(_ count: Int) -> UnsafeMutablePointer<Float> {
    if let buffer, buffer.count >= count { return buffer.pointer }
    buffer = nil  // the old one goes before the new one comes
    let fresh = FloatBuffer(count: max(count, 1))
    buffer = fresh
    return fresh.pointer
  }

  /// What was reserved last.
  var pointer: UnsafeMutablePointer<Float> {
    guard let buffer else { preconditionFailure("scratch read before it was reserved") }
    return buffer.pointer
  }

  /// What was reserved last, as rows.
  func rows(_ stride: Int) -> Rows { Rows(pointer, stride: stride) }

  /// Gives the memory back.
  func release() { buffer = nil }
}
