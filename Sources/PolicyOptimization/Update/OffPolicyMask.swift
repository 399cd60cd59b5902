// Off-policy sequence masking (DeepSeek-V3.2, arXiv 2512.02556): a completion that the policy has
// drifted from is dropped when it would only be pushed down further:
//
//   keep  iff  A ≥ 0  or  1/n Σ_t (log π_sampler − log π_θ) ≤ threshold
//
// π_sampler is the sampler's where known, else the old policy's. No gradient; the KL term is not
// affected.

/// Which tokens of a completion the off-policy mask drops: those of negative advantage, or none.
struct OffPolicyMask {
  /// Whether tokens of negative advantage are dropped.
  let dropsNegative: Bool

  /// - Parameters:
  ///   - threshold: the greatest mean log-ratio in nats; nil drops nothing.
  ///   - behaviour: the log-probabilities under the policy that acted.
  init(threshold: Double?, behaviour: [Double], policy: [Double], mask: TokenMask) {
    guard let threshold else {
      dropsNegative = false
      return
    }
    var sum = 0.0
    for token in policy.indices where mask[token] { sum += behaviour[token] - policy[token] }
    dropsNegative = !(sum / Double(max(mask.count, 1)) <= threshold)
  }

  func keeps(advantage: Double) -> Bool { advantage >= 0 || !dropsNegative }
}
