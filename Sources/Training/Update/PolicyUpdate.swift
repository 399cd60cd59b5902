import PolicyOptimization
import Rollouts
import Tensors
import TrajectoryStore
import Transformer

/// An optimiser update on its way: what its micro-batches add up to.
///
/// The objective's denominators are fixed before the first micro-batch, so that cutting the update changes its
/// memory alone:
///
///     loss = Σ_b loss_b,   d loss/d log π and d loss/d H of micro-batch b go backward before b + 1 goes forward
struct PolicyUpdate {
  /// What passes through the model at once.
  struct Batch {
    var tokens: PackedBatch
    /// What the completions were drawn from.
    var distribution: Distribution
    /// The completions, by their place in the update.
    fileprivate var members: Range<Int>
  }

  /// The gradient of the loss by what the model says of a batch's tokens.
  struct Gradient {
    var logProbabilities: [Float]
    /// Empty where the objective has no entropy bonus.
    var entropies: [Float]
  }

  /// What the update did.
  struct Outcome {
    var record: UpdateRecord
    var metrics: [String: Double]
    var tokens: Int
    /// Why nothing moved, where something was not finite.
    var skipped: NonfiniteError?
  }

  private let part: UpdatePart
  private let members: [UpdatePart.Member]
  private let settings: UpdateSettings
  /// nil where the objective could not be computed.
  private var prepared: PreparedUpdate?
  private var sum: LossSum
  /// Why the update is left out, where its objective is not finite.
  private(set) var fault: NonfiniteError?

  /// Begins an update.
  /// - Parameter entropyCoefficient: The coefficient of the entropy bonus in this update.
  /// - Throws: `NonfiniteError` where a number isn't finite and such updates are not left out, or `ObjectiveError`.
  init(of part: UpdatePart, _ settings: UpdateSettings, entropyCoefficient: Double) throws {
    self.part = part
    self.settings = settings
    members = part.groups.flatMap { $0 }
    sum = LossSum(members.count)
    do {
      prepared = try PreparedUpdate(
        completions: members.map(\.input), settings: settings.objective,
        context: UpdateContext(
          maxCompletionLength: settings.maxCompletionLength, rolloutTokens: part.rolloutTokens,
          updatesPerRollout: settings.updatesPerRollout, entropyCoefficient: entropyCoefficient,
          policyIsSampler: part.index == 0))
    } catch {
      try leaveOut(error)
    }
  }

  /// The batches of at most `cut.rows` rows that the update is run in, each laid out when it is asked for.
  var microBatches: some Sequence<Batch> {
    let groups = (prepared == nil ? [] : part.groups).map { group in
      TokenGroup(
        prompt: group.first?.group.promptTokens ?? [],
        completions: group.map(\.completion.completion.tokens))
    }
    var first = 0
    let ranges = MicroBatch.cut(groups.map(\.lengths), rowLimit: settings.cut.rows).map { batch in
      let count = batch.slices.reduce(0) { $0 + $1.completions.count }
      defer { first += count }
      return (batch: batch, members: first..<first + count)
    }
    return ranges.lazy.map { [members, temperature = settings.temperature] in
      Batch(
        tokens: PackedBatch($0.batch, of: groups),
        distribution: Distribution.sampled(
          members[$0.members].map(\.completion), temperature: temperature),
        members: $0.members)
    }
  }

  /// The objective of a batch, added to that of the update, and its gradient; nil where it is not finite and the
  /// update is left out.
  /// - Parameter factor: What the gradient is multiplied by, so that small ones survive the backward pass.
  /// - Throws: As `init`.
  mutating func objective(
    of batch: Batch, _ statistics: TokenStatistics, scaledBy factor: Float
  ) throws -> Gradient? {
    guard let prepared else { return nil }
    let hasEntropyBonus = settings.objective.hasEntropyBonus
    let count = batch.tokens.targets.count
    var gradient = Gradient(
      logProbabilities: [Float](repeating: 0, count: count),
      entropies: [Float](repeating: 0, count: hasEntropyBonus ? count : 0))
    do {
      for (member, targets) in zip(batch.members, batch.tokens.targetRanges) {
        let logProbabilities = Array(statistics.logProbabilities[targets])
        let evaluation = try prepared.evaluate(
          member, logProbabilities: logProbabilities,
          entropies: Array(statistics.entropies[targets]))
        for (place, target) in targets.enumerated() {
          gradient.logProbabilities[target] =
            Float(evaluation.logProbabilityGradient[place]) * factor
          if hasEntropyBonus {
            gradient.entropies[target] = Float(evaluation.entropyGradient[place]) * factor
          }
        }
        sum.add(evaluation, of: member, logProbabilities: logProbabilities, in: prepared)
      }
    } catch {
      try leaveOut(error)
      return nil
    }
    return gradient
  }

  /// The mean entropy over the tokens that the entropy bonus acts on, in nats.
  var meanBonusEntropy: Double { sum.statistics.meanBonusEntropy }

