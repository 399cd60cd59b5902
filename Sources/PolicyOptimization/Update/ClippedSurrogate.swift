// PPO's clipped surrogate (arXiv 1707.06347 eq. 7), with DAPO's separate upper distance (arXiv
// 2503.14476 eq. 8) and a cap δ on the ratio of the unclipped branch:
//
//   L = −min( min(w, δ)·A , clip(w, 1 − ε, 1 + ε_high)·A )
//
// The cap is TRL's `delta` (INTELLECT-2, arXiv 2505.07291). Dual clip (arXiv 1912.09729; verl
// `clip_ratio_c`, OpenRLHF `dual_clip`, NeMo `ratio_clip_c`), max(min(wA, clip(w)A), cA) for A < 0,
// is the same function when δ = c ≥ 1 + ε_high.

struct ClippedSurrogate: Surrogate {
  let lower: Double
  let upper: Double
  let cap: Double

  init(_ settings: ObjectiveSettings) {
    lower = 1 - settings.epsilon
    upper = 1 + settings.upperEpsilon
    cap = settings.delta ?? .infinity
  }

  func term(ratio: Double, advantage: Double, logProbability: Double, weight: SequenceWeight)
    -> SurrogateTerm
  {
    if advantage == 0 { return SurrogateTerm(value: 0) }
    let open = min(ratio, cap) * advantage
    let clipped = min(max(ratio, lower), upper) * advantage
    let openGradient = ratio <= cap ? advantage : 0
    let clippedGradient = ratio >= lower && ratio <= upper ? advantage : 0
    // At a tie the gradient is shared, as in PyTorch's `minimum`; inside the bounds both gradients are
    // A.
    let gradient =
      open < clipped
      ? openGradient : clipped < open ? clippedGradient : (openGradient + clippedGradient) / 2
    return SurrogateTerm(value: -min(open, clipped), ratioGradient: -gradient)
  }

  func clipSide(ratio: Double, advantage: Double) -> Int8 {
    let capped = min(ratio, cap)
    if capped < lower && advantage < 0 { return -1 }
    if capped > upper && advantage > 0 { return 1 }
    return 0
  }
}
