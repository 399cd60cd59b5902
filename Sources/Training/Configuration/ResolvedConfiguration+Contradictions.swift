import Foundation
import PolicyOptimization
import Rollouts
import Tensors

extension ResolvedConfiguration {
  /// What two settings make impossible together, and what is legal but odd.
  ///
  /// Each sentence names both values. Settings in `faulty` have no value of their own to compare.
  func contradictions(except faulty: Set<String>) -> (faults: [String], warnings: [String]) {
    var check = ContradictionCheck(resolved: self, faulty: faulty)
    check.lengthOfRun()
    check.sampling()
    check.data()
    check.iterations()
    check.optimiser()
    check.precision()
    check.adapters()
    check.objective()
    check.evaluationAndCheckpoints()
    return (check.faults, check.warnings)
  }
}

extension RunConfiguration {
  /// Whether there is anything to evaluate on.
  var hasEvaluation: Bool {
    !evalDataset.isEmpty || evalFraction > 0 || (model == nil && dataset.isEmpty)
  }
}

/// The rules between settings, by topic.
private struct ContradictionCheck {
  let resolved: ResolvedConfiguration
  let faulty: Set<String>
  var faults: [String] = []
  var warnings: [String] = []

  private var values: RunConfiguration { resolved.values }

  /// Whether a person set this to something else than the default.
  ///
  /// A printed configuration names every setting; read back, its defaults contradict nothing.
  private func isChanged(_ name: String) -> Bool {
    let setting = SettingDeclaration.named(name)
    return resolved.isExplicit(name)
      && setting?.value(in: values) != setting?.value(in: RunConfiguration())
  }

  /// Adds a fault where all settings it speaks of have legal values.
  private mutating func refuse(_ names: String..., unless legal: Bool, _ sentence: String) {
    if !legal, faulty.isDisjoint(with: names) { faults.append(sentence) }
  }

  mutating func lengthOfRun() {
    refuse(
      "max_steps", "num_train_epochs",
      unless: values.maxSteps == nil || !isChanged("num_train_epochs"),
      "max_steps \(values.maxSteps ?? 0) and num_train_epochs \(plain(values.numTrainEpochs)) "
        + "both say how long the run is; give one")
    refuse(
      "prompts_per_step", "updates_per_rollout",
      unless: values.promptsPerStep % max(1, values.updatesPerRollout) == 0,
      "prompts_per_step \(values.promptsPerStep) can't be cut into updates_per_rollout "
        + "\(values.updatesPerRollout) equal parts of whole groups; make it a multiple")
    refuse(
      "dynamic_sampling", "num_generations",
      unless: !values.dynamicSampling || values.numGenerations > 1,
      "dynamic_sampling drops every group of num_generations \(values.numGenerations); "
        + "take 2 or more")
    refuse(
      "rollouts", "dynamic_sampling",
      unless: values.rollouts == nil || !values.dynamicSampling,
      "dynamic_sampling true samples anew, rollouts \(values.rollouts ?? "") doesn't sample; "
        + "leave one out")
  }

  mutating func sampling() {
    refuse(
      "min_new_tokens", "max_completion_length",
      unless: values.minNewTokens <= values.maxCompletionLength,
      "min_new_tokens \(values.minNewTokens) is above max_completion_length "
        + "\(values.maxCompletionLength)")
  }

  mutating func data() {
    refuse(
      "min_prompt_length", "max_prompt_length",
      unless: values.maxPromptLength.map { values.minPromptLength <= $0 } ?? true,
      "min_prompt_length \(values.minPromptLength) is above max_prompt_length "
        + "\(values.maxPromptLength ?? 0)")
    refuse(
      "eval_fraction", "eval_dataset",
      unless: values.evalFraction == 0 || values.evalDataset.isEmpty,
      "eval_fraction \(plain(values.evalFraction)) and eval_dataset "
        + "\(values.evalDataset.joined(separator: ", ")) both say what is held out; give one")
    refuse(
      "prompt_priority", "curriculum",
      unless: values.promptPriority == .none || values.curriculum == nil,
      "prompt_priority \(values.promptPriority.rawValue) and curriculum \(values.curriculum ?? "") both say "
        + "which rows come first; give one")
    refuse(
      "prompt_priority", "shuffle_dataset",
      unless: values.promptPriority == .none || values.shuffleDataset,
      "prompt_priority \(values.promptPriority.rawValue) draws rows by chance, shuffle_dataset false keeps "
        + "their order; leave one out")
    refuse(
      "prompt_priority", "rollouts",
      unless: values.promptPriority == .none || values.rollouts == nil,
      "prompt_priority \(values.promptPriority.rawValue) chooses what is sampled, rollouts "
        + "\(values.rollouts ?? "") doesn't sample; leave one out")
    for column in values.columns where !faulty.contains("columns") {
      let parts = column.split(separator: "=", omittingEmptySubsequences: false)
      if parts.count != 2 || parts.contains(where: \.isEmpty) {
        faults.append("columns '\(column)' must be NEW=OLD, such as prompt=question")
      }
    }
  }

