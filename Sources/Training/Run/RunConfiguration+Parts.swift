import Foundation
import PolicyOptimization
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

  /// What turns a rollout into updates.
  /// - Parameter steps: Steps that the run is planned to have.
  func updater(
    for model: LanguageModel, optimizer: ParameterOptimizer, steps: Int, cut: UpdateCut
  ) -> PolicyUpdater {
    PolicyUpdater(
      model, optimizer: optimizer,
      settings: PolicyUpdater.Settings(
        objective: objective, updatesPerRollout: updatesPerRollout,
        maxCompletionLength: maxCompletionLength, temperature: Float(temperature),
        cut: cut, baseLearningRate: learningRate, skipsNonfinite: onNonfinite == .skip),
      learningRate: learningRatePlan(steps: steps))
  }

  /// The learning-rate schedule of a run of so many steps.
  func learningRatePlan(steps: Int) -> LearningRatePlan {
    LearningRatePlan(
      lrSchedulerType, warmupUpdates: warmupSteps,
      totalUpdates: steps * objective.iterations * updatesPerRollout)
  }
}
