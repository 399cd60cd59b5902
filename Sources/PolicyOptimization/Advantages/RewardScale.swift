// By what a centred reward is divided, with σ estimated as `advantage_std` says and ε placed as
// `advantage_epsilon_placement` says:
//
//   group   σ of the completion's group         DeepSeekMath §4.1.2, TRL, verl, OpenRLHF, NeMo
//   batch   σ of all rewards of the step        Lite PPO (arXiv 2508.08221)
//   none    1                                   Dr. GRPO (arXiv 2503.20783), nanochat
//
//   std              (r − b)/(σ + ε)            TRL 1e-4, verl 1e-6, OpenRLHF 1e-9, NeMo 1e-6
//   variance         (r − b)/√(σ² + ε)          verl's masked_whiten, 1e-8
//   variance_floor   (r − b)/√max(σ², ε)        OpenRLHF's and NeMo's whitening, 1e-8
//
//   sample           σ² = Σ(r − r̄)²/(n − 1)     torch.std; undefined for n = 1
//   population       σ² = Σ(r − r̄)²/n           mlx-lm-lora, GRPO-Zero
//   leave_one_out    the sample σ of the group's other completions: NeMo, with its baseline

/// Over what the standard deviation that divides is taken.
public enum RewardScale: String, SettingChoice {
  case group
  case batch
  case none

  /// The scale as an equation.
  public var meaning: String {
    switch self {
    case .group: "divided by the group's standard deviation"
    case .batch: "divided by the step's standard deviation"
    case .none: "not divided"
    }
  }
}

/// How a standard deviation is estimated.
public enum DeviationEstimator: String, SettingChoice {
  case sample
  case population
  case leaveOneOut = "leave_one_out"

  /// The estimator as an equation.
  public var meaning: String {
    switch self {
    case .sample: "σ² = Σ(r − mean)²/(n − 1)"
    case .population: "σ² = Σ(r − mean)²/n"
    case .leaveOneOut: "σ_i² = Σ_(j≠i)(r_j − b_i)²/(n − 2), of the other completions"
    }
  }
}

/// Where the epsilon of a division goes.
public enum EpsilonPlacement: String, SettingChoice {
  case standardDeviation = "std"
  case variance
  case varianceFloor = "variance_floor"

  /// The divisor as an equation.
  public var meaning: String {
    switch self {
    case .standardDeviation: "σ + ε"
    case .variance: "√(σ² + ε)"
    case .varianceFloor: "√max(σ², ε)"
    }
  }
}

extension ObjectiveSettings {
  /// A centred reward divided by a deviation; nil deviation (too few rewards) gives 0.
  func scaled(_ centred: Double, by deviation: Double?) -> Double {
    guard let deviation else { return 0 }
    if centred == 0 { return 0 }
    if deviation == 0 && leavesZeroDeviationUnscaled { return centred }
    switch epsilonPlacement {
    case .standardDeviation: return centred / (deviation + advantageEpsilon)
    case .variance: return centred / (deviation * deviation + advantageEpsilon).squareRoot()
    case .varianceFloor: return centred / max(deviation * deviation, advantageEpsilon).squareRoot()
    }
  }
}