  mutating func iterations() {
    guard let hook = values.iterationHook else { return }
    refuse(
      "iteration_hook", "sync_ref_model", unless: values.objective.refreshesReference,
      "iteration_hook \(hook) is run when the reference is refreshed, and sync_ref_model is false; set it true"
    )
    refuse(
      "iteration_hook", unless: FileManager.default.isExecutableFile(atPath: hook),
      "iteration_hook \(hook) is no executable file; chmod +x it")
  }

  mutating func optimiser() {
    if let steps = values.maxSteps {
      let updates = steps *| values.updatesPerRollout *| values.objective.iterations
      if values.warmupSteps > updates {
        warnings.append(
          "warmup_steps \(values.warmupSteps) is more than the run's \(updates) updates: "
            + "learning_rate \(plain(values.learningRate)) is never reached")
      }
    }
    if values.learningRate == 0 { warnings.append("learning_rate 0 changes nothing") }
  }

  mutating func precision() {
    let precision = values.precision
    refuse(
      "kv_cache_type", "precision",
      unless: precision == .float32 || values.keyValueElement == precision.element,
      "kv_cache_type \(values.kvCacheType.rawValue) cannot be combined with precision \(precision.rawValue), whose "
        + "products read keys and values as \(precision.rawValue); leave kv_cache_type auto")
    guard precision != .fp16 else { return }
    for name in ["loss_scale", "loss_scale_growth_interval", "loss_scale_factor"]
    where isChanged(name) {
      let value = SettingDeclaration.named(name)?.value(in: values).jsonText ?? ""
      refuse(
        name, "precision", unless: false,
        "\(name) \(value) has no meaning with precision \(precision.rawValue), whose gradients do not overflow; "
          + "leave it out, or take precision fp16")
    }
  }

  mutating func adapters() {
    refuse(
      "lora_dropout", unless: values.loraDropout == 0,
      "lora_dropout \(plain(values.loraDropout)) is refused: with dropout the policy that acts is "
        + "not the policy that learns; leave it 0")
    let objective = values.objective
    refuse(
      "use_peft", "ref_model_mixup_alpha",
      unless: !values.usePeft || !objective.refreshesReference
        || objective.referenceMixupAlpha == 1,
      "ref_model_mixup_alpha \(plain(objective.referenceMixupAlpha)) cannot be combined with use_peft "
        + "true: a mixture of two adapters is not an adapter; take 1, or leave sync_ref_model out")
    refuse(
      "use_peft", "reference_model",
      unless: !values.usePeft || !objective.refreshesReference || values.referenceModel == nil,
      "reference_model \(values.referenceModel ?? "") can't be replaced by sync_ref_model with "
        + "use_peft true, which trains adapters alone; leave one out")
    guard !values.usePeft else { return }
    for name in ["lora_r", "lora_alpha", "lora_target_modules", "use_rslora"]
    where isChanged(name) {
      let value = SettingDeclaration.named(name)?.value(in: values).jsonText ?? ""
      refuse(
        name, "use_peft", unless: false,
        "\(name) \(value) has no meaning with use_peft false; add use_peft true")
    }
  }

  mutating func objective() {
    let objective = values.objective
    refuse(
      "reference_model", "beta", unless: values.referenceModel == nil || objective.beta != 0,
      "reference_model \(values.referenceModel ?? "") is not read with beta 0; raise beta")
    let given = SettingDeclaration.all.map(\.name).filter(isChanged)
    let situation = ObjectiveSituation(
      groupSize: values.numGenerations, hasReference: true,
      maxCompletionLength: values.maxCompletionLength, updatesPerRollout: values.updatesPerRollout,
      preset: values.like.flatMap(Preset.init(named:)), given: Set(given))
    for fault in objective.validate(situation) {
      switch fault.severity {
      case .error: faults.append(fault.description)
      case .warning: warnings.append(fault.description)
      }
    }
  }

  mutating func evaluationAndCheckpoints() {
    refuse(
      "eval_steps", "eval_dataset", "eval_fraction",
      unless: !isChanged("eval_steps") || values.hasEvaluation,
      "eval_steps \(values.evalSteps ?? 0) has nothing to evaluate; "
        + "give eval_dataset or eval_fraction")
    refuse(
      "metric_for_best_model", "eval_steps",
      unless: values.metricForBestModel == nil || values.evalSteps != nil,
      "metric_for_best_model \(values.metricForBestModel ?? "") needs evaluations to compare; "
        + "give eval_steps")
    refuse(
      "metric_for_best_model",
      unless: values.metricForBestModel.map(EvaluationReport.isMetric) ?? true,
      "metric_for_best_model \(values.metricForBestModel ?? "") is not a number of an evaluation; those are "
        + EvaluationReport.metricNames.joined(separator: ", ") + ", eval_pass@K and eval_maj@K")
  }

  private func plain(_ number: Double) -> String { SettingDeclaration.text(of: number) }
}
