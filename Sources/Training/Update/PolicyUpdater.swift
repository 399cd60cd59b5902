import PolicyOptimization
import Rollouts
import Tensors
import TrajectoryStore
import Transformer

/// Turns the rollout of a step into optimiser updates.
///
/// The rollout is cut, in order and by whole groups, into `updatesPerRollout` equal parts, and the whole
/// is passed `iterations` times. Each part is run in micro-batches of at most `cut.rows` rows,
/// whose losses and gradients add up to those of the part: the objective's denominators are fixed
/// before the first of them.
final class PolicyUpdater {
  /// What an updater is told once.
  struct Settings {
    var objective: ObjectiveSettings
    var updatesPerRollout: Int
    var maxCompletionLength: Int
    var temperature: Float
    var cut: UpdateCut
    var baseLearningRate: Double
    var skipsNonfinite: Bool
  }

  /// What one update did.
  struct Outcome {
    var record: UpdateRecord
    var metrics: [String: Double]
    var tokens: Int
    /// Why nothing moved, where something was not finite.
    var skipped: NonfiniteError?
  }

  private let model: LanguageModel
  private let optimizer: ParameterOptimizer
  private let settings: Settings
  private let pass: TrainingPass
  /// The adaptive entropy coefficient, part of a checkpoint.
  var entropy: EntropyController
  /// The schedule of the learning rate over the updates.
  var learningRate: LearningRatePlan

  init(
    _ model: LanguageModel, optimizer: ParameterOptimizer, settings: Settings,
    learningRate: LearningRatePlan, entropy: EntropyController? = nil
  ) {
    self.learningRate = learningRate
    self.model = model
    self.optimizer = optimizer
    self.settings = settings
    pass = TrainingPass(
      model, recomputesActivations: settings.cut.recomputesActivations)
    self.entropy = entropy ?? EntropyController(settings.objective)
  }

  /// One completion of the rollout with its advantages.
  private struct Member {
    var group: GroupRecord
    var completion: CompletionRecord
    var advantages: TokenAdvantages
    /// The policy's log-probabilities where the completion's are another engine's.
    var policyLogProbabilities: [Float]?
  }

  /// Does all updates of a step.
  /// - Parameters:
  ///   - rollout: The step; dropped groups are left out.
  ///   - advantages: Those of the completions in order.
  ///   - beforeMove: Called before the weights first move: the rollout's commit must have returned.
  ///   - updated: Called after each update.
  func update(
    _ sourced: SourcedRollout, advantages: StepAdvantages, beforeMove: () throws -> Void,
    updated: (Outcome) throws -> Void
  ) throws {
    let groups = self.groups(of: sourced, advantages)
    guard !groups.isEmpty else {
      try beforeMove()
      return
    }
    let rolloutTokens = groups.joined().reduce(0) { sum, member in
      sum + PreparedUpdate.mask(of: input(member), settings: settings.objective).count
    }
    var index = 0
    for _ in 0..<settings.objective.iterations {
      for part in parts(groups) {
        let context = UpdateContext(
          maxCompletionLength: settings.maxCompletionLength, rolloutTokens: rolloutTokens,
          updatesPerRollout: settings.updatesPerRollout,
          entropyCoefficient: entropy.applied(settings.objective), policyIsSampler: index == 0)
        let outcome = try run(
          part, step: sourced.record.step, index: index, context: context, beforeMove: beforeMove)
        try updated(outcome)
        index += 1
      }
    }
  }

  private func groups(of sourced: SourcedRollout, _ advantages: StepAdvantages) -> [[Member]] {
    var next = 0
    return sourced.record.groups.filter { !$0.isDropped }.map { group in
      group.completions.map { completion in
        defer { next += 1 }
        return Member(
          group: group, completion: completion, advantages: advantages.advantages[next],
          policyLogProbabilities: sourced.policyLogProbabilities?[next])
      }
    }
  }

  /// Cuts groups into equal parts, the earlier ones longer by one where they don't divide (a log's
  /// last step may be short).
  private func parts(_ groups: [[Member]]) -> [[[Member]]] {
    let count = min(settings.updatesPerRollout, groups.count)
    var start = 0
    return (0..<count).map { part in
      let end = (part + 1) * groups.count / count
      defer { start = end }
      return Array(groups[start..<end])
    }
  }

