import Foundation
import Testing

@testable import PolicyOptimization

/// Rewards of `groups` groups of `size`, with ties and unscorable ones.
private func randomRewards(_ seed: UInt64, groups: Int = 3, size: Int = 6) -> [RewardedCompletion] {
  var random = TestRandom(seed)
  return (0..<groups * size).map { index in
    let reward = random.uniform() < 0.3 ? 1 : random.normal()
    return RewardedCompletion(
      group: index / size, rewards: [random.uniform() < 0.1 ? nil : reward], length: 3)
  }
}

private func advantages(_ completions: [RewardedCompletion], _ settings: ObjectiveSettings) throws
  -> [Double]
{
  try AdvantageEstimator(settings, rewardWeights: [1]).advantages(of: completions)
    .advantages.map { $0[0] }
}

/// The estimators whose advantages are centred within a group.
private let groupBaselined: [ObjectiveSettings] = [
  AdvantageBaseline.groupMean, .leaveOneOut,
].flatMap { baseline in
  RewardScale.allCases.flatMap { scale in
    [DeviationEstimator.sample, .population, .leaveOneOut].map { deviation in
      ObjectiveSettings().with {
        $0.baseline = baseline
        $0.scaleRewards = scale
        $0.deviation = deviation
      }
    }
  }
}

@Suite("Properties of advantages over random rewards")
struct AdvantagePropertyTests {
  @Test("equal rewards, to rounding, give advantages of exactly 0", arguments: groupBaselined)
  func equalRewards(settings: ObjectiveSettings) throws {
    // 0.1 + 0.2 and 0.3 differ by one unit in the last place; an epsilon of 0 would make ±1 of it.
    let exact = settings.with { $0.advantageEpsilon = 0 }
    for (a, b) in [(0.1 + 0.2, 0.3), (1e9 + 0.1 + 0.2, 1e9 + 0.3), (-0.7, -0.7), (0, 0)] {
      let completions = (0..<8).map {
        RewardedCompletion(group: 0, rewards: [$0 % 3 == 0 ? a : b], length: 1)
      }
      #expect(try advantages(completions, exact).allSatisfy { $0 == 0 })
    }
  }

  @Test("shifting rewards changes nothing to rounding", arguments: groupBaselined)
  func shift(settings: ObjectiveSettings) throws {
    for seed in UInt64(0)..<5 {
      let completions = randomRewards(seed)
      let shifted = completions.map { completion in
        var copy = completion
        copy.rewards = completion.rewards.map { $0.map { $0 + 1000 } }
        return copy
      }
      // Rewards of 1000 keep 1e-13; divided by a deviation of 0.1 or more.
      #expect(
        isClose(try advantages(shifted, settings), try advantages(completions, settings), 1e-10))
    }
  }

  @Test("A(c·r; c·ε) = A(r; ε)", arguments: groupBaselined.filter { $0.scaleRewards != .none })
  func scale(settings: ObjectiveSettings) throws {
    for (seed, factor) in [(UInt64(1), 3.0), (2, 1e-6), (3, 1e8)] {
      let completions = randomRewards(seed)
      let scaled = completions.map { completion in
        var copy = completion
        copy.rewards = completion.rewards.map { $0.map { $0 * factor } }
        return copy
      }
      let changed = settings.with { $0.advantageEpsilon *= factor }
      #expect(isClose(try advantages(scaled, changed), try advantages(completions, settings)))
    }
  }

  @Test("permuting a group permutes its advantages, bit for bit", arguments: groupBaselined)
  func permutation(settings: ObjectiveSettings) throws {
    var random = TestRandom(99)
    let completions = randomRewards(4)
    let order = completions.indices.shuffled(using: &random)
    let permuted = try advantages(order.map { completions[$0] }, settings)
    let plain = try advantages(completions, settings)
    #expect(permuted == order.map { plain[$0] })
  }

  @Test("unscorable completions get 0 and move no one else", arguments: groupBaselined)
  func unscorable(settings: ObjectiveSettings) throws {
    let completions = randomRewards(5)
    let scorable = completions.filter { !$0.isUnscorable }
    let all = try advantages(completions, settings)
    let kept = zip(completions, all).filter { !$0.0.isUnscorable }.map(\.1)
    #expect(kept == (try advantages(scorable, settings)))
    #expect(zip(completions, all).allSatisfy { !$0.0.isUnscorable || $0.1 == 0 })
  }
}

