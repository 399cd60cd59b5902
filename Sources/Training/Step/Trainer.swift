import Foundation
import PolicyOptimization
import Rollouts
import Tokenizers
import TrajectoryStore
import Transformer

/// A policy and what it learns by, a step at a time.
///
/// Whatever is trained from, a step is the same: a run's own sampling, its log after a resume, another run's log or a
/// file, a replay. They differ in the source of the rollout and in where the step is recorded.
final class Trainer {
  let policy: LanguageModel
  let optimizer: ParameterOptimizer
  let settings: UpdateSettings
  /// The rewards' names, in the order of the estimator's weights.
  let rewardNames: [String]
  private let estimator: AdvantageEstimator
  private let tokenizer: Tokenizer?
  private let pass: TrainingPass
  /// The learning-rate schedule of a run of so many steps.
  private let learningRate: (_ steps: Int) -> LearningRatePlan
  /// How many steps there were to be, step by step: the learning rate follows it.
  var planned: PlannedSteps
  /// The adaptive entropy coefficient, part of a checkpoint.
  var entropy: EntropyController
  /// What the KL term pulls towards; nil where there is none.
  var reference: ReferenceModel?

  /// - Parameter tokenizer: Tells the tokens of a reward's steps; nil where there is none.
  init(
    _ policy: LanguageModel, tokenizer: Tokenizer?, optimizer: ParameterOptimizer,
    settings: UpdateSettings, rewards: [(name: String, weight: Double)], planned: PlannedSteps,
    learningRate: @escaping (_ steps: Int) -> LearningRatePlan
  ) {
    self.policy = policy
    self.tokenizer = tokenizer
    self.optimizer = optimizer
    self.settings = settings
    self.planned = planned
    self.learningRate = learningRate
    rewardNames = rewards.map(\.name)
    estimator = AdvantageEstimator(settings.objective, rewardWeights: rewards.map(\.weight))
    pass = TrainingPass(policy, recomputesActivations: settings.cut.recomputesActivations)
    entropy = EntropyController(settings.objective)
  }

  /// Goes on from a checkpoint that was verified.
  func resume(from folder: URL, _ manifest: CheckpointManifest) throws {
    try CheckpointFiles.read(folder, into: policy, optimizer: optimizer, manifest: manifest)
    entropy = manifest.entropy
  }

  /// Does a step of training.
  ///
  /// The weights don't move before the journal has the trajectories.
  /// - Parameter drawn: Problems that the steps before drew.
  /// - Throws: `Interruption` where the user gave up before the step was committed, `NonfiniteError`, and what source
  ///   and journal throw.
  func trainStep(
    _ number: Int, drawn: Int = 0, from source: any RolloutSource, into journal: any StepJournal
  ) throws {
    var clock = PhaseClock()
    var rollout = StepRollout(step: number, policyStep: optimizer.updates, drawn: drawn)
    while try source.takeProblems(for: &rollout) {
      try source.sampleGroups(of: &rollout)
      try source.scoreGroups(of: &rollout)
    }
    clock.lap("rollout")
    scoreByReference(&rollout, &clock)
    let advantages = try estimateAdvantages(of: rollout)
    rollout.record.take(advantages)
    try journal.commit(rollout)
    clock.lap("log")

    var step = TrainedStep(
      rollout, rewards: advantages.metrics, rewardNames: rewardNames, clock: clock)
    let schedule = learningRate(planned[number])
    for part in rollout.parts(advantages, settings) {
      var update = try PolicyUpdate(
        of: part, settings, entropyCoefficient: entropy.applied(settings.objective))
      for batch in update.microBatches {
        let statistics = pass.forward(batch.tokens, under: batch.distribution)
        guard
          let gradient = try update.objective(
            of: batch, statistics, scaledBy: optimizer.gradientFactor)
        else { break }
        pass.backward(dLogProbability: gradient.logProbabilities, dEntropy: gradient.entropies)
      }
      step.clock.lap("update")
      try journal.awaitCommit()
      step.clock.lap("log")
      let factor = schedule.factor(at: optimizer.scheduledUpdates)
      let clip = update.fault == nil ? optimizer.clip(pass.gradients) : .rejected
      let report = optimizer.update(by: pass.gradients, clip, learningRateFactor: factor)
      step.add(
        try update.outcome(
          report, learningRate: settings.baseLearningRate * factor, policyStep: optimizer.updates))
      follow(update, report)
    }
    step.clock.lap("update")
    try journal.record(step)
  }

  /// The reference's log-probabilities, but where they are in the log.
  private func scoreByReference(_ rollout: inout StepRollout, _ clock: inout PhaseClock) {
    guard let reference, !rollout.isFromOwnLog else { return }
    reference.score(&rollout.record, rowLimit: settings.cut.rows)
    clock.lap("reference")
  }

  /// The advantages by the rewards, but where a file gives them.
  func estimateAdvantages(of rollout: StepRollout) throws -> StepAdvantages {
    var estimated = try estimator.advantages(
      of: rollout.record, rewardNames: rewardNames,
      stepEnd: { [tokenizer] in $0.tokenCount(reaching: $1, tokenizer: tokenizer) })
    for (index, given) in (rollout.advantages ?? []).enumerated() {
      if let given { estimated.advantages[index] = given }
    }
    return estimated
  }

  /// Lets the entropy coefficient and the reference follow an update of the policy.
  private func follow(_ update: PolicyUpdate, _ report: ParameterOptimizer.Report) {
    let objective = settings.objective
    guard update.fault == nil else { return }
    entropy.update(meanEntropy: update.meanBonusEntropy, settings: objective)
    guard report.isApplied,
      let share = objective.referenceMixture(afterUpdate: optimizer.updates)
    else { return }
    reference?.move(towards: policy.parameters, share: share)
  }
}