  private func input(_ member: Member) -> CompletionInput {
    let completion = member.completion
    return CompletionInput(
      group: member.group.draw, length: completion.completion.tokens.count,
      advantages: member.advantages,
      oldLogProbabilities: (member.policyLogProbabilities ?? completion.samplerLogProbabilities)?
        .map(Double.init),
      samplerLogProbabilities: member.policyLogProbabilities == nil
        ? nil : completion.samplerLogProbabilities?.map(Double.init),
      referenceLogProbabilities: completion.referenceLogProbabilities?.map(Double.init),
      entropies: completion.entropies?.map(Double.init),
      isTruncated: completion.completion.finish == .length)
  }

  // MARK: One update

  private func run(
    _ part: [[Member]], step: Int, index: Int, context: UpdateContext,
    beforeMove: () throws -> Void
  ) throws -> Outcome {
    let members = part.flatMap { $0 }
    let sum: LossSum
    do {
      sum = try accumulate(part, members, context: context)
    } catch let error as ObjectiveError {
      guard let quantity = error.nonfiniteQuantity else { throw error }
      let fault = NonfiniteError(
        what: quantity, place: place(of: error, in: members, step: step, index: index),
        remedy: remedy)
      guard settings.skipsNonfinite else { throw fault }
      try beforeMove()
      pass.gradients.reset(model.compute)
      return Outcome(
        record: UpdateRecord(
          step: step, update: index, policyStep: optimizer.updates, completions: [],
          metrics: ["skipped_updates": 1]),
        metrics: ["skipped_updates": 1], tokens: 0, skipped: fault)
    }
    try beforeMove()
    let factor = learningRate.factor(at: optimizer.scheduledUpdates)
    let report = optimizer.update(by: pass.gradients, learningRateFactor: factor)
    let place = "step \(step), update \(index + 1)"
    var skipped: NonfiniteError?
    if !report.isApplied {
      let fault = NonfiniteError(
        what: report.lossScale.map { "the gradient at loss scale \($0)" } ?? "the gradient's norm",
        place: place, remedy: remedy)
      let isOverflow = report.lossScale.map { $0 > LossScale.least } ?? false
      guard isOverflow || settings.skipsNonfinite else { throw fault }
      skipped = fault
    }
    if let tensor = report.nonfiniteTensor {
      // The weights are gone: leaving out this update is no longer possible.
      throw NonfiniteError(
        what: "the weight \(tensor)", place: place,
        remedy: "lower learning_rate and go on from the last checkpoint")
    }
    entropy.update(meanEntropy: sum.statistics.meanBonusEntropy, settings: settings.objective)
    var outcome = outcome(
      members, sum: sum, report: report, step: step, index: index,
      learningRate: settings.baseLearningRate * factor)
    outcome.skipped = skipped
    return outcome
  }

  /// What to do about a number that isn't finite.
  private var remedy: String {
    let halves = model.compute.precision == .fp16 ? ", take precision bf16" : ""
    return "lower learning_rate\(halves), or set on_nonfinite to skip"
  }

  /// Forward, objective and backward of a part, micro-batch by micro-batch.
  private func accumulate(
    _ part: [[Member]], _ members: [Member], context: UpdateContext
  ) throws -> LossSum {
    let update = try PreparedUpdate(
      completions: members.map(input), settings: settings.objective, context: context)
    var sum = LossSum(members.count)
    let groups = part.map(Self.tokens)
    var first = 0
    for microBatch in MicroBatch.cut(groups.map(\.lengths), rowLimit: settings.cut.rows) {
      let count = microBatch.slices.reduce(0) { $0 + $1.completions.count }
      try accumulate(
        PackedBatch(microBatch, of: groups), members, first..<first + count, update, into: &sum)
      first += count
    }
    return sum
  }

  /// The trajectory whose numbers an objective could not be computed from, as a person finds it.
  private func place(
    of error: ObjectiveError, in members: [Member], step: Int, index: Int
  ) -> String {
    let place = "step \(step), update \(index + 1)"
    guard let completion = error.completion, members.indices.contains(completion) else {
      return place
    }
    let member = members[completion]
    return place
      + ", row \(member.group.problem.index + 1) of \(member.group.dataset), "
      + "sample \(member.completion.sample)"
  }

  /// What the micro-batches of an update add up to.
  private struct LossSum {
    var loss = 0.0
    var statistics = UpdateStatistics()
    var evaluations: [CompletionEvaluation?]
    var logProbabilities: [[Float]]
    /// The mean KL estimate to the reference, where there is one.
    var meanKL: [Double?]
    /// The greatest difference of the trainer's log-probabilities from the sampler's.
    var logProbabilityDifference = 0.0

