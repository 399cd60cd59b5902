// A case under one set of settings, with the answer in the layout of
// `golden/objectives/expected.json`:
//
//   config, advantages [B] (or [B][T] where they differ by token), num_items_in_batch, mask, loss,
//   micro_losses, grad_policy_logps [B][T], grad_entropies [B][T] or null, metrics
//
// `gradient_accumulation_steps: n` cuts the batch, in order, into n equal micro-batches, each with
// its own denominators and entropy quantile, and sums their losses, as TRL does; metrics of an
// update are then lists.

import Rollouts

/// A case together with settings.
public struct CaseRun: Sendable {
  /// The numbers.
  public var numbers: ObjectiveCase
  /// The conventions.
  public var settings: ObjectiveSettings
  /// The settings as they were written, repeated in the answer.
  public var config: JSONObject
  /// The limit on a completion's length.
  public var maxCompletionLength: Int
  /// Micro-batches of the batch.
  public var accumulationSteps: Int
  /// The weight of each reward function.
  public var rewardWeights: [Double]

  /// The members of a config that are read here and not by the objective's settings.
  public static let ownKeys = [
    "max_completion_length", "gradient_accumulation_steps", "num_generations", "reward_weights",
  ]

  /// Applies a config to settings.
  ///
  /// - Parameters:
  ///   - numbers: the case.
  ///   - config: settings as JSON, over `settings`.
  ///   - defaultMaxCompletionLength: for a config and a case that don't say (512 is TRL's).
  ///   - hint: what to say of an unknown name, such as the nearest known one.
  /// - Throws: `CaseError` listing every unknown key and every value of the wrong kind.
  public init(
    _ numbers: ObjectiveCase, config: JSONObject, over settings: ObjectiveSettings,
    defaultMaxCompletionLength: Int = 512, hint: (String) -> String? = { _ in nil }
  ) throws(CaseError) {
    var numbers = numbers
    var settings = settings
    var faults: [String] = []
    for (name, value) in config where !Self.ownKeys.contains(name) {
      guard let key = ObjectiveKey.named(name) else {
        faults.append(
          "\(name) is not a setting of the objective" + (hint(name).map { ": \($0)" } ?? ""))
        continue
      }
      do throws(SettingError) { try key.set(value, in: &settings) } catch {
        faults.append(error.description)
      }
    }
    func integer(_ key: String) -> Int? {
      guard let value = config[key] ?? numbers.members[key], !value.isNull else { return nil }
      guard let integer = value.integer, integer > 0 else {
        faults.append("\(key) is \(value.jsonText): expected a positive integer")
        return nil
      }
      return integer
    }
    maxCompletionLength = integer("max_completion_length") ?? defaultMaxCompletionLength
    accumulationSteps = integer("gradient_accumulation_steps") ?? 1
    numbers.groupSize = integer("num_generations") ?? numbers.groupSize
    for (name, divisor) in [
      ("gradient_accumulation_steps", accumulationSteps), ("num_generations", numbers.groupSize),
    ] where !numbers.policy.count.isMultiple(of: divisor) {
      faults.append(
        "\(name) is \(divisor), which does not divide \(numbers.policy.count) completions")
    }
    guard faults.isEmpty else { throw CaseError(faults.joined(separator: "; ")) }
    rewardWeights =
      config["reward_weights"] == nil
      ? numbers.rewardWeights
      : try ObjectiveCase.weights(config["reward_weights"], names: numbers.rewardNames)
    self.numbers = numbers
    self.settings = settings
    self.config = config
  }

