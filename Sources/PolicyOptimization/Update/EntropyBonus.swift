// The entropy bonus of the update and its controller:
//
//   loss −= c · Σ_it m'_it H_it / max(Σ_it m'_it, 1)          m' = mask × top-entropy mask
//
// Adaptive (Skywork-OR1, arXiv 2505.22312; TRL `use_adaptive_entropy`): c is applied only when the
// mean entropy H of the update before was at most the target (so never in the first); after each
// update c moves by ±`entropy_coef_delta`, up if H ≤ target, within [`entropy_coef_min`,
// `entropy_coef_max`].

/// The state of the entropy coefficient; a trainer keeps it in its checkpoints.
public struct EntropyController: Sendable, Hashable, Codable {
  /// The coefficient, whether or not it is applied.
  public private(set) var coefficient: Double
  /// The mean entropy of the update before, in nats; nil before the first.
  public private(set) var lastEntropy: Double?

  /// Starts from the coefficient of the settings.
  public init(_ settings: ObjectiveSettings) { coefficient = settings.entropyCoefficient }

  /// The coefficient to apply in the next update.
  public func applied(_ settings: ObjectiveSettings) -> Double {
    guard settings.usesAdaptiveEntropy else { return settings.entropyCoefficient }
    guard let lastEntropy, lastEntropy <= settings.entropyTarget else { return 0 }
    return coefficient
  }

  /// Takes in the mean entropy of an update over the tokens that the bonus acts on, in nats.
  public mutating func update(meanEntropy: Double, settings: ObjectiveSettings) {
    guard settings.usesAdaptiveEntropy else { return }
    let step = settings.entropyCoefficientStep
    if meanEntropy <= settings.entropyTarget {
      coefficient = min(coefficient + step, settings.entropyCoefficientMaximum)
    } else {
      coefficient = max(coefficient - step, settings.entropyCoefficientMinimum)
    }
    lastEntropy = meanEntropy
  }
}
