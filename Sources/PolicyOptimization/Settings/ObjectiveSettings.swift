/// Every convention of the objective, one explicit value each.
///
/// The defaults are TRL 1.16's, except that the KL term carries no importance correction
/// (`use_bias_correction_kl`) and the constants are double precision (`float32_constants`). The
/// keys under which these values are written in a config are in ``ObjectiveKey/all``.
public struct ObjectiveSettings: Sendable, Hashable {
  /// Makes TRL's defaults without the importance correction of the KL term.
  public init() {}

  // MARK: Advantage

  /// Whether a completion has one reward or one for each of its steps.
  public var supervision = Supervision.outcome
  /// What is subtracted from a reward.
  public var baseline = AdvantageBaseline.groupMean
  /// Over what the standard deviation that divides is taken.
  public var scaleRewards = RewardScale.group
  /// How the standard deviation is estimated.
  public var deviation = DeviationEstimator.sample
  /// The small number that keeps the division finite, in units of the reward (of its square where
  /// it is placed in the variance).
  public var advantageEpsilon = 1e-4
  /// Where the epsilon goes.
  public var epsilonPlacement = EpsilonPlacement.standardDeviation
  /// Whether a reward in a group of zero deviation is left undivided instead of divided by the
  /// epsilon.
  public var leavesZeroDeviationUnscaled = false
  /// How several rewards become one advantage.
  public var aggregation = RewardAggregation.sumThenNormalize
  /// The largest magnitude of an advantage before KL and whitening; nil for no limit.
  public var advantageClip: Double?
  /// Whether advantages are centred and scaled once more over the whole step.
  public var whitening = AdvantageWhitening.none

  // MARK: Policy term

  /// TRL's name for a surrogate and a normaliser together.
  public var lossType = LossType.dapo
  /// The surrogate, where it isn't that of `lossType`.
  public var surrogateOverride: SurrogateKind?
  /// The normaliser, where it isn't that of `lossType`.
  public var normalizerOverride: Normalizer?
  /// Whether the ratio is each token's or the whole completion's.
  public var importanceSamplingLevel = ImportanceSamplingLevel.token
  /// The largest magnitude of a log-ratio before it is exponentiated; nil for no limit.
  public var logRatioClamp: Double?
  /// How far the ratio may fall below 1 before it is clipped.
  public var epsilon = 0.2
  /// How far the ratio may rise above 1, `epsilon` where nil; for CISPO's cap the number itself.
  public var epsilonHigh: Double?
  /// The cap on the ratio of the unclipped branch (two-sided or dual clip); nil for none.
  public var delta: Double?
  /// Which bounds CISPO puts on its weight.
  public var cispoBounds = CISPOBounds.cap
  /// SAPO's temperature for advantages above 0.
  public var sapoTemperaturePositive = 1.0
  /// SAPO's temperature for other advantages.
  public var sapoTemperatureNegative = 1.05
  /// VESPO's exponent for advantages of at least 0.
  public var vespoKPositive = 2.0
  /// VESPO's decay for advantages of at least 0.
  public var vespoLambdaPositive = 3.0
  /// VESPO's exponent for advantages below 0.
  public var vespoKNegative = 3.0
  /// VESPO's decay for advantages below 0.
  public var vespoLambdaNegative = 2.0

  // MARK: KL to the reference

  /// The weight of the KL penalty; 0 needs no reference model.
  public var beta = 0.0
  /// Which estimator of the KL divergence is used.
  public var klEstimator = KLEstimator.k3
  /// Where the penalty goes.
  public var klPlacement = KLPlacement.loss
  /// Whether the KL term is multiplied by the (differentiable) ratio, as in DeepSeek-V3.2.
  public var usesBiasCorrectionKL = false
  /// Which gradient the KL term has.
  public var klGradient = KLGradient.estimator
  /// The largest magnitude of the log-ratio inside the estimator; nil for no limit.
  public var klInputClamp: Double?
  /// The largest magnitude of the estimate; nil for no limit.
  public var klOutputClamp: Double?

  // MARK: Masks and corrections

  /// Whether completions that did not end are left out of the loss.
  public var masksTruncatedCompletions = false
  /// The share of tokens, highest entropy first, that keep the policy term.
  public var topEntropyQuantile = 1.0
  /// The mean log-ratio in nats above which a completion of negative advantage is dropped; nil
  /// keeps all.
  public var offPolicyMaskThreshold: Double?
  /// Whether rollouts of another engine are weighted by trainer's over sampler's probability.
  public var correctsSampler = true
  /// How that weight is bounded.
  public var samplerCorrection = SamplerCorrection.sequenceMask
  /// The upper bound of that weight.
  public var samplerCorrectionMaximum = 3.0
  /// The lower bound of that weight; nil for none.
  public var samplerCorrectionMinimum: Double?

  // MARK: Entropy

  /// The weight of the entropy bonus.
  public var entropyCoefficient = 0.0
  /// Whether the weight is steered towards a target.
  public var usesAdaptiveEntropy = false
  /// The least weight that the controller gives.
  public var entropyCoefficientMinimum = 0.0
  /// The greatest weight that the controller gives.
  public var entropyCoefficientMaximum = 1.0
  /// By how much the controller moves the weight after an update.
  public var entropyCoefficientStep = 0.005
  /// The mean entropy that the controller aims at, in nats.
  public var entropyTarget = 0.2

  // MARK: Iterations and reference

  /// How often each rollout is passed through the optimiser.
  public var iterations = 1
  /// Whether the reference follows the policy.
  public var refreshesReference = false
  /// The policy's share in a refreshed reference; 1 replaces it.
  public var referenceMixupAlpha = 0.6
  /// How many optimiser updates lie between two refreshes.
  public var referenceSyncSteps = 512

  // MARK: Arithmetic

  /// Whether the constants that TRL keeps in float32 are rounded likewise (`reference/TRL.md` §11).
  public var float32Constants = false
}

extension ObjectiveSettings {
  /// The surrogate in use.
  public var surrogate: SurrogateKind { surrogateOverride ?? lossType.surrogate }
  /// The normaliser in use.
  public var normalizer: Normalizer { normalizerOverride ?? lossType.normalizer }
  /// The upper clip distance in use.
  public var upperEpsilon: Double { epsilonHigh ?? epsilon }
  /// Whether the loss or the rewards read a reference model.
  public var needsReference: Bool { beta != 0 }
  /// Whether entropies receive a gradient.
  public var hasEntropyBonus: Bool { entropyCoefficient != 0 || usesAdaptiveEntropy }
  /// Whether rewards or advantages read the KL to the reference, before any update.
  public var hasKLInReward: Bool { beta != 0 && klPlacement != .loss }
  /// Whether the loss has a KL term.
  public var hasKLInLoss: Bool { beta != 0 && klPlacement == .loss }

  /// A constant as TRL holds it: rounded to float32 where `float32_constants` asks for it.
  func constant(_ value: Double) -> Double {
    float32Constants ? Double(Float(value)) : value
  }

  /// A copy with changes.
  public func with(_ change: (inout ObjectiveSettings) -> Void) -> ObjectiveSettings {
    var copy = self
    change(&copy)
    return copy
  }
}
