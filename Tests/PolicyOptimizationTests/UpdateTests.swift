import Foundation
import Testing

@testable import PolicyOptimization

private func prepared(
  _ completions: [CompletionInput], _ context: UpdateContext = .init(maxCompletionLength: 4),
  _ change: (inout ObjectiveSettings) -> Void = { _ in }
) throws -> PreparedUpdate {
  try PreparedUpdate(
    completions: completions, settings: ObjectiveSettings().with(change), context: context)
}

@Suite("Denominators, masks and metrics of an update")
struct UpdateTests {
  @Test("rollout_token_mean gives each update its share of the rollout's tokens")
  func rolloutShare() throws {
    // 10 tokens in the rollout, 2 updates of it: each divides by 5, whatever its own length.
    let completion = CompletionInput(group: 0, length: 2, advantages: .uniform(1))
    let update = try prepared(
      [completion],
      UpdateContext(maxCompletionLength: 4, rolloutTokens: 10, updatesPerRollout: 2))
    let result = try update.evaluate(0, logProbabilities: [-1.0, -1.0])
    #expect(isClose(result.logProbabilityGradient, [-0.2, -0.2]))
  }

  @Test("a completion that is masked as a whole still counts as one")
  func maskedCompletion() throws {
    // TRL.md §3: under grpo the row stays in the mean over B.
    let completions = [false, true].map {
      CompletionInput(group: 0, length: 2, advantages: .uniform(1), isTruncated: $0)
    }
    let update = try prepared(completions) {
      $0.lossType = .grpo
      $0.masksTruncatedCompletions = true
    }
    #expect(update.tokenCount == 2)
    let kept = try update.evaluate(0, logProbabilities: [-1.0, -1.0])
    let dropped = try update.evaluate(1, logProbabilities: [-1.0, -1.0])
    #expect(isClose(kept.logProbabilityGradient, [-0.25, -0.25]))
    #expect(dropped.loss == 0 && dropped.logProbabilityGradient == [0, 0])
  }

  @Test("an empty completion and an update of masked ones are no division by 0")
  func empty() throws {
    for loss in LossType.allCases {
      let update = try prepared([
        CompletionInput(group: 0, length: 0, advantages: .uniform(1)),
        CompletionInput(group: 0, length: 1, advantages: .uniform(1), mask: [false]),
      ]) { $0.lossType = loss }
      #expect(try update.evaluate(0, logProbabilities: [Double]()).loss == 0)
      #expect(try update.evaluate(1, logProbabilities: [-1.0]).loss == 0)
    }
  }

  @Test("the entropy mask keeps the tokens at and above the quantile, over the whole update")
  func entropyMask() throws {
    // Entropies 0…4, the top 0.4: quantile(0.6) = 2.4, so 3 and 4 keep the policy term.
    let update = try prepared([
      CompletionInput(group: 0, length: 3, advantages: .uniform(1), entropies: [0, 3, 1]),
      CompletionInput(group: 0, length: 2, advantages: .uniform(1), entropies: [4, 2]),
    ]) { $0.topEntropyQuantile = 0.4 }
    let first = try update.evaluate(0, logProbabilities: [-1.0, -1, -1])
    let second = try update.evaluate(1, logProbabilities: [-1.0, -1])
    #expect(isClose(first.logProbabilityGradient, [0, -0.2, 0]))
    #expect(isClose(second.logProbabilityGradient, [-0.2, 0]))
  }

  @Test("the entropy bonus is the mean over the tokens that it acts on")
  func entropyBonus() throws {
    let completion = CompletionInput(
      group: 0, length: 2, advantages: .uniform(0), mask: [true, false])
    let update = try prepared([completion]) { $0.entropyCoefficient = 0.5 }
    let result = try update.evaluate(0, logProbabilities: [-1.0, -1], entropies: [3.0, 7])
    #expect(result.loss == -1.5 && result.entropyGradient == [-0.5, 0])
    #expect(result.statistics.meanBonusEntropy == 3)
  }