  /// Computes the answer.
  ///
  /// - Throws: `ObjectiveError` where numbers are missing or not finite.
  public func result() throws(ObjectiveError) -> JSONValue {
    let step = try AdvantageEstimator(settings, rewardWeights: rewardWeights)
      .advantages(of: rewardedCompletions)
    let inputs = inputs(step.advantages)
    let masks = inputs.map { PreparedUpdate.mask(of: $0, settings: settings) }
    let tokens = masks.reduce(0) { $0 + $1.count }
    let controller = EntropyController(settings)
    var losses: [Double] = []
    var gradients: [[Double]] = []
    var entropyGradients: [[Double]] = []
    var statistics: [UpdateStatistics] = []
    let size = inputs.count / accumulationSteps
    for start in stride(from: 0, to: inputs.count, by: max(size, 1)) {
      let update = try PreparedUpdate(
        completions: Array(inputs[start..<start + size]), settings: settings,
        context: UpdateContext(
          maxCompletionLength: maxCompletionLength, rolloutTokens: tokens,
          accumulationSteps: accumulationSteps, entropyCoefficient: controller.applied(settings)))
      var loss = 0.0
      var sums = UpdateStatistics()
      for index in 0..<size {
        let evaluation = try update.evaluate(
          index, logProbabilities: numbers.policy[start + index],
          entropies: numbers.entropies?[start + index])
        loss += evaluation.loss
        gradients.append(evaluation.logProbabilityGradient)
        entropyGradients.append(evaluation.entropyGradient)
        sums.add(evaluation.statistics)
      }
      losses.append(loss)
      statistics.append(sums)
    }
    var answer: JSONObject = [:]
    answer["config"] = .object(config)
    answer["advantages"] = advantagesJSON(step.advantages)
    answer["num_items_in_batch"] = .integer(Int64(tokens))
    answer["mask"] = .array(
      masks.indices.map { row in
        .array(numbers.policy[row].indices.map { .integer(masks[row][$0] ? 1 : 0) })
      })
    answer["loss"] = .number(losses.reduce(0, +))
    answer["micro_losses"] = .array(losses.map(JSONValue.number))
    answer["grad_policy_logps"] = table(gradients)
    answer["grad_entropies"] = settings.hasEntropyBonus ? table(entropyGradients) : .null
    answer["metrics"] = .object(metrics(step.metrics, statistics, controller: controller))
    return .object(answer)
  }

  private var rewardedCompletions: [RewardedCompletion] {
    numbers.policy.indices.map { index in
      RewardedCompletion(
        group: index / numbers.groupSize, rewards: numbers.rewards.map { $0[index] },
        length: numbers.policy[index].count, steps: numbers.steps.map { $0[index] },
        oldLogProbabilities: numbers.old?[index] ?? numbers.policy[index],
        referenceLogProbabilities: numbers.reference?[index])
    }
  }

  private func inputs(_ advantages: [TokenAdvantages]) -> [CompletionInput] {
    numbers.policy.indices.map { index in
      CompletionInput(
        group: index / numbers.groupSize, length: numbers.policy[index].count,
        advantages: advantages[index], oldLogProbabilities: numbers.old?[index],
        samplerLogProbabilities: numbers.sampler?[index],
        referenceLogProbabilities: numbers.reference?[index],
        entropies: numbers.entropies?[index], isTruncated: numbers.isTruncated[index],
        mask: numbers.mask[index])
    }
  }

  private func advantagesJSON(_ advantages: [TokenAdvantages]) -> JSONValue {
    .array(
      advantages.map { advantage in
        switch advantage {
        case .uniform(let value): .number(value)
        case .perToken(let values): .array(values.map(JSONValue.number))
        }
      })
  }

  private func table(_ rows: [[Double]]) -> JSONValue {
    .array(rows.map { .array($0.map(JSONValue.number)) })
  }

  private func metrics(
    _ rewards: RewardMetrics, _ statistics: [UpdateStatistics], controller: EntropyController
  ) -> JSONObject {
    var metrics: JSONObject = [:]
    for (name, value) in rewards.named(numbers.rewardNames) { metrics[name] = .number(value) }
    let updates = statistics.map { sums in
      JSONObject(sums.metrics(settings).map { ($0.name, JSONValue.number($0.value)) })
    }
    for name in updates.first?.keys ?? [] {
      let values = updates.map { $0[name] ?? .null }
      metrics[name] = values.count == 1 ? values[0] : .array(values)
    }
    if settings.hasEntropyBonus {
      var next = controller
      var sums = UpdateStatistics()
      for update in statistics { sums.add(update) }
      next.update(meanEntropy: sums.meanBonusEntropy, settings: settings)
      metrics["entropy_coef"] = .number(next.coefficient)
    }
    return metrics
  }
}
