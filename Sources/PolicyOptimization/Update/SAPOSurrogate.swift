// SAPO (Soft Adaptive Policy Optimization, arXiv 2511.20347): a sigmoid gate in place of the clip:
//
//   L = −A·σ(τ(w − 1))·4/τ        dL/dw = −A·4 σ(1 − σ), which is −A at w = 1
//
// τ is `sapo_temperature_pos` for A > 0 and `sapo_temperature_neg` otherwise; TRL holds both in
// float32.

import Foundation

struct SAPOSurrogate: Surrogate {
  let positive: Double
  let negative: Double

  init(_ settings: ObjectiveSettings) {
    positive = settings.constant(settings.sapoTemperaturePositive)
    negative = settings.constant(settings.sapoTemperatureNegative)
  }

  func term(ratio: Double, advantage: Double, logProbability: Double, weight: SequenceWeight)
    -> SurrogateTerm
  {
    if advantage == 0 { return SurrogateTerm(value: 0) }
    let temperature = advantage > 0 ? positive : negative
    let gate = 1 / (1 + exp(-temperature * (ratio - 1)))
    return SurrogateTerm(
      value: -advantage * gate * 4 / temperature, ratioGradient: -advantage * 4 * gate * (1 - gate))
  }
}
