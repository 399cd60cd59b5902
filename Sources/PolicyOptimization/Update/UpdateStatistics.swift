// The sums behind the metrics of an update. They are added completion by completion, always in the
// order of the completions, so that the metrics don't depend on micro-batches or threads.
// docs/objective.md has each metric's formula, unit and healthy range.

import Foundation

/// What one or more completions contribute to the metrics of an update.
public struct UpdateStatistics: Sendable, Hashable, BitwiseCopyable {
  /// Unmasked tokens.
  public var tokens = 0
  /// Completions, masked ones included.
  public var completions = 0
  /// The loss without the entropy bonus.
  public var policyLoss = 0.0
  /// Σ of entropies, in nats.
  public var entropySum = 0.0
  /// Whether entropies were given.
  public var hasEntropy = false
  /// Σ of entropies over the tokens that the bonus acts on, in nats.
  public var bonusEntropySum = 0.0
  /// The tokens that the entropy bonus acts on.
  public var bonusTokens = 0
  /// Σ of the KL estimates, after the importance correction.
  public var klSum = 0.0
  /// Over how many ratios the clip shares are taken: tokens, or completions at sequence level.
  public var clipUnits = 0
  /// Ratios below the range at a negative advantage.
  public var lowClips = 0
  /// Ratios above the range at a positive advantage.
  public var highClips = 0
  /// The least share of low clips in a completion; nil without unmasked completions.
  public var leastLowShare: Double?
  /// The greatest share of high clips in a completion.
  public var greatestHighShare: Double?
  /// The least ratio.
  public var leastRatio = Double.infinity
  /// The greatest ratio.
  public var largestRatio = -Double.infinity
  /// Σ of w − 1 − log w, the k3 estimate of KL(π_old ‖ π).
  public var policyDriftSum = 0.0
  /// Tokens dropped by the off-policy or the top-entropy mask.
  public var droppedTokens = 0
  /// Σ of VESPO's φ, one per completion; 1 each for other surrogates.
  public var gammaSum = 0.0
  /// The sampler's correction: how many weights, their sum, least and greatest.
  public var samplerWeights = Extremes()
  /// |trainer − sampler| in nats.
  public var mismatch = Extremes()
  /// Σ of r − 1 − log r with r = π_trainer/π_sampler.
  public var mismatchKLSum = 0.0
  /// The greatest |r − 1|.
  public var mismatchRatioDeviation = 0.0

  /// Starts with no completion counted.
  public init() {}

  init(tokens: Int) {
    self.tokens = tokens
    completions = 1
  }

  /// A count, sum, least and greatest.
  public struct Extremes: Sendable, Hashable, BitwiseCopyable {
    /// How many numbers.
    public var count = 0
    /// Their sum.
    public var sum = 0.0
    /// The least of them.
    public var least = Double.infinity
    /// The greatest of them.
    public var greatest = -Double.infinity

    /// Starts with no completion counted.
    public init() {}

    mutating func add(_ value: Double) {
      count += 1
      sum += value
      least = min(least, value)
      greatest = max(greatest, value)
    }

    mutating func add(_ other: Extremes) {
      count += other.count
      sum += other.sum
      least = min(least, other.least)
      greatest = max(greatest, other.greatest)
    }

    var mean: Double { count == 0 ? 0 : sum / Double(count) }
  }
}

// MARK: - One completion

extension UpdateStatistics {
  mutating func add(ratio: Ratio, clipSide: Int8) {
    if clipSide < 0 { lowClips += 1 }
    if clipSide > 0 { highClips += 1 }
    leastRatio = min(leastRatio, ratio.value)
    largestRatio = max(largestRatio, ratio.value)
    policyDriftSum += ratio.value - 1 - ratio.logRatio
  }

  /// Turns the counts of tokens into the shares of a completion.
  mutating func finishCompletion(isSequenceLevel: Bool) {
    if tokens > 0 {
      leastLowShare = Double(lowClips) / Double(tokens)
      greatestHighShare = Double(highClips) / Double(tokens)
    }
    // A completion that is masked as a whole has log W = 0, hence φ = 1.
    if tokens == 0 { gammaSum = 1 }
    clipUnits = isSequenceLevel ? 1 : tokens
    if isSequenceLevel {
      // One ratio for the completion; its advantage may differ by token, and a share of them then
      // clips.
      lowClips = min(lowClips, 1)
      highClips = min(highClips, 1)
      leastLowShare = leastLowShare ?? 0
      greatestHighShare = greatestHighShare ?? 0
    }
  }

  mutating func add(samplerWeights weights: SamplerWeights, mask: TokenMask, length: Int) {
    switch weights {
    case .none: break
    case .uniform(let weight): samplerWeights.add(weight)
    case .perToken(let values):
      for token in 0..<length where mask[token] { samplerWeights.add(values[token]) }
    }
  }

