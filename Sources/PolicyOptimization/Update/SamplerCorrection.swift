// Truncated and masked importance sampling for rollouts that another engine sampled (TIS: Yao et
// al., "Your efficient RL framework secretly brings you off-policy RL training", 2025; IcePop). d_t
// = (log π_old − log π_sampler) m_t:
//
//   token_*     u_t = exp(d_t)            *_truncate   u clamped to [min, max]
//   sequence_*  u   = exp(Σ_t d_t)        *_mask       u, or 0 outside [min, max]
//
// u multiplies the policy term, never the KL term, and has no gradient. As TRL's
// `vllm_importance_sampling_*`. Where the policy that acted is the policy that learns, u is exactly
// 1.

import Foundation

/// How the weight of trainer's over sampler's probability is bounded.
public enum SamplerCorrection: String, SettingChoice {
  case tokenTruncate = "token_truncate"
  case tokenMask = "token_mask"
  case sequenceTruncate = "sequence_truncate"
  case sequenceMask = "sequence_mask"

  /// The weight as an equation.
  public var meaning: String {
    switch self {
    case .tokenTruncate: "u_t = clamp(π_old/π_sampler, min, max)"
    case .tokenMask: "u_t = π_old/π_sampler, 0 outside [min, max]"
    case .sequenceTruncate: "u = clamp(Π_t π_old/π_sampler, min, max)"
    case .sequenceMask: "u = Π_t π_old/π_sampler, 0 outside [min, max]"
    }
  }

  /// Whether one weight serves the whole completion.
  var isSequenceLevel: Bool { self == .sequenceTruncate || self == .sequenceMask }
}

/// The weights of one completion.
enum SamplerWeights: Sendable {
  case none
  case uniform(Double)
  case perToken([Double])

  /// The weight of a token.
  func weight(at token: Int) -> Double {
    switch self {
    case .none: 1
    case .uniform(let weight): weight
    case .perToken(let weights): weights[token]
    }
  }

  /// Σ_t log of the weights, each limited to [log 1e-8, 20]: VESPO takes them into log W.
  func logSum(over mask: TokenMask) -> Double {
    func limited(_ weight: Double) -> Double {
      min(max(log(weight), VESPOSurrogate.leastLogWeight), VESPOSurrogate.greatestLogWeight)
    }
    switch self {
    case .none: return 0
    case .uniform(let weight): return limited(weight)
    case .perToken(let weights):
      return weights.indices.reduce(0) { mask[$1] ? $0 + limited(weights[$1]) : $0 }
    }
  }
}

extension ObjectiveSettings {
  /// The weights of a completion that another engine sampled.
  ///
  /// - Parameters:
  ///   - old: the trainer's log-probabilities at the start of the step.
  ///   - sampler: the sampler's own.
  ///   - mask: the tokens that count.
  func samplerWeights(old: [Double], sampler: [Double], mask: TokenMask) -> SamplerWeights {
    let least = samplerCorrectionMinimum ?? 0
    let greatest = samplerCorrectionMaximum
    let truncates = samplerCorrection == .tokenTruncate || samplerCorrection == .sequenceTruncate
    func bounded(_ weight: Double) -> Double {
      if truncates { return min(max(weight, least), greatest) }
      return weight >= least && weight <= greatest ? weight : 0
    }
    if samplerCorrection.isSequenceLevel {
      let sum = old.indices.reduce(0) { mask[$1] ? $0 + (old[$1] - sampler[$1]) : $0 }
      return .uniform(bounded(exp(sum)))
    }
    return .perToken(old.indices.map { mask[$0] ? bounded(exp(old[$0] - sampler[$0])) : 1 })
  }
}
