extension ObjectiveSettings {
  /// Every fault of the settings at once, errors first.
  ///
  /// - Returns: errors, with which no run may start, and warnings of what is legal but odd.
  public func validate(_ situation: ObjectiveSituation) -> [SettingFault] {
    let faults =
      rangeFaults() + advantageFaults(situation) + referenceFaults(situation)
      + policyFaults(situation) + meaninglessFaults(situation)
    return faults.filter { $0.severity == .error } + faults.filter { $0.severity == .warning }
  }

  /// Numbers outside the range in which they mean anything.
  private func rangeFaults() -> [SettingFault] {
    var faults: [SettingFault] = []
    func require(_ holds: Bool, _ key: String, _ value: Double?, _ range: String) {
      guard !holds, let value else { return }
      faults.append(.error(key, text: "\(key) is \(value): it must be \(range)"))
    }
    func nonNegative(_ key: String, _ value: Double?) {
      require(
        (value ?? 0) >= 0 && (value ?? 0).isFinite, key, value, "a finite number of at least 0")
    }
    func positive(_ key: String, _ value: Double?) {
      require((value ?? 1) > 0 && (value ?? 1).isFinite, key, value, "a finite number above 0")
    }
    nonNegative("advantage_epsilon", advantageEpsilon)
    positive("advantage_clip", advantageClip)
    nonNegative("epsilon", epsilon)
    nonNegative("epsilon_high", epsilonHigh)
    positive("delta", delta)
    positive("log_ratio_clamp", logRatioClamp)
    positive("sapo_temperature_pos", sapoTemperaturePositive)
    positive("sapo_temperature_neg", sapoTemperatureNegative)
    nonNegative("vespo_k_pos", vespoKPositive)
    nonNegative("vespo_lambda_pos", vespoLambdaPositive)
    nonNegative("vespo_k_neg", vespoKNegative)
    nonNegative("vespo_lambda_neg", vespoLambdaNegative)
    nonNegative("beta", beta)
    positive("kl_input_clamp", klInputClamp)
    positive("kl_output_clamp", klOutputClamp)
    require(
      topEntropyQuantile >= 0 && topEntropyQuantile <= 1, "top_entropy_quantile",
      topEntropyQuantile, "within 0…1")
    require(
      offPolicyMaskThreshold.map(\.isFinite) ?? true, "off_policy_mask_threshold",
      offPolicyMaskThreshold, "a finite number")
    positive("importance_sampling_clip_max", samplerCorrectionMaximum)
    nonNegative("importance_sampling_clip_min", samplerCorrectionMinimum)
    require(entropyCoefficient.isFinite, "entropy_coef", entropyCoefficient, "a finite number")
    nonNegative("entropy_coef_delta", entropyCoefficientStep)
    require(
      referenceMixupAlpha >= 0 && referenceMixupAlpha <= 1, "ref_model_mixup_alpha",
      referenceMixupAlpha, "within 0…1")
    require(iterations >= 1, "num_iterations", Double(iterations), "at least 1")
    require(
      referenceSyncSteps >= 1, "ref_model_sync_steps", Double(referenceSyncSteps), "at least 1")
    if let least = samplerCorrectionMinimum, least > samplerCorrectionMaximum {
      faults.append(
        .error(
          "importance_sampling_clip_min", "importance_sampling_clip_max",
          text: "importance_sampling_clip_min is \(least), above importance_sampling_clip_max "
            + "\(samplerCorrectionMaximum)"))
    }
    if entropyCoefficientMinimum > entropyCoefficientMaximum {
      faults.append(
        .error(
          "entropy_coef_min", "entropy_coef_max",
          text: "entropy_coef_min is \(entropyCoefficientMinimum), above entropy_coef_max "
            + "\(entropyCoefficientMaximum)"))
    }
    return faults
  }

