import Rollouts

extension ObjectiveSettings {
  /// A setting that others make meaningless.
  private struct Rule {
    /// The settings without effect.
    let keys: [String]
    /// The setting that takes the effect away.
    let cause: String
    let holds: @Sendable (ObjectiveSettings) -> Bool
  }

  private static let rules: [Rule] = [
    Rule(
      keys: ["advantage_std", "advantage_epsilon", "advantage_epsilon_placement"],
      cause: "scale_rewards"
    ) {
      $0.scaleRewards == .none && $0.whitening == .none && $0.aggregation == .sumThenNormalize
    },
    Rule(keys: ["advantage_unscaled_at_zero_std"], cause: "scale_rewards") {
      $0.scaleRewards == .none && $0.aggregation == .sumThenNormalize
    },
    Rule(
      keys: ["epsilon", "epsilon_high", "importance_sampling_level", "log_ratio_clamp"],
      cause: "surrogate"
    ) { $0.surrogate == .policyGradient },
    Rule(keys: ["epsilon", "epsilon_high"], cause: "loss_type") {
      $0.surrogate == .sapo || $0.surrogate == .vespo
    },
    Rule(keys: ["epsilon"], cause: "cispo_clip") {
      $0.surrogate == .cispo && $0.cispoBounds == .cap && $0.epsilonHigh != nil
    },
    Rule(keys: ["delta"], cause: "loss_type") { $0.surrogate != .clip },
    Rule(keys: ["cispo_clip"], cause: "loss_type") { $0.surrogate != .cispo },
    Rule(keys: ["sapo_temperature_pos", "sapo_temperature_neg"], cause: "loss_type") {
      $0.surrogate != .sapo
    },
    Rule(
      keys: ["vespo_k_pos", "vespo_lambda_pos", "vespo_k_neg", "vespo_lambda_neg"],
      cause: "loss_type"
    ) { $0.surrogate != .vespo },
    Rule(
      keys: [
        "kl_estimator", "kl_placement", "use_bias_correction_kl", "kl_gradient", "kl_input_clamp",
        "kl_output_clamp",
      ], cause: "beta"
    ) { $0.beta == 0 },
    Rule(keys: ["use_bias_correction_kl", "kl_gradient"], cause: "kl_placement") {
      $0.hasKLInReward
    },
    Rule(
      keys: ["entropy_coef_min", "entropy_coef_max", "entropy_coef_delta", "entropy_target"],
      cause: "use_adaptive_entropy"
    ) { !$0.usesAdaptiveEntropy },
    Rule(keys: ["ref_model_mixup_alpha", "ref_model_sync_steps"], cause: "sync_ref_model") {
      !$0.refreshesReference
    },
    Rule(
      keys: [
        "importance_sampling_mode", "importance_sampling_clip_max", "importance_sampling_clip_min",
      ], cause: "importance_sampling_correction"
    ) { !$0.correctsSampler },
  ]

  /// Settings that the user named and that have no effect.
  ///
  /// It is an error where a preset, not the user, set what takes the effect away, and a warning
  /// otherwise. `trl` is no such preset: TRL accepts these settings in silence.
  func meaninglessFaults(_ situation: ObjectiveSituation) -> [SettingFault] {
    var faults: [SettingFault] = []
    var named: Set<String> = []
    for rule in Self.rules where rule.holds(self) {
      guard let cause = ObjectiveKey.named(rule.cause) else { continue }
      let value = cause.value(in: self)
      let shown = value.settingText
      let isPresets =
        situation.preset.map {
          $0 != .trl && cause.value(in: $0.settings) != cause.defaultValue
        } ?? false
      let isError = isPresets && !situation.given.contains(rule.cause)
      for key in rule.keys where situation.given.contains(key) && !named.contains(key) {
        guard let setting = ObjectiveKey.named(key) else { continue }
        let given = setting.value(in: self)
        // Named at the value that it has anyway: nothing is lost.
        if given == setting.value(in: situation.preset?.settings ?? .default) { continue }
        named.insert(key)
        let origin = isError ? " (preset \(situation.preset?.rawValue ?? ""))" : ""
        faults.append(
          SettingFault(
            severity: isError ? .error : .warning, keys: [key, rule.cause],
            description: "\(key) is \(given.settingText), but has no effect with "
              + "\(rule.cause) \(shown)\(origin)"))
      }
    }
    return faults
  }
}