@Suite("Properties of the loss over random updates")
struct LossPropertyTests {
  @Test("advantages of 0 give a zero gradient", arguments: LossType.allCases)
  func zeroAdvantages(loss: LossType) throws {
    var numbers = RandomCase(seed: 11)
    for index in numbers.completions.indices { numbers.completions[index].advantages = .uniform(0) }
    let result = try numbers.evaluated(ObjectiveSettings().with { $0.lossType = loss })
    #expect(result.gradients.joined().allSatisfy { $0 == 0 })
    #expect(result.loss == 0)
  }

  @Test(
    "at ratio 1 the gradient is the plain policy gradient",
    arguments: [LossType.grpo, .bnpo, .drGRPO, .dapo, .luspo], ImportanceSamplingLevel.allCases)
  func ratioOne(loss: LossType, level: ImportanceSamplingLevel) throws {
    var numbers = RandomCase(seed: 12)
    for index in numbers.completions.indices {
      numbers.completions[index].oldLogProbabilities = numbers.policy[index]
      numbers.completions[index].samplerLogProbabilities = nil
    }
    let settings = ObjectiveSettings().with {
      $0.lossType = loss
      $0.importanceSamplingLevel = level
    }
    let clipped = try numbers.evaluated(settings)
    let plain = try numbers.evaluated(settings.with { $0.surrogateOverride = .policyGradient })
    for (a, b) in zip(clipped.gradients, plain.gradients) { #expect(isClose(a, b)) }
    #expect(clipped.statistics.leastRatio == 1 && clipped.statistics.largestRatio == 1)
  }

  @Test("without old log-probabilities every ratio is exactly 1")
  func noOld() throws {
    var numbers = RandomCase(seed: 13)
    for index in numbers.completions.indices {
      numbers.completions[index].oldLogProbabilities = nil
    }
    let statistics = try numbers.evaluated(.default).statistics
    #expect(statistics.leastRatio == 1 && statistics.largestRatio == 1)
    #expect(statistics.policyDriftSum == 0)
  }

  @Test("clipping is inactive inside the range", arguments: ImportanceSamplingLevel.allCases)
  func inside(level: ImportanceSamplingLevel) throws {
    let numbers = RandomCase(seed: 14, drift: 0.01)
    let settings = ObjectiveSettings().with { $0.importanceSamplingLevel = level }
    let clipped = try numbers.evaluated(settings)
    let open = try numbers.evaluated(settings.with { $0.epsilon = 1e9 })
    #expect(clipped.loss == open.loss && clipped.gradients == open.gradients)
    #expect(clipped.statistics.lowClips + clipped.statistics.highClips == 0)
  }

  @Test("dual clip is `delta` where it is at least 1 + epsilon_high")
  func dualClip() throws {
    // OpenRLHF models/loss.py: for A < 0, −max(min(wA, clip(w)A), cA).
    let surrogate = ClippedSurrogate(ObjectiveSettings().with { $0.delta = 3 })
    for ratio in [0.1, 0.79, 1, 1.3, 2.9, 3, 3.1, 50] {
      for advantage in [-2.0, 0.5] {
        let clipped = min(ratio * advantage, max(0.8, min(1.2, ratio)) * advantage)
        let dual = advantage < 0 ? max(clipped, 3 * advantage) : clipped
        let term = surrogate.term(
          ratio: ratio, advantage: advantage, logProbability: -1, weight: SequenceWeight())
        #expect(isClose(term.value, -dual))
      }
    }
  }

  @Test("completions may be evaluated in any order and any micro-batches", arguments: 0..<20)
  func order(seed: Int) throws {
    let numbers = RandomCase(seed: UInt64(seed))
    let settings = ObjectiveSettings().with {
      $0.lossType = LossType.allCases[seed % LossType.allCases.count]
      $0.beta = 0.1
      $0.topEntropyQuantile = 0.5
      $0.entropyCoefficient = 0.01
    }
    let update = try PreparedUpdate(
      completions: numbers.completions, settings: settings, context: numbers.context)
    var random = TestRandom(UInt64(seed))
    let whole = try numbers.evaluated(settings)
    var loss = 0.0
    for index in numbers.completions.indices.shuffled(using: &random) {
      let evaluation = try update.evaluate(
        index, logProbabilities: numbers.policy[index], entropies: numbers.entropies[index])
      #expect(evaluation.logProbabilityGradient == whole.gradients[index])
      loss += evaluation.loss
    }
    #expect(isClose(loss, whole.loss))
  }
}