  @Test("the entropy controller applies its coefficient one update late")
  func entropyController() {
    // Skywork-OR1 as in TRL: never in the first update; up while the entropy is at or under the target.
    let settings = ObjectiveSettings().with {
      $0.usesAdaptiveEntropy = true
      $0.entropyCoefficient = 0.01
    }
    var controller = EntropyController(settings)
    #expect(controller.applied(settings) == 0)
    controller.update(meanEntropy: 0.1, settings: settings)
    #expect(
      isClose(controller.coefficient, 0.015)
        && controller.applied(settings) == controller.coefficient)
    for _ in 0..<5 { controller.update(meanEntropy: 0.3, settings: settings) }
    #expect(controller.coefficient == 0 && controller.applied(settings) == 0)
  }

  @Test(
    "a completion masked as a whole counts in the shares of sequence ratios and of no others, as in TRL",
    arguments: [
      // TRL's (B, 1) ratios are averaged over all rows, the masked row's being 1 …
      (ImportanceSamplingLevel.sequence, 1 / 3.0, 0.0),
      // … and its (B, T) ratios over the tokens that count; a row without any is NaN and passed over.
      (.token, 1 / 2.0, 0.5),
    ])
  func maskedCompletion(level: ImportanceSamplingLevel, share: Double, least: Double) throws {
    let update = try prepared([
      CompletionInput(
        group: 0, length: 2, advantages: .uniform(-1), oldLogProbabilities: [-1 + log(2), -1]),
      CompletionInput(
        group: 0, length: 2, advantages: .uniform(-1), oldLogProbabilities: [-1, -1 + log(2)]),
      CompletionInput(
        group: 0, length: 2, advantages: .uniform(-1), oldLogProbabilities: [-3, -3],
        isTruncated: true),
    ]) {
      $0.importanceSamplingLevel = level
      $0.masksTruncatedCompletions = true
      // Of the two sequence ratios, √½ each, one is below the range by its second token alone.
      $0.epsilon = 0.25
    }
    var sums = UpdateStatistics()
    for index in 0..<3 {
      let policy = index == 1 ? [-1.0, -1.0 + (level == .sequence ? log(2) : 0)] : [-1.0, -1]
      sums.add(try update.evaluate(index, logProbabilities: policy).statistics)
    }
    let metrics = Dictionary(
      uniqueKeysWithValues: sums.metrics(update.settings).map { ($0.name, $0.value) })
    #expect(isClose(metrics["clip_ratio/low_mean"] ?? -1, share))
    #expect(metrics["clip_ratio/low_min"] == least)
  }

  @Test("metrics have TRL's names and values")
  func metrics() throws {
    // Ratios 2 (A > 0: high), 0.5 (A < 0: low), 1.
    let update = try prepared([
      CompletionInput(
        group: 0, length: 1, advantages: .uniform(1), oldLogProbabilities: [-1 - log(2)]),
      CompletionInput(
        group: 0, length: 2, advantages: .uniform(-1), oldLogProbabilities: [-1 + log(2), -1]),
    ])
    var sums = UpdateStatistics()
    for (index, policy) in [[-1.0], [-1.0, -1]].enumerated() {
      let evaluation = try update.evaluate(
        index, logProbabilities: policy, entropies: policy.map { -$0 })
      sums.add(evaluation.statistics)
    }
    let metrics = Dictionary(
      uniqueKeysWithValues: sums.metrics(update.settings).map { ($0.name, $0.value) })
    #expect(isClose(metrics["clip_ratio/high_mean"] ?? 0, 1 / 3.0))
    #expect(isClose(metrics["clip_ratio/low_mean"] ?? 0, 1 / 3.0))
    #expect(isClose(metrics["clip_ratio/region_mean"] ?? 0, 2 / 3.0))
    #expect(metrics["clip_ratio/low_min"] == 0 && metrics["clip_ratio/high_max"] == 1)
    #expect(metrics["entropy"] == 1)
    #expect(isClose(metrics["ratio/max"] ?? 0, 2) && isClose(metrics["ratio/min"] ?? 0, 0.5))
    #expect(isClose(metrics["approx_kl"] ?? 0, 0.5 / 3))
  }

  @Test("the mismatch is exactly 0 where the policy is the sampler, and shown where it isn't")
  func mismatch() throws {
    let context = UpdateContext(maxCompletionLength: 4, policyIsSampler: true)
    let logged: [Float] = [-0.1, -2.3456789]
    let completion = CompletionInput(
      group: 0, length: 2, advantages: .uniform(1),
      oldLogProbabilities: logged.map(Double.init))
    let update = try prepared([completion], context)
    let same = try update.evaluate(0, logProbabilities: logged).statistics
    #expect(same.mismatch.greatest == 0 && same.mismatchKLSum == 0)
    #expect(same.mismatchRatioDeviation == 0 && same.largestRatio == 1)
    let other = try update.evaluate(0, logProbabilities: [-0.1, -2.25] as [Float]).statistics
    #expect(isClose(other.mismatch.greatest, Double(logged[1].distance(to: -2.25))))
  }

  @Test(
    "another engine's rollouts are weighted by π_old/π_sampler, bounded",
    arguments: SamplerCorrection.allCases)
  func samplerCorrection(mode: SamplerCorrection) throws {
    let completion = CompletionInput(
      group: 0, length: 2, advantages: .uniform(1), oldLogProbabilities: [-1, -1],
      samplerLogProbabilities: [-1 - log(2), -1 - log(1.5)])
    let update = try prepared([completion]) {
      $0.samplerCorrection = mode
      $0.samplerCorrectionMaximum = 1.8
    }
    let result = try update.evaluate(0, logProbabilities: [-1.0, -1])
    let expected: [Double]
    switch mode {
    case .tokenTruncate: expected = [1.8, 1.5]
    case .tokenMask: expected = [0, 1.5]
    case .sequenceTruncate: expected = [1.8, 1.8]
    case .sequenceMask: expected = [0, 0]
    }
    #expect(isClose(result.logProbabilityGradient, expected.map { -$0 / 2 }))
  }
}

