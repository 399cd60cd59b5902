import Rollouts

extension SettingDeclaration {
  static let objectiveSettings: [SettingDeclaration] = [
    .choice(
      "loss_type", \.lossType,
      ["grpo", "dr_grpo", "dapo", "bnpo", "cispo", "sapo", "luspo", "vespo"], "Objective",
      "surrogate and normaliser together",
      peers: [.verl("loss_agg_mode"), .verl("policy_loss.loss_mode"), .nemo("token_level_loss")]),
    .choice(
      "scale_rewards", \.scaleRewards, ["group", "batch", "none"], "Objective",
      "over what the standard deviation is taken that divides advantages",
      peers: [.verl("norm_adv_by_std_in_grpo", "true or false there"), .nemo("normalize_rewards")]),
    .number(
      "advantage_epsilon", \.advantageEpsilon, 0...1, "Objective",
      "number added to that standard deviation"),
    .choice(
      "multi_objective_aggregation", \.multiObjectiveAggregation,
      ["sum_then_normalize", "normalize_then_sum"], "Objective",
      "how several rewards become one advantage"),
    .choice(
      "importance_sampling_level", \.importanceSamplingLevel, ["token", "sequence"], "Objective",
      "whether the ratio is each token's or the whole completion's (GSPO)",
      peers: [.nemo("sequence_level_importance_ratios")]),
    .number(
      "epsilon", \.epsilon, 0 ... .unbounded, "Objective",
      "how far the ratio may fall below 1 before it is clipped",
      peers: [
        .verl("clip_ratio"), .verl("clip_ratio_low"), .openRLHF("eps_clip"),
        .nemo("ratio_clip_min"),
      ]),
    .number(
      "epsilon_high", \.epsilonHigh, 0 ... .unbounded, absent: "as epsilon", "Objective",
      "how far the ratio may rise above 1 before it is clipped; for cispo the cap itself",
      peers: [.verl("clip_ratio_high"), .nemo("ratio_clip_max")]),
    .number(
      "delta", \.delta, 1 ... .unbounded, absent: "no cap", "Objective",
      "cap on the ratio of the unclipped branch (two-sided or dual clip)",
      peers: [.verl("clip_ratio_c"), .nemo("ratio_clip_c"), .openRLHF("dual_clip")]),
    .number(
      "beta", \.beta, 0 ... .unbounded, "Objective",
      "weight of the KL penalty to the reference; 0 needs no reference model",
      peers: [
        .verl("kl_loss_coef"), .verl("use_kl_loss", "beta above 0 here"),
        .nemo("reference_policy_kl_penalty"), .openRLHF("init_kl_coef"),
      ]),
    .choice(
      "kl_estimator", \.klEstimator, ["k1", "k2", "k3"], "Objective",
      "estimator of the KL divergence",
      peers: [.verl("kl_loss_type", "low_var_kl is k3"), .openRLHF("kl_estimator")]),
    .choice(
      "kl_placement", \.klPlacement, ["loss", "reward"], "Objective",
      "whether the penalty stands in the loss or in the reward",
      peers: [.verl("use_kl_in_reward", "kl_placement reward here")]),
    .boolean(
      "use_bias_correction_kl", \.useBiasCorrectionKl, "Objective",
      "whether the KL term is multiplied by the ratio (TRL's default is true)"),
    .integer(
      "num_iterations", \.numIterations, 1...1000, "Objective", unit: "passes",
      "passes over each step's completions",
      peers: [.verl("ppo_epochs"), .openRLHF("max_epochs")]),
    .boolean(
      "mask_truncated_completions", \.maskTruncatedCompletions, "Objective",
      "whether completions that did not end are left out of the loss",
      peers: [.nemo("overlong_filtering")]),
    .number(
      "top_entropy_quantile", \.topEntropyQuantile, .aboveZero...1, "Objective",
      "share of tokens, highest entropy first, that keep the policy term"),
    .number(
      "off_policy_mask_threshold", \.offPolicyMaskThreshold, 0 ... .unbounded, absent: "none",
      "Objective", unit: "nats",
      "mean log-ratio above which a completion of negative advantage is left out"),
    .number(
      "entropy_coef", \.entropyCoef, -1e3...1e3, "Objective", "weight of the entropy bonus",
      peers: [.verl("entropy_coeff")]),
    .boolean(
      "use_adaptive_entropy", \.useAdaptiveEntropy, "Objective",
      "whether that weight is steered towards entropy_target"),
    .number(
      "entropy_coef_min", \.entropyCoefMin, -1e3...1e3, "Objective", "least weight so steered"),
    .number(
      "entropy_coef_max", \.entropyCoefMax, -1e3...1e3, "Objective", "greatest weight so steered"),
    .number(
      "entropy_coef_delta", \.entropyCoefDelta, 0...1e3, "Objective",
      "by how much an update moves the weight"),
    .number(
      "entropy_target", \.entropyTarget, 0...1e3, "Objective", unit: "nats",
      "mean entropy a token that is aimed at"),
    .boolean(
      "sync_ref_model", \.syncRefModel, "Objective", "whether the reference follows the policy"),
    .number(
      "ref_model_mixup_alpha", \.refModelMixupAlpha, .aboveZero...1, "Objective",
      "the policy's share in a refreshed reference; 1 replaces it"),
    .integer(
      "ref_model_sync_steps", \.refModelSyncSteps, 1...1_000_000_000, "Objective",
      unit: "updates", "optimiser updates between two refreshes of the reference"),
  ]

  private static func choice(
    _ name: String, _ path: SettingPath<String>, _ names: [String], _ section: String,
    _ help: String, peers: [PeerName] = []
  ) -> SettingDeclaration {
    SettingDeclaration(
      name: name, section: section, kind: .choice(names), absent: nil, unit: nil, help: help,
      peers: peers, read: { .string($0[keyPath: path]) },
      write: { configuration, json in
        guard let value = json.string, names.contains(value) else {
          return notAChoice(json, of: names)
        }
        configuration[keyPath: path] = value
        return nil
      })
  }
}
