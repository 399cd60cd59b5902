// The top-entropy mask (arXiv 2506.01939, "Beyond the 80/20 rule"): only the share ρ of tokens with
// the highest entropy keeps its policy term:
//
//   keep token t  iff  H_t ≥ quantile(all unmasked H of the update, 1 − ρ)
//
// The quantile interpolates linearly between the two nearest, as torch.quantile. TRL takes the
// current entropies of one micro-batch; a trainer should give those logged at sampling, of the
// whole update, which no micro-batch can change. TRL computes the quantile in float32;
// `float32_constants` does likewise.

/// The entropy above which tokens keep their policy term.
struct EntropyMask: Sendable {
  /// Nil keeps every token.
  let threshold: Double?

  func keeps(entropy: @autoclosure () -> Double) -> Bool {
    guard let threshold else { return true }
    return entropy() >= threshold
  }

  static let everything = EntropyMask(threshold: nil)

  /// - Parameters:
  ///   - entropies: the entropies of all unmasked tokens of the update, in nats.
  ///   - share: ρ, the share of tokens to keep.
  ///   - inFloat32: whether to compute the quantile in float32, as TRL does.
  init(entropies: [Double], share: Double, inFloat32: Bool) {
    guard !entropies.isEmpty else {
      threshold = nil
      return
    }
    threshold =
      inFloat32
      ? Double(quantile(entropies.map(Float.init), at: Float(1 - share)))
      : quantile(entropies, at: 1 - share)
  }

  private init(threshold: Double?) { self.threshold = threshold }
}

/// The quantile of values with linear interpolation; O(n log n).
private func quantile<Scalar: BinaryFloatingPoint>(_ values: [Scalar], at share: Scalar) -> Scalar {
  let sorted = values.sorted()
  let rank = share * Scalar(sorted.count - 1)
  let below = min(max(Int(rank), 0), sorted.count - 1)
  let above = min(below + 1, sorted.count - 1)
  let weight = rank - Scalar(below)
  let (low, high) = (sorted[below], sorted[above])
  // The two forms of torch.lerp, each exact at its own end.
  return weight < 0.5 ? low + weight * (high - low) : high - (high - low) * (1 - weight)
}