@Suite("Numbers from which no loss can be computed")
struct ObjectiveErrorTests {
  @Test("are refused by completion and token")
  func named() throws {
    func message(_ body: () throws -> Void) -> String {
      do { try body() } catch { return "\(error)" }
      return "nothing was thrown"
    }
    let plain = CompletionInput(group: 0, length: 2, advantages: .uniform(1))
    let update = try prepared([plain])
    #expect(
      message { _ = try update.evaluate(0, logProbabilities: [-1, -Double.infinity]) }
        == "the log-probability of completion 0, token 1 is -inf: the objective needs finite numbers"
    )
    #expect(
      message { _ = try update.evaluate(0, logProbabilities: [-1.0]) }
        == "the log-probability of completion 0 has 1 numbers where the completion has 2 tokens")
    #expect(message { _ = try update.evaluate(5, logProbabilities: [-1.0]) }.contains("none at 5"))
    var bad = plain
    bad.advantages = .uniform(.nan)
    #expect(message { _ = try prepared([plain, bad]) }.contains("the advantage of completion 1"))
    bad = plain
    bad.oldLogProbabilities = [-1]
    #expect(message { _ = try prepared([bad]) }.contains("the old log-probability of completion 0"))
    #expect(
      message { _ = try prepared([plain]) { $0.beta = 0.1 } }
        .contains("completion 0 has no reference log-probabilities, which beta 0.1"))
    #expect(
      message { _ = try prepared([plain]) { $0.topEntropyQuantile = 0.5 } }.contains("no entropies")
    )
  }

  @Test("a ratio that overflows is an error, not a silent infinity")
  func overflow() throws {
    let far = CompletionInput(
      group: 0, length: 1, advantages: .uniform(-1), oldLogProbabilities: [-2000])
    #expect(throws: ObjectiveError.self) {
      try prepared([far]).evaluate(0, logProbabilities: [-1.0])
    }
    // At A > 0 the clip bounds it, and delta bounds it at A < 0.
    var good = far
    good.advantages = .uniform(1)
    #expect(isClose(try prepared([good]).evaluate(0, logProbabilities: [-1.0]).loss, -1.2))
    let capped = try prepared([far]) { $0.delta = 3 }.evaluate(0, logProbabilities: [-1.0])
    #expect(capped.loss == 3)
  }
}
