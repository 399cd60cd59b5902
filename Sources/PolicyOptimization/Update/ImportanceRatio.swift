// The importance ratio of the policy that learns over the policy that acted, with
// l_t = log π_θ(t) − log π_old(t):
//
//   token           w_t = exp(l_t)                           DeepSeekMath eq. 3
//   sequence        w   = exp(Σ_t m_t l_t / n)               GSPO (arXiv 2507.18071) eq. 7
//   sequence_token  w_t = sg[w]·π_θ(t)/sg[π_θ(t)]            GSPO-token, eq. 14: w's value, the
//                                                            token's own gradient
//
// With `log_ratio_clamp` c, the exponent is limited to [−c, c] and has no gradient beyond (verl and
// OpenRLHF: 20). NeMo and TRL have no such limit.

import Foundation

/// Whether the ratio is each token's or the whole completion's.
public enum ImportanceSamplingLevel: String, SettingChoice {
  case token
  case sequence
  case sequenceToken = "sequence_token"

  /// The ratio as an equation.
  public var meaning: String {
    switch self {
    case .token: "w_t = exp(l_t), l_t = log π(t) − log π_old(t)"
    case .sequence: "w = exp(1/n Σ_t l_t), one ratio for the completion"
    case .sequenceToken: "w_t = sg[w]·π(t)/sg[π(t)], w = exp(1/n Σ_t l_t)"
    }
  }
}

/// An exponentiated log-ratio and its derivative.
struct Ratio {
  /// The log-ratio before the clamp, in nats.
  let logRatio: Double
  /// exp of the clamped log-ratio.
  var value: Double
  /// d value / d log-ratio: the value itself, or 0 where the clamp holds.
  var derivative: Double

  init(logRatio: Double, clamp: Double?) {
    self.logRatio = logRatio
    if let clamp, abs(logRatio) > clamp {
      value = exp(logRatio < 0 ? -clamp : clamp)
      derivative = 0
    } else {
      value = exp(logRatio)
      derivative = value
    }
  }
}
