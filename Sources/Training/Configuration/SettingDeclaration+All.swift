import Rollouts

extension SettingDeclaration {
  /// Every setting, in the order of help, documentation and the printed configuration.
  public static let all: [SettingDeclaration] =
    runSettings + modelSettings + dataSettings + rewardSettings + lengthSettings
    + samplingSettings + objectiveSettings + optimizerSettings + supervisedSettings
    + evaluationSettings + savingSettings + loggingSettings

  private static let byName = Dictionary(
    uniqueKeysWithValues: all.map { ($0.name, $0) })

  /// The setting of a name, dashes for underscores allowed; nil where there is none.
  public static func named(_ name: String) -> SettingDeclaration? {
    byName[name] ?? byName[name.replacing("-", with: "_").lowercased()]
  }

  /// What to say of a name that is not a setting: whose name it is, or which is nearest.
  static func explanation(ofUnknown name: String) -> String {
    for setting in all {
      if let peer = setting.peers.first(where: { $0.matches(name) }) {
        let difference = peer.difference.map { " (\($0))" } ?? ""
        return "is \(peer.peer)'s name for '\(setting.name)'" + difference
      }
    }
    if let reason = reason(ofAbsent: name) { return "is \(reason)" }
    let nearest = Spelling.nearest(to: name, among: all.lazy.map(\.name))
    return "is not a setting"
      + (nearest.map { "; did you mean '\($0)'?" } ?? "; see 'grpo help train'")
  }

  /// Why a setting of another toolkit has no counterpart, to follow "is"; nil where it isn't known.
  public static func reason(ofAbsent name: String) -> String? {
    absentPeerSettings[name.replacing("-", with: "_").lowercased()]
  }

  /// Settings that people bring from other toolkits and that have no counterpart here.
  private static let absentPeerSettings: [String: String] = [
    "use_vllm": "TRL's; sampling and training always share one engine here",
    "vllm_mode": "TRL's; sampling and training always share one engine here",
    "report_to":
      "TRL's; metrics.jsonl is always written, TensorBoard files too (see 'tensorboard'); "
      + "docs/interchange.md has the ten lines that bring them into W&B or trackio",
    "run_name": "TRL's; a run is named by its folder (see 'run')",
    "wandb_project": "another tool's; docs/interchange.md brings metrics.jsonl into W&B",
    "push_to_hub":
      "TRL's; nothing is uploaded here: when the run is done, hf upload NAME RUN/final",
    "hub_model_id":
      "TRL's; nothing is uploaded here: when the run is done, hf upload NAME RUN/final",
    "eval_strategy": "TRL's; evaluation comes every 'eval_steps' steps, and never without it",
    "evaluation_strategy":
      "TRL's; evaluation comes every 'eval_steps' steps, and never without it",
    "save_strategy": "TRL's; checkpoints come every 'save_steps' steps",
    "logging_strategy": "TRL's; every step is in metrics.jsonl, 'logging_steps' is the screen's",
    "dataset_config": "TRL's; a hub name takes it after a colon: dataset openai/gsm8k:main",
    "dataset_config_name": "TRL's; a hub name takes it after a colon: dataset openai/gsm8k:main",
    "dataset_train_split": "TRL's; a folder's or hub data set's part 'train' is taken here",
    "dataset_test_split":
      "TRL's; eval_dataset takes a folder's or hub data set's part 'validation' or 'test'",
    "trust_remote_code": "TRL's; no code of a model is ever run here",
    "generation_batch_size": "TRL's; a step is 'prompts_per_step' times 'num_generations' here",
    "optim": "TRL's; the optimiser is AdamW here",
  ]
}