  mutating func addMismatch(trainer: Double, sampler: Double) {
    let difference = trainer - sampler
    mismatch.add(abs(difference))
    mismatchKLSum += expm1(difference) - difference
    mismatchRatioDeviation = max(mismatchRatioDeviation, abs(expm1(difference)))
  }
}

// MARK: - Several completions

extension UpdateStatistics {
  /// Takes in the statistics of a completion; add them in the order of the completions.
  public mutating func add(_ other: UpdateStatistics) {
    tokens += other.tokens
    completions += other.completions
    policyLoss += other.policyLoss
    entropySum += other.entropySum
    hasEntropy = hasEntropy || other.hasEntropy
    bonusEntropySum += other.bonusEntropySum
    bonusTokens += other.bonusTokens
    klSum += other.klSum
    clipUnits += other.clipUnits
    lowClips += other.lowClips
    highClips += other.highClips
    leastLowShare = Self.fold(leastLowShare, other.leastLowShare, by: min)
    greatestHighShare = Self.fold(greatestHighShare, other.greatestHighShare, by: max)
    leastRatio = min(leastRatio, other.leastRatio)
    largestRatio = max(largestRatio, other.largestRatio)
    policyDriftSum += other.policyDriftSum
    droppedTokens += other.droppedTokens
    gammaSum += other.gammaSum
    samplerWeights.add(other.samplerWeights)
    mismatch.add(other.mismatch)
    mismatchKLSum += other.mismatchKLSum
    mismatchRatioDeviation = max(mismatchRatioDeviation, other.mismatchRatioDeviation)
  }

  private static func fold(
    _ a: Double?, _ b: Double?, by choose: (Double, Double) -> Double
  ) -> Double? {
    guard let a else { return b }
    guard let b else { return a }
    return choose(a, b)
  }

  /// The mean entropy over the tokens that the bonus acts on, in nats: what the controller wants.
  public var meanBonusEntropy: Double { bonusEntropySum / Double(max(bonusTokens, 1)) }

  /// The metrics under TRL's names, in a fixed order; those that don't apply are left out.
  public func metrics(_ settings: ObjectiveSettings) -> [(name: String, value: Double)] {
    var metrics: [(name: String, value: Double)] = []
    func perToken(_ sum: Double) -> Double { sum / Double(max(tokens, 1)) }
    func perUnit(_ count: Int) -> Double { Double(count) / Double(max(clipUnits, 1)) }
    if settings.hasKLInLoss { metrics.append(("kl", perToken(klSum))) }
    if hasEntropy { metrics.append(("entropy", perToken(entropySum))) }
    switch settings.surrogate {
    case .clip:
      metrics.append(("clip_ratio/low_mean", perUnit(lowClips)))
      metrics.append(("clip_ratio/high_mean", perUnit(highClips)))
      metrics.append(("clip_ratio/region_mean", perUnit(lowClips + highClips)))
      metrics.append(("clip_ratio/low_min", leastLowShare ?? 0))
      metrics.append(("clip_ratio/high_max", greatestHighShare ?? 0))
    case .cispo: metrics.append(("cispo_clip_ratio", perUnit(highClips)))
    case .vespo:
      metrics.append(("vespo/phi_seq_mean", gammaSum / Double(max(completions, 1))))
    case .sapo, .policyGradient: break
    }
    if tokens > 0 {
      metrics.append(("ratio/min", leastRatio))
      metrics.append(("ratio/max", largestRatio))
      metrics.append(("approx_kl", perToken(policyDriftSum)))
    }
    if settings.offPolicyMaskThreshold != nil || settings.topEntropyQuantile < 1 {
      metrics.append(("masked_tokens_ratio", perToken(Double(droppedTokens))))
    }
    if settings.hasEntropyBonus { metrics.append(("policy_loss", policyLoss)) }
    appendMismatch(to: &metrics)
    return metrics
  }

  private func appendMismatch(to metrics: inout [(name: String, value: Double)]) {
    if samplerWeights.count > 0 {
      metrics.append(("sampling/importance_sampling_ratio/min", samplerWeights.least))
      metrics.append(("sampling/importance_sampling_ratio/mean", samplerWeights.mean))
      metrics.append(("sampling/importance_sampling_ratio/max", samplerWeights.greatest))
    }
    guard mismatch.count > 0 else { return }
    metrics.append(("sampling/sampling_logp_difference/mean", mismatch.mean))
    metrics.append(("sampling/sampling_logp_difference/max", mismatch.greatest))
    metrics.append(("sampler/kl", mismatchKLSum / Double(mismatch.count)))
    metrics.append(("sampler/ratio_deviation_max", mismatchRatioDeviation))
  }
}