    init(_ count: Int) {
      evaluations = Array(repeating: nil, count: count)
      logProbabilities = Array(repeating: [], count: count)
      meanKL = Array(repeating: nil, count: count)
    }
  }

  private static func tokens(_ group: [Member]) -> TokenGroup {
    TokenGroup(
      prompt: group.first?.group.promptTokens ?? [],
      completions: group.map(\.completion.completion.tokens))
  }

  /// Forward, objective, backward of one micro-batch.
  private func accumulate(
    _ batch: PackedBatch, _ all: [Member], _ members: Range<Int>, _ update: PreparedUpdate,
    into sum: inout LossSum
  ) throws {
    let statistics = pass.forward(
      batch,
      under: Distribution.sampled(
        all[members].map(\.completion), temperature: settings.temperature))
    let hasEntropyBonus = settings.objective.hasEntropyBonus
    var gradient = [Float](repeating: 0, count: batch.targets.count)
    var entropyGradient = [Float](
      repeating: 0, count: hasEntropyBonus ? gradient.count : 0)
    for (member, targets) in zip(members, batch.targetRanges) {
      let logProbabilities = Array(statistics.logProbabilities[targets])
      let evaluation = try update.evaluate(
        member, logProbabilities: logProbabilities,
        entropies: Array(statistics.entropies[targets]))
      for (place, target) in targets.enumerated() {
        gradient[target] = Float(evaluation.logProbabilityGradient[place])
        if hasEntropyBonus { entropyGradient[target] = Float(evaluation.entropyGradient[place]) }
      }
      sum.loss += evaluation.loss
      sum.statistics.add(evaluation.statistics)
      sum.evaluations[member] = evaluation
      sum.logProbabilities[member] = logProbabilities
      sum.meanKL[member] = update.meanKL(member, logProbabilities: logProbabilities)
      if update.context.policyIsSampler, let old = update.completions[member].oldLogProbabilities {
        for (new, old) in zip(logProbabilities, old) {
          sum.logProbabilityDifference = max(
            sum.logProbabilityDifference, abs(Double(new) - old))
        }
      }
    }
    let factor = optimizer.gradientFactor
    if factor != 1 {
      gradient = gradient.map { $0 * factor }
      entropyGradient = entropyGradient.map { $0 * factor }
    }
    pass.backward(dLogProbability: gradient, dEntropy: entropyGradient)
  }

  private func outcome(
    _ members: [Member], sum: LossSum, report: ParameterOptimizer.Report, step: Int, index: Int,
    learningRate: Double
  ) -> Outcome {
    var metrics: [String: Double] = [
      "loss": sum.loss, "grad_norm": report.gradientNorm, "learning_rate": learningRate,
    ]
    for (name, value) in sum.statistics.metrics(settings.objective) { metrics[name] = value }
    if index == 0 { metrics["sampler/logp_difference_max"] = sum.logProbabilityDifference }
    if !report.isApplied { metrics["skipped_updates"] = 1 }
    if let scale = report.lossScale { metrics["loss_scale"] = scale }
    let records = members.enumerated().map { place, member in
      CompletionUpdateRecord(
        draw: member.group.draw, sample: member.completion.sample,
        trainerLogProbabilities: sum.logProbabilities[place],
        ratios: sum.evaluations[place]?.ratios, clips: sum.evaluations[place]?.clipSides,
        klMean: sum.meanKL[place])
    }
    return Outcome(
      record: UpdateRecord(
        step: step, update: index, policyStep: optimizer.updates, completions: records,
        metrics: metrics),
      metrics: metrics, tokens: sum.statistics.tokens)
  }
}

extension Distribution {
  /// The distribution that logged completions were drawn from, with their kept sets.
  static func sampled(_ completions: [CompletionRecord], temperature: Float) -> Distribution {
    guard completions.contains(where: { $0.keptSets != nil }) else {
      return Distribution(temperature: temperature)
    }
    let sets = completions.flatMap { completion -> [KeptSet?] in
      guard let kept = completion.keptSets else {
        return Array(repeating: nil, count: completion.completion.tokens.count)
      }
      return kept.map { $0.map(KeptSet.init(encoded:)) }
    }
    return Distribution(temperature: temperature, keptSets: sets)
  }
}
