extension ObjectiveKey {
  /// Every setting of the objective, in the order in which people think of them.
  public static let all: [ObjectiveKey] = advantage + policy + kl + masks + entropy + iteration

  private static let advantage: [ObjectiveKey] = [
    .choice(
      "supervision", \.supervision, "one reward per completion, or one for each of its steps"),
    .choice("advantage_baseline", \.baseline, "what is subtracted from a reward"),
    .scaleRewards,
    .choice("advantage_std", \.deviation, "how the standard deviation is estimated"),
    .number(
      "advantage_epsilon", \.advantageEpsilon, "added to the deviation, in units of the reward"),
    .choice(
      "advantage_epsilon_placement", \.epsilonPlacement, "where the epsilon of the division goes"),
    .boolean(
      "advantage_unscaled_at_zero_std", \.leavesZeroDeviationUnscaled,
      "leave a reward undivided where the deviation is 0, as NeMo does"),
    .choice(
      "multi_objective_aggregation", \.aggregation, "how several rewards become one advantage"),
    .optionalNumber(
      "advantage_clip", \.advantageClip, "greatest magnitude of an advantage; null for no limit"),
    .choice(
      "advantage_whitening", \.whitening, "a last normalisation over all tokens of the step"),
  ]

  private static let policy: [ObjectiveKey] = [
    .choice("loss_type", \.lossType, "TRL's name for a surrogate and a normaliser together"),
    .optionalChoice("surrogate", \.surrogateOverride, "the policy term; null for loss_type's"),
    .optionalChoice(
      "normalizer", \.normalizerOverride, "what divides the loss; null for loss_type's"),
    .choice(
      "importance_sampling_level", \.importanceSamplingLevel,
      "the ratio of each token or of the whole completion (GSPO)"),
    .optionalNumber(
      "log_ratio_clamp", \.logRatioClamp, "limit of a log-ratio before exp, in nats; null for none"),
    .number("epsilon", \.epsilon, "how far the ratio may fall below 1 (and rise above it)"),
    .optionalNumber(
      "epsilon_high", \.epsilonHigh,
      "how far the ratio may rise above 1; null for epsilon; CISPO's cap itself"),
    .optionalNumber(
      "delta", \.delta, "two-sided clip: cap on the ratio of the unclipped branch; null for none"),
    .choice("cispo_clip", \.cispoBounds, "cap (TRL) or range (the paper)"),
    .number("sapo_temperature_pos", \.sapoTemperaturePositive, "SAPO's gate at advantages above 0"),
    .number("sapo_temperature_neg", \.sapoTemperatureNegative, "SAPO's gate at other advantages"),
    .number("vespo_k_pos", \.vespoKPositive, "VESPO's exponent at advantages of at least 0"),
    .number("vespo_lambda_pos", \.vespoLambdaPositive, "VESPO's decay at advantages of at least 0"),
    .number("vespo_k_neg", \.vespoKNegative, "VESPO's exponent at advantages below 0"),
    .number("vespo_lambda_neg", \.vespoLambdaNegative, "VESPO's decay at advantages below 0"),
  ]

  private static let kl: [ObjectiveKey] = [
    .number("beta", \.beta, "weight of the KL to the reference model; 0 loads none"),
    .choice("kl_estimator", \.klEstimator, "the estimator of the KL (Schulman 2020)"),
    .choice("kl_placement", \.klPlacement, "in the loss, the reward, the return or the advantage"),
    .boolean(
      "use_bias_correction_kl", \.usesBiasCorrectionKL,
      "multiply the KL term by the ratio, with gradient (DeepSeek-V3.2; TRL's default)"),
    .choice("kl_gradient", \.klGradient, "what of the KL term is differentiated"),
    .optionalNumber(
      "kl_input_clamp", \.klInputClamp, "limit of the log-ratio in the estimator; null for none"),
    .optionalNumber("kl_output_clamp", \.klOutputClamp, "limit of the estimate; null for none"),
  ]

  private static let masks: [ObjectiveKey] = [
    .boolean(
      "mask_truncated_completions", \.masksTruncatedCompletions,
      "leave completions that did not end out of the loss"),
    .number(
      "top_entropy_quantile", \.topEntropyQuantile,
      "share of tokens, highest entropy first, that keep the policy term"),
    .optionalNumber(
      "off_policy_mask_threshold", \.offPolicyMaskThreshold,
      "drop completions of negative advantage beyond this mean log-ratio, in nats; null keeps all"),
    .boolean(
      "importance_sampling_correction", \.correctsSampler,
      aliases: ["vllm_importance_sampling_correction"],
      "weight rollouts of another engine by trainer's over sampler's probability"),
    .choice(
      "importance_sampling_mode", \.samplerCorrection, aliases: ["vllm_importance_sampling_mode"],
      "how that weight is bounded"),
    .number(
      "importance_sampling_clip_max", \.samplerCorrectionMaximum,
      aliases: ["vllm_importance_sampling_clip_max", "vllm_importance_sampling_cap"],
      "upper bound of that weight"),
    .optionalNumber(
      "importance_sampling_clip_min", \.samplerCorrectionMinimum,
      aliases: ["vllm_importance_sampling_clip_min"], "lower bound of that weight; null for none"),
  ]

  private static let entropy: [ObjectiveKey] = [
    .number("entropy_coef", \.entropyCoefficient, "weight of the entropy bonus"),
    .boolean("use_adaptive_entropy", \.usesAdaptiveEntropy, "steer entropy_coef towards a target"),
    .number("entropy_coef_min", \.entropyCoefficientMinimum, "least entropy_coef when adaptive"),
    .number("entropy_coef_max", \.entropyCoefficientMaximum, "greatest entropy_coef when adaptive"),
    .number("entropy_coef_delta", \.entropyCoefficientStep, "step of entropy_coef when adaptive"),
    .number("entropy_target", \.entropyTarget, "mean entropy to aim at when adaptive, in nats"),
  ]

  private static let iteration: [ObjectiveKey] = [
    .integer("num_iterations", \.iterations, "how often each rollout is passed (mu)"),
    .boolean("sync_ref_model", \.refreshesReference, "let the reference follow the policy"),
    .number(
      "ref_model_mixup_alpha", \.referenceMixupAlpha,
      "the policy's share in a refreshed reference; 1 replaces it"),
    .integer(
      "ref_model_sync_steps", \.referenceSyncSteps, "optimiser updates between two refreshes"),
    .boolean(
      "float32_constants", \.float32Constants,
      "round the constants that TRL keeps in float32, to agree with it to the last digit"),
  ]
}
