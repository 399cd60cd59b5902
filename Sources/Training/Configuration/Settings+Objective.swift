import PolicyOptimization
import Rollouts

extension SettingDeclaration {
  /// The settings of the arithmetic: one for each key of `ObjectiveSettings`, with its peers' names.
  static let objectiveSettings: [SettingDeclaration] = ObjectiveKey.all.map { key in
    SettingDeclaration(
      name: key.name, section: "Objective", kind: key.settingKind,
      absent: key.isOptional ? "none" : nil,
      unit: nil, help: key.summary, peers: peers[key.name] ?? [],
      read: { key.value(in: $0.objective) },
      write: { configuration, json in
        do throws(SettingError) { try key.set(json, in: &configuration.objective) } catch {
          return SettingFault("must be \(error.expected), not \(error.found)")
        }
        return nil
      })
  }

  private static let peers: [String: [PeerName]] = [
    "loss_type": [
      .verl("loss_agg_mode"), .verl("policy_loss.loss_mode"), .nemo("token_level_loss"),
    ],
    "scale_rewards": [
      .verl("norm_adv_by_std_in_grpo", "true or false there"), .nemo("normalize_rewards"),
    ],
    "importance_sampling_level": [.nemo("sequence_level_importance_ratios")],
    "epsilon": [
      .verl("clip_ratio"), .verl("clip_ratio_low"), .openRLHF("eps_clip"),
      .nemo("ratio_clip_min"),
    ],
    "epsilon_high": [.verl("clip_ratio_high"), .nemo("ratio_clip_max")],
    "delta": [.verl("clip_ratio_c"), .nemo("ratio_clip_c"), .openRLHF("dual_clip")],
    "beta": [
      .verl("kl_loss_coef"), .verl("use_kl_loss", "beta above 0 here"),
      .verl("kl_ctrl.kl_coef", "with kl_placement reward here"),
      .nemo("reference_policy_kl_penalty"), .openRLHF("init_kl_coef"),
    ],
    "kl_estimator": [.verl("kl_loss_type", "low_var_kl is k3")],
    "kl_placement": [.verl("use_kl_in_reward", "kl_placement reward here")],
    "num_iterations": [.verl("ppo_epochs"), .openRLHF("max_epochs")],
    "mask_truncated_completions": [.nemo("overlong_filtering")],
    "entropy_coef": [.verl("entropy_coeff")],
  ]
}

extension ObjectiveKey {
  /// Whether null is a value.
  fileprivate var isOptional: Bool {
    switch kind {
    case .optionalNumber, .optionalChoice: return true
    case .number, .integer, .boolean, .choice: return false
    }
  }

  /// How options and config files write a value; ranges are the objective's own to check.
  fileprivate var settingKind: SettingKind {
    switch kind {
    case .number, .optionalNumber:
      return .number(-Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude)
    case .integer: return .integer(1...1_000_000_000)
    case .boolean: return .boolean
    case .choice(let names), .optionalChoice(let names): return .choice(names)
    }
  }
}