  // MARK: What came of it

  /// What the update did, after the optimiser has moved the weights, or has left them where they were.
  /// - Parameters:
  ///   - learningRate: The one it moved with.
  ///   - policyStep: Optimiser updates done by now.
  /// - Throws: `NonfiniteError` where a weight isn't finite, or the gradient's norm and such updates are not left out.
  func outcome(
    _ report: ParameterOptimizer.Report, learningRate: Double, policyStep: Int
  ) throws -> Outcome {
    var skipped = fault
    if skipped == nil, !report.isApplied {
      skipped = NonfiniteError(
        what: report.lossScale.map { "the gradient at loss scale \($0)" } ?? "the gradient's norm",
        place: place, remedy: remedy)
    }
    // In fp16 an update whose gradient overflows is left out, and the next is scaled down.
    let isOverflow = fault == nil && report.lossScale.map { $0 > LossScale.least } ?? false
    if let skipped, !settings.skipsNonfinite, !isOverflow { throw skipped }
    if let tensor = report.nonfiniteTensor {
      // The weights are gone: leaving out this update is no longer possible.
      throw NonfiniteError(
        what: "the weight \(tensor)", place: place,
        remedy: "lower learning_rate and go on from the last checkpoint")
    }
    var metrics: [String: Double] = skipped == nil ? [:] : ["skipped_updates": 1]
    if fault == nil {
      metrics["loss"] = sum.loss
      metrics["grad_norm"] = report.gradientNorm
      metrics["learning_rate"] = learningRate
      for (name, value) in sum.statistics.metrics(settings.objective) { metrics[name] = value }
      if part.index == 0 { metrics["sampler/logp_difference_max"] = sum.logProbabilityDifference }
      if let scale = report.lossScale { metrics["loss_scale"] = scale }
    }
    let record = UpdateRecord(
      step: part.step, update: part.index, policyStep: policyStep,
      completions: fault == nil ? records : [], metrics: metrics)
    return Outcome(
      record: record, metrics: metrics, tokens: fault == nil ? sum.statistics.tokens : 0,
      skipped: skipped)
  }

  private var records: [CompletionUpdateRecord] {
    members.enumerated().map { place, member in
      CompletionUpdateRecord(
        draw: member.group.draw, sample: member.completion.sample,
        trainerLogProbabilities: sum.logProbabilities[place],
        ratios: sum.evaluations[place]?.ratios, clips: sum.evaluations[place]?.clipSides,
        klMean: sum.meanKL[place])
    }
  }

  // MARK: Faults

  /// What to do about a number that isn't finite.
  private var remedy: String {
    let halves = settings.precision == .fp16 ? ", take precision bf16" : ""
    return "lower learning_rate\(halves), or set on_nonfinite to skip"
  }

  /// Leaves the update out for a number that isn't finite, where that is allowed; any other error ends the run.
  private mutating func leaveOut(_ error: ObjectiveError) throws {
    guard let quantity = error.nonfiniteQuantity else { throw error }
    let fault = NonfiniteError(what: quantity, place: place(of: error), remedy: remedy)
    guard settings.skipsNonfinite else { throw fault }
    self.fault = fault
    prepared = nil
  }

  private var place: String { "step \(part.step), update \(part.index + 1)" }

  /// The trajectory whose numbers the objective could not be computed from, as a person finds it.
  private func place(of error: ObjectiveError) -> String {
    guard let completion = error.completion, members.indices.contains(completion) else {
      return place
    }
    let member = members[completion]
    return place
      + ", row \(member.group.problem.index + 1) of \(member.group.dataset), "
      + "sample \(member.completion.sample)"
  }
}

/// What the completions of an update add up to.
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

  mutating func add(
    _ evaluation: CompletionEvaluation, of member: Int, logProbabilities new: [Float],
    in update: PreparedUpdate
  ) {
    loss += evaluation.loss
    statistics.add(evaluation.statistics)
    evaluations[member] = evaluation
    logProbabilities[member] = new
    meanKL[member] = update.meanKL(member, logProbabilities: new)
    guard update.context.policyIsSampler, let old = update.completions[member].oldLogProbabilities
    else { return }
    for (new, old) in zip(new, old) {
      logProbabilityDifference = max(logProbabilityDifference, abs(Double(new) - old))
    }
  }
}

extension Distribution {
  /// The distribution that logged completions were drawn from, with their kept sets.
  static func sampled(_ completions: [CompletionRecord], temperature: Float) -> Distribution {
    guard completions.contains(where: { $0.keptSets != nil }) else {
      return Distribution(temperature: temperature)
    }
    let sets = completions.flatMap { completion -> [KeptSet?] in
      completion.keptSets ?? Array(repeating: nil, count: completion.completion.tokens.count)
    }
    return Distribution(temperature: temperature, keptSets: sets)
  }
}
