import Foundation
import PolicyOptimization
import Rollouts
import Tokenizers
import Transformer

/// The parts that settings make of a policy: the same for a run, for the resumed run, and for its replay.
extension RunConfiguration {
  /// What turns prompts into tokens and completions into text.
  /// - Parameter clock: The time that chat templates print, in seconds since 1970.
  /// - Throws: `MissingTokenizer`, or what reading the chat template throws.
  func promptEncoder(for policy: Policy, clock: Int) throws -> PromptEncoder {
    try promptEncoder(
      policy.requireTokenizer(), contextLength: policy.model.configuration.maximumPositions,
      clock: clock)
  }

  /// The same for a tokenizer whose model is not read.
  func promptEncoder(
    _ tokenizer: Tokenizer, contextLength: Int, clock: Int
  ) throws -> PromptEncoder {
    PromptEncoder(
      tokenizer: tokenizer,
      chatTemplate: try chatTemplate.map {
        try ChatTemplate(file: $0, specialTokens: tokenizer.specialTokens)
      },
      templateVariables: chatTemplateKwargs, continuesFinalMessage: continueFinalMessage,
      system: system, maxPromptLength: maxPromptLength, contextLength: contextLength,
      overlong: overlongPrompts, stop: stop, now: Date(timeIntervalSince1970: Double(clock)))
  }

  /// What draws the completions of training.
  func groupSampler(
    _ policy: Policy, engine: GenerationEngine, encoder: PromptEncoder
  ) -> GroupSampler {
    GroupSampler(
      engine: engine, encoder: encoder, seed: UInt64(seed),
      settings: sampling(policy.endTokens(with: encoder)))
  }

  /// What moves the weights.
  func optimizer(for model: LanguageModel, learningRate: Double) -> ParameterOptimizer {
    ParameterOptimizer(
      model.parameters, compute: model.compute,
      settings: ParameterOptimizer.Settings(
        beta1: adamBeta1, beta2: adamBeta2, epsilon: adamEpsilon, maxGradientNorm: maxGradNorm,
        lossScale: initialLossScale),
      rules: ParameterRule.rules(
        for: model.parameters,
        base: ParameterRule(learningRate: learningRate, weightDecay: weightDecay),
        exempt: weightDecayExempt,
        groups: parameterGroups.map { ($0.match, $0.learningRate, $0.weightDecay) }))
  }

  /// What trains a policy, a step at a time.
  func trainer(
    of policy: Policy, rewards: [(name: String, weight: Double)], planned: PlannedSteps,
    cut: UpdateCut
  ) -> Trainer {
    Trainer(
      policy.model, tokenizer: policy.tokenizer,
      optimizer: optimizer(for: policy.model, learningRate: learningRate),
      settings: UpdateSettings(
        objective: objective, updatesPerRollout: updatesPerRollout,
        maxCompletionLength: maxCompletionLength, temperature: Float(temperature), cut: cut,
        baseLearningRate: learningRate, skipsNonfinite: onNonfinite == .skip, precision: precision),
      rewards: rewards, planned: planned,
      learningRate: { [self] in learningRatePlan(steps: $0) })
  }

  /// What trains a policy on SFT examples.
  func supervisedTrainer(
    of policy: Policy, examples: [SupervisedExample], cut: UpdateCut
  ) -> SupervisedTrainer {
    let passes = sftEpochs * Double(examples.count) / Double(sftBatchSize)
    let updates = sftSteps ?? max(1, Int(clamping: passes.rounded(.up)))
    return SupervisedTrainer(
      policy.model, optimizer: optimizer(for: policy.model, learningRate: sftLearningRate),
      examples: examples,
      settings: SupervisedSettings(
        updates: updates, batchSize: sftBatchSize, baseLearningRate: sftLearningRate,
        learningRate: LearningRatePlan(
          sftLrSchedulerType, warmupUpdates: sftWarmupSteps, totalUpdates: updates),
        cut: cut, seed: UInt64(seed)))
  }

  /// What writes the checkpoints of a policy.
  /// - Parameter ownBase: The run whose own model adapters belong to; nil for a model that the settings name.
  func checkpointFiles(
    for policy: Policy, encoder: PromptEncoder?, ownBase: RunFolder? = nil
  ) -> CheckpointFiles {
    CheckpointFiles(
      tokenizerFolder: policy.source.tokenizerFolder,
      chatTemplate: chatTemplate == nil ? nil : encoder?.chatTemplate,
      baseModel: policy.source.baseName(named: model), ownBase: ownBase,
      elementType: saveDtype.elementType)
  }

  /// The learning-rate schedule of a run of so many steps.
  func learningRatePlan(steps: Int) -> LearningRatePlan {
    LearningRatePlan(
      lrSchedulerType, warmupUpdates: warmupSteps,
      totalUpdates: steps * objective.iterations * updatesPerRollout)
  }

  /// When a run of so many steps evaluates and saves.
  func calendar(steps: Int) -> TrainingLoop.Calendar {
    TrainingLoop.Calendar(
      steps: steps, evaluationSteps: evalSteps, evaluatesFirst: evalOnStart,
      checkpointSteps: saveSteps, savesEnds: true, checkpointLimit: saveTotalLimit,
      bestMetric: metricForBestModel.map { ($0, greaterIsBetter) })
  }
}
