// Estimators of KL(π_θ ‖ π_ref) from one sampled token, x = log π_ref − log π_θ (Schulman,
// "Approximating KL divergence", 2020):
//
//   k1   −x                 unbiased; gradient −dx/dθ·…, whose mean is 0
//   k2   x²/2               biased; its gradient is the gradient of the true KL
//   k3   exp(x) − x − 1     unbiased, never negative     DeepSeekMath eq. 4, TRL
//   abs  |x|                verl's `abs`
//
// What the loss differentiates (`kl_gradient`):
//
//   estimator       the estimator as it stands           DeepSeekMath, verl's k1, k2, k3
//   score_function  sg-ratio π_θ/sg[π_θ] times it        NeMo (arXiv 2506.09477): adds k·d log π
//   k2              the estimator's value, k2's gradient    verl's straight-through "k1+", "k3+"
//
// `use_bias_correction_kl` (DeepSeek-V3.2, arXiv 2512.02556; TRL's default) multiplies by the
// importance ratio w, with gradient; at w = 1 it equals score_function. Clamps: x to
// ±`kl_input_clamp`, the estimate to ±`kl_output_clamp` (verl and NeMo: 20 and 10), without
// gradient beyond.

import Foundation

/// Which estimator of the KL divergence is used.
public enum KLEstimator: String, SettingChoice {
  case k1
  case k2
  case k3
  case abs

  /// The estimator as an equation.
  public var meaning: String {
    switch self {
    case .k1: "k1 = −x, x = log π_ref − log π"
    case .k2: "k2 = x²/2, x = log π_ref − log π"
    case .k3: "k3 = exp(x) − x − 1, x = log π_ref − log π"
    case .abs: "|x|, x = log π_ref − log π"
    }
  }
}

/// Where the KL penalty goes.
public enum KLPlacement: String, SettingChoice {
  case loss
  case reward
  case `return`
  case advantage

  /// The placement as an equation.
  public var meaning: String {
    switch self {
    case .loss: "L += β·k, each token"
    case .reward: "r −= β·Σ_t k_t, before the baseline"
    case .return: "A_t −= β·Σ_(s≥t) k_s, after the baseline"
    case .advantage: "A_t −= β·k_t, after the baseline"
    }
  }
}

/// Which gradient the KL term of the loss has.
public enum KLGradient: String, SettingChoice {
  case estimator
  case scoreFunction = "score_function"
  case k2

  /// The gradient as an equation.
  public var meaning: String {
    switch self {
    case .estimator: "dk/dθ of the estimator itself"
    case .scoreFunction: "dk/dθ + k·d log π/dθ, the gradient of the expectation"
    case .k2: "−x·d log π/dθ, the gradient of k2, whatever the value"
    }
  }
}

/// A KL estimate and its derivative with respect to log π.
struct KLTerm {
  var value: Double
  var gradient: Double
}

/// A KL estimator with its clamps.
struct KLPenalty: Sendable {
  let estimator: KLEstimator
  let gradient: KLGradient
  let inputClamp: Double
  let outputClamp: Double

  init(_ settings: ObjectiveSettings) {
    estimator = settings.klEstimator
    gradient = settings.klGradient
    inputClamp = settings.klInputClamp ?? .infinity
    outputClamp = settings.klOutputClamp ?? .infinity
  }

  /// The estimate for one token and its derivative with respect to the policy's log-probability.
  func term(logProbability: Double, reference: Double) -> KLTerm {
    let raw = reference - logProbability
    let x = min(max(raw, -inputClamp), inputClamp)
    // dx / d log π.
    let inner: Double = raw == x ? -1 : 0
    var term: KLTerm
    switch estimator {
    case .k1: term = KLTerm(value: -x, gradient: -inner)
    case .k2: term = KLTerm(value: x * x / 2, gradient: x * inner)
    // expm1 keeps the digits of exp(x) − 1 where the reference is near.
    case .k3: term = KLTerm(value: expm1(x) - x, gradient: expm1(x) * inner)
    case .abs: term = KLTerm(value: Swift.abs(x), gradient: (x > 0 ? 1 : x < 0 ? -1 : 0) * inner)
    }
    switch gradient {
    case .estimator: break
    case .scoreFunction: if inner != 0 { term.gradient += term.value }
    case .k2: term.gradient = x * inner
    }
    if Swift.abs(term.value) > outputClamp {
      term = KLTerm(value: term.value < 0 ? -outputClamp : outputClamp, gradient: 0)
    }
    return term
  }

  /// The estimates for a completion's tokens, without gradient.
  func values(logProbabilities: [Double], references: [Double]) -> [Double] {
    zip(logProbabilities, references).map { term(logProbability: $0, reference: $1).value }
  }
}
