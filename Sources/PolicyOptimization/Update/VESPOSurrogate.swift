// VESPO (arXiv 2602.10693, as in TRL 1.16's `get_gamma_weights`): a gamma weighting of the whole
// completion's ratio, without gradient:
//
//   L = −φ·A·log π_θ          φ = exp(λ + k log W − λW),  φ(1) = 1
//   log W = clamp( Σ_t m_t clamp(l_t, −20, 20) + Σ_t log u_t, log 1e-8, 20 )
//
// with u_t the sampler's correction (SamplerCorrection.swift), (k, λ) by the sign of A, and λ at
// least 1e-4. It ignores `importance_sampling_level`. TRL holds k and λ in float32.

import Foundation

struct VESPOSurrogate: Surrogate {
  let positive: (k: Double, lambda: Double)
  let negative: (k: Double, lambda: Double)

  /// The least log W: log 1e-8.
  static let leastLogWeight = log(1e-8)
  /// The greatest magnitude of a token's log-ratio, and the greatest log W.
  static let greatestLogWeight = 20.0

  init(_ settings: ObjectiveSettings) {
    let least = settings.constant(1e-4)
    positive = (
      settings.constant(settings.vespoKPositive),
      max(settings.constant(settings.vespoLambdaPositive), least)
    )
    negative = (
      settings.constant(settings.vespoKNegative),
      max(settings.constant(settings.vespoLambdaNegative), least)
    )
  }

  /// φ of a completion for both signs of the advantage; 0 where it isn't finite.
  func weight(logWeight: Double) -> SequenceWeight {
    let logW = min(max(logWeight, Self.leastLogWeight), Self.greatestLogWeight)
    func phi(_ shape: (k: Double, lambda: Double)) -> Double {
      let phi = exp(shape.lambda + shape.k * logW - shape.lambda * exp(logW))
      return phi.isFinite ? phi : 0
    }
    return SequenceWeight(positive: phi(positive), negative: phi(negative))
  }

  func term(ratio: Double, advantage: Double, logProbability: Double, weight: SequenceWeight)
    -> SurrogateTerm
  {
    let gradient = -weight[advantage] * advantage
    return SurrogateTerm(value: gradient * logProbability, logProbabilityGradient: gradient)
  }
}
