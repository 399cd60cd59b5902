// CISPO (MiniMax-M1, arXiv 2506.13585 eq. 4 and 5): the weight is bounded, not the gradient, so
// that no token is dropped:
//
//   L = −sg[ŵ]·A·log π_θ
//
//   cap    ŵ = min(w, ε_high)                TRL: ε_high is the cap itself (5.0 is advised)
//   range  ŵ = clip(w, 1 − ε, 1 + ε_high)    the paper's eq. 5, verl, NeMo

/// Which bounds CISPO puts on its weight.
public enum CISPOBounds: String, SettingChoice {
  case cap
  case range

  /// The bound as an equation.
  public var meaning: String {
    switch self {
    case .cap: "min(w, ε_high)"
    case .range: "clip(w, 1 − ε, 1 + ε_high)"
    }
  }
}

struct CISPOSurrogate: Surrogate {
  let lower: Double
  let upper: Double

  init(_ settings: ObjectiveSettings) {
    switch settings.cispoBounds {
    case .cap:
      lower = 0
      upper = settings.upperEpsilon
    case .range:
      lower = 1 - settings.epsilon
      upper = 1 + settings.upperEpsilon
    }
  }

  func term(ratio: Double, advantage: Double, logProbability: Double, weight: SequenceWeight)
    -> SurrogateTerm
  {
    let gradient = -min(max(ratio, lower), upper) * advantage
    return SurrogateTerm(value: gradient * logProbability, logProbabilityGradient: gradient)
  }

  func clipSide(ratio: Double, advantage: Double) -> Int8 {
    if ratio > upper && advantage > 0 { return 1 }
    if ratio < lower && advantage < 0 { return -1 }
    return 0
  }
}
