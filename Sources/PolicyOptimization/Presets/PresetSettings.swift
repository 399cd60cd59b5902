extension Preset {
  /// Sets the conventions that differ from our defaults (which are TRL's, see
  /// ObjectiveSettings.swift).
  func apply(to settings: inout ObjectiveSettings) {
    switch self {
    case .deepseekMath: Self.grpoPaper(&settings, beta: 0.04)
    case .deepseekR1:
      Self.grpoPaper(&settings, beta: 0.001)
      settings.epsilon = 10
      settings.refreshesReference = true
      settings.referenceMixupAlpha = 1
      settings.referenceSyncSteps = 400
    case .trl:
      settings.usesBiasCorrectionKL = true
      settings.float32Constants = true
    case .verl:
      settings.advantageEpsilon = 1e-6
      settings.normalizerOverride = .tokenMean
      settings.logRatioClamp = 20
      settings.delta = 3
      settings.klInputClamp = 20
      settings.klOutputClamp = 10
      settings.correctsSampler = false
    case .openRLHF:
      settings.advantageEpsilon = 1e-9
      Self.openRLHFPolicy(&settings)
    case .nemo: Self.nemo(&settings)
    case .drGRPO:
      settings.scaleRewards = .none
      settings.lossType = .drGRPO
    case .dapo:
      settings.advantageEpsilon = 0
      settings.epsilonHigh = 0.28
      settings.masksTruncatedCompletions = true
    case .gspo:
      settings.advantageEpsilon = 0
      settings.lossType = .grpo
      settings.importanceSamplingLevel = .sequence
      settings.epsilon = 3e-4
      settings.epsilonHigh = 4e-4
    case .cispo:
      settings.advantageEpsilon = 0
      settings.lossType = .cispo
      settings.normalizerOverride = .groupTokenMean
      settings.epsilonHigh = 5
    case .rloo:
      settings.baseline = .leaveOneOut
      settings.scaleRewards = .none
      settings.surrogateOverride = .policyGradient
      settings.normalizerOverride = .sequenceSum
      settings.beta = 0.05
      settings.klEstimator = .k1
      settings.klPlacement = .reward
    case .reinforcePlusPlus:
      settings.baseline = .none
      settings.scaleRewards = .none
      settings.deviation = .population
      settings.advantageEpsilon = 1e-8
      settings.epsilonPlacement = .varianceFloor
      settings.whitening = .tokens
      Self.openRLHFPolicy(&settings)
    case .nanochat:
      settings.scaleRewards = .none
      settings.surrogateOverride = .policyGradient
      settings.normalizerOverride = .groupTokenMean
    }
  }

  /// The equations of DeepSeekMath (3, 4 and §4.1.2): no epsilon in the division, k3 in the loss,
  /// the mean over a completion's tokens.
  private static func grpoPaper(_ settings: inout ObjectiveSettings, beta: Double) {
    settings.advantageEpsilon = 0
    settings.lossType = .grpo
    settings.beta = beta
  }

  /// OpenRLHF's `PolicyLoss` and its KL in the return, as `train_ppo_ray` runs them by default.
  private static func openRLHFPolicy(_ settings: inout ObjectiveSettings) {
    settings.normalizerOverride = .tokenMean
    settings.logRatioClamp = 20
    settings.advantageClip = 10
    settings.beta = 0.01
    settings.klEstimator = .k1
    settings.klPlacement = .return
    settings.klOutputClamp = 10
    settings.correctsSampler = false
  }

  /// `examples/configs/grpo_math_1B.yaml` through `advantage_estimator.py` and `loss_functions.py`.
  private static func nemo(_ settings: inout ObjectiveSettings) {
    settings.baseline = .leaveOneOut
    settings.deviation = .leaveOneOut
    settings.advantageEpsilon = 1e-6
    settings.leavesZeroDeviationUnscaled = true
    settings.normalizerOverride = .tokenMean
    settings.beta = 0.01
    settings.klGradient = .scoreFunction
    settings.klInputClamp = 20
    settings.klOutputClamp = 10
    settings.correctsSampler = false
  }
}