  private func advantageFaults(_ situation: ObjectiveSituation) -> [SettingFault] {
    var faults: [SettingFault] = []
    let usesGroupDeviation = scaleRewards == .group || aggregation == .normalizeThenSum
    if let size = situation.groupSize, size < 2, supervision == .outcome {
      if usesGroupDeviation {
        faults.append(
          .error(
            "num_generations", "scale_rewards",
            text:
              "num_generations is \(size) and scale_rewards is \(scaleRewards.rawValue): a group of "
              + "one has no standard deviation; use num_generations of at least 2, or scale_rewards none"
          ))
      }
      if baseline == .groupMean || baseline == .leaveOneOut {
        faults.append(
          .error(
            "num_generations", "advantage_baseline",
            text:
              "num_generations is \(size) and advantage_baseline is \(baseline.rawValue): a group of "
              + "one is its own baseline and teaches nothing; use at least 2, or another baseline"))
      }
    }
    if usesGroupDeviation && (baseline == .none || baseline == .batchMean) {
      faults.append(
        .error(
          "advantage_baseline", "scale_rewards",
          text: "advantage_baseline is \(baseline.rawValue) and scale_rewards is "
            + "\(scaleRewards.rawValue): a group of equal rewards would be divided by 0 without being "
            + "centred; use scale_rewards batch or none, or advantage_baseline group_mean"))
    }
    if deviation == .leaveOneOut && (scaleRewards == .batch || whitening != .none) {
      faults.append(
        .warning(
          "advantage_std",
          text: "advantage_std is leave_one_out, but scale_rewards is \(scaleRewards.rawValue) and "
            + "advantage_whitening is \(whitening.rawValue): over a whole step the sample deviation is used"
        ))
    }
    if let size = situation.groupSize, size < 3, scaleRewards == .group, deviation == .leaveOneOut,
      !leavesZeroDeviationUnscaled
    {
      faults.append(
        .error(
          "num_generations", "advantage_std",
          text: "num_generations is \(size) and advantage_std is leave_one_out: the others of a "
            + "completion need to be 2; use at least 3, or advantage_unscaled_at_zero_std"))
    }
    if supervision == .process && baseline == .leaveOneOut {
      faults.append(
        .warning(
          "advantage_baseline", "supervision",
          text:
            "advantage_baseline is leave_one_out and supervision is process: what is left out is "
            + "one step, not the steps of its completion"))
    }
    if aggregation == .normalizeThenSum && scaleRewards != .group {
      faults.append(
        .warning(
          "scale_rewards", "multi_objective_aggregation",
          text: "scale_rewards is \(scaleRewards.rawValue), but multi_objective_aggregation "
            + "normalize_then_sum always divides, within groups and over the step"))
    }
    return faults
  }

  private func referenceFaults(_ situation: ObjectiveSituation) -> [SettingFault] {
    var faults: [SettingFault] = []
    if beta != 0 && !situation.hasReference {
      faults.append(
        .error(
          "beta",
          text:
            "beta is \(beta), but there is no reference model and no reference log-probabilities: "
            + "give one, or set beta 0"))
    }
    if refreshesReference && beta == 0 {
      faults.append(
        .error(
          "sync_ref_model", "beta",
          text: "sync_ref_model is true, but beta is 0: there is no reference model to refresh"))
    }
    if usesBiasCorrectionKL && klGradient != .estimator && beta != 0 {
      faults.append(
        .error(
          "use_bias_correction_kl", "kl_gradient",
          text:
            "use_bias_correction_kl is true and kl_gradient is \(klGradient.rawValue): both give "
            + "the KL term its sampling gradient; choose one"))
    }
    if beta != 0 && klPlacement == .reward && supervision == .process {
      faults.append(
        .error(
          "kl_placement", "supervision",
          text:
            "kl_placement is reward and supervision is process: a completion has no single reward; "
            + "use kl_placement return, advantage or loss"))
    }
    if beta != 0 && klPlacement == .reward && aggregation == .normalizeThenSum {
      faults.append(
        .error(
          "kl_placement", "multi_objective_aggregation",
          text:
            "kl_placement is reward and multi_objective_aggregation is normalize_then_sum: the KL "
            + "belongs to no single reward; use kl_placement return, advantage or loss"))
    }
    return faults
  }

  private func policyFaults(_ situation: ObjectiveSituation) -> [SettingFault] {
    var faults: [SettingFault] = []
    if situation.maxCompletionLength < 1 {
      faults.append(
        .error(
          "max_completion_length",
          text: "max_completion_length is \(situation.maxCompletionLength): it must be at least 1"))
    }
    if surrogate == .clip, let high = epsilonHigh, high < epsilon {
      faults.append(
        .warning(
          "epsilon_high", "epsilon",
          text:
            "epsilon_high is \(high), below epsilon \(epsilon): good completions are clipped sooner "
            + "than bad ones, the reverse of clip-higher"))
    }
    if surrogate == .clip, let delta, delta < 1 + upperEpsilon {
      faults.append(
        .warning(
          "delta", "epsilon_high",
          text:
            "delta is \(delta), below 1 + epsilon_high = \(1 + upperEpsilon): it also caps good "
            + "completions inside the clip range"))
    }
    if surrogate == .cispo, cispoBounds == .cap, upperEpsilon < 1 {
      faults.append(
        .warning(
          "epsilon_high",
          text:
            "epsilon_high is \(upperEpsilon): as CISPO's cap it holds every on-policy weight, which "
            + "is 1, down to \(upperEpsilon); 5.0 is advised"))
    }
    let lengthWeighted: [Normalizer] = [.tokenMean, .rolloutTokenMean, .constant, .groupTokenMean]
    if importanceSamplingLevel == .sequence && surrogate == .clip
      && lengthWeighted.contains(normalizer)
    {
      faults.append(
        .warning(
          "importance_sampling_level", "loss_type",
          text:
            "importance_sampling_level is sequence, but the normaliser \(normalizer.rawValue) weights "
            + "completions by length; GSPO uses loss_type grpo"))
    }
    if lossType == .luspo && importanceSamplingLevel == .token {
      faults.append(
        .warning(
          "loss_type", "importance_sampling_level",
          text: "loss_type is luspo with importance_sampling_level token: it is meant for sequence")
      )
    }
    return faults
  }
}
