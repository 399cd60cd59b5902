// A last normalisation over all tokens of the step (REINFORCE++, arXiv 2501.03262 §3; verl
// `masked_whiten`; OpenRLHF and NeMo after their baselines):
//
//   A_it ← (A_it − mean A) / scale,   mean and deviation over the tokens of scorable completions
//
// with the deviation, the epsilon and its placement of RewardScale.swift (verl: sample, √(σ² +
// 1e-8); OpenRLHF and NeMo: population, √max(σ², 1e-8)).

/// Whether advantages are centred and scaled once more over the whole step.
public enum AdvantageWhitening: String, SettingChoice {
  case none
  case tokens

  /// The whitening as an equation.
  public var meaning: String {
    switch self {
    case .none: "A as it stands"
    case .tokens: "(A − mean)/scale over all tokens of the step"
    }
  }
}

extension AdvantageEstimator {
  /// Whitens advantages in place; unscorable completions keep 0 and don't count.
  func whiten(_ advantages: inout [TokenAdvantages], lengths: [Int], isScored: [Bool]) {
    var samples: [RewardStatistics.Sample] = []
    for index in advantages.indices where isScored[index] {
      samples += advantages[index].expanded(to: lengths[index]).map { .init($0) }
    }
    let statistics = RewardStatistics(samples)
    let estimator: DeviationEstimator = settings.deviation == .population ? .population : .sample
    let deviation = statistics.deviation(estimator, inFloat32: settings.float32Constants)
    for index in advantages.indices where isScored[index] {
      advantages[index] = advantages[index].mapped {
        settings.scaled(statistics.centred($0), by: deviation)
      }
    }
  }
}
