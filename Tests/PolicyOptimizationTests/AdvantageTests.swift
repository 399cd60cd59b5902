import Foundation
import Testing

@testable import PolicyOptimization

/// The advantages of rewards by function, groups of `size`.
private func estimate(
  _ rewards: [[Double?]], weights: [Double] = [1], size: Int, length: Int = 1,
  _ settings: ObjectiveSettings
) throws -> [Double] {
  let completions = rewards.enumerated().map { index, values in
    RewardedCompletion(group: index / size, rewards: values, length: length)
  }
  return try AdvantageEstimator(settings, rewardWeights: weights).advantages(of: completions)
    .advantages.map { $0[0] }
}

@Suite("Advantages of groups that are hard to score")
struct AdvantageEdgeTests {
  @Test("a group with one scorable completion teaches nothing", arguments: RewardScale.allCases)
  func oneScorable(scale: RewardScale) throws {
    for baseline in [AdvantageBaseline.groupMean, .leaveOneOut] {
      let settings = ObjectiveSettings().with {
        $0.scaleRewards = scale
        $0.baseline = baseline
      }
      #expect(
        try estimate([[3], [nil], [nil], [1], [2], [4]], size: 3, settings).prefix(3) == [0, 0, 0])
    }
  }

  @Test("a group with none, and a step with none")
  func noneScorable() throws {
    #expect(try estimate([[nil], [nil], [1], [0]], size: 2, .default).prefix(2) == [0, 0])
    #expect(try estimate([[nil], [nil]], size: 2, .default) == [0, 0])
    #expect(try AdvantageEstimator(.default, rewardWeights: [1]).advantages(of: []).rewards.isEmpty)
  }

  @Test("a reward that is only partly scorable counts where it is")
  func partlyScorable() throws {
    // TRL.md §4: r = nansum(w R) = [3, 2, 1], mean 2, sample deviation 1.
    let rewards: [[Double?]] = [[1, 1], [2, nil], [nil, 0.5]]
    let a = try estimate(rewards, weights: [1, 2], size: 3, .default)
    #expect(isClose(a, [1 / 1.0001, 0, -1 / 1.0001]))
  }

  @Test("rewards that are not finite are refused by name")
  func notFinite() throws {
    #expect(throws: ObjectiveError.self) { try estimate([[.infinity], [0]], size: 2, .default) }
    #expect(throws: ObjectiveError.self) {
      try estimate([[1e308], [-1e308]], weights: [1e10], size: 2, .default)
    }
    do {
      _ = try estimate([[0], [.nan]], size: 2, .default)
    } catch let error as ObjectiveError {
      #expect(error.description.contains("the reward of completion 1"))
    }
  }

  @Test("groups need not be adjacent")
  func scattered() throws {
    let completions = [(0, 1.0), (7, 5.0), (0, 0.0), (7, 3.0)].map {
      RewardedCompletion(group: $0.0, rewards: [$0.1], length: 1)
    }
    let settings = ObjectiveSettings().with { $0.scaleRewards = .none }
    let step = try AdvantageEstimator(settings, rewardWeights: [1]).advantages(of: completions)
    #expect(step.advantages == [.uniform(0.5), .uniform(1), .uniform(-0.5), .uniform(-1)])
  }
}

@Suite("Several rewards, whitening, KL in the reward")
struct AdvantageVariantTests {
  @Test("GDPO normalises each reward in its group, sums, then normalises over the step")
  func decoupled() throws {
    // arXiv 2601.05242. Group 1: R_1 = [1, 0], R_2 = [4, 2]; group 2: R_1 = [0, 0], R_2 = [1, 3].
    // z = ±1/√2 but for the constant reward, which is 0; weights 1 and 2.
    let settings = ObjectiveSettings().with {
      $0.aggregation = .normalizeThenSum
      $0.advantageEpsilon = 0
    }
    let a = try estimate(
      [[1, 4], [0, 2], [0, 1], [0, 3]], weights: [1, 2], size: 2, settings)
    let z = 0.5.squareRoot()
    let s = [3 * z, -3 * z, -2 * z, 2 * z]
    let deviation = (s.reduce(0) { $0 + $1 * $1 } / 3).squareRoot()
    #expect(isClose(a, s.map { $0 / deviation }))
  }

  @Test("whitening is over tokens, so that longer completions weigh more")
  func whitening() throws {
    // REINFORCE++, arXiv 2501.03262 eq. 10, with OpenRLHF's population deviation: rewards 1 and 0
    // over 1 and 3 tokens have mean 1/4 and variance 3/16.
    let completions = [
      RewardedCompletion(group: 0, rewards: [1], length: 1),
      RewardedCompletion(group: 1, rewards: [0], length: 3),
    ]
    let settings = Preset.reinforcePlusPlus.settings.with { $0.beta = 0 }
    let step = try AdvantageEstimator(settings, rewardWeights: [1]).advantages(of: completions)
    let deviation = (3.0 / 16).squareRoot()
    #expect(isClose(step.advantages[0][0], 0.75 / deviation))
    #expect(isClose(step.advantages[1][0], -0.25 / deviation))
  }

  @Test("KL in the reward, the return and the advantage")
  func placements() throws {
    let old = [-1.0, -2.0, -0.5]
    let reference = [-1.5, -1.0, -1.0]
    // k1 = old − reference = [0.5, −1, 0.5]; sums from the end: [0, −0.5, 0.5]; Σ = 0.
    func tokens(_ placement: KLPlacement, beta: Double = 0.1) throws -> [Double] {
      let settings = ObjectiveSettings().with {
        $0.baseline = .none
        $0.scaleRewards = .none
        $0.beta = beta
        $0.klEstimator = .k1
        $0.klPlacement = placement
      }
      let completion = RewardedCompletion(
        group: 0, rewards: [2], length: 3, oldLogProbabilities: old,
        referenceLogProbabilities: reference)
      return try AdvantageEstimator(settings, rewardWeights: [1]).advantages(of: [completion])
        .advantages[0].expanded(to: 3)
    }
    #expect(isClose(try tokens(.reward), [2, 2, 2]))
    #expect(isClose(try tokens(.return), [2, 2.05, 1.95]))
    #expect(isClose(try tokens(.advantage), [1.95, 2.1, 1.95]))
    #expect(isClose(try tokens(.loss), [2, 2, 2]))
  }

  @Test("the reward metrics are those before the KL, with TRL's names")
  func metrics() throws {
    let completions = [1.0, 0, 1, 1].enumerated().map { index, reward in
      RewardedCompletion(group: index / 2, rewards: [reward, index == 0 ? nil : 2], length: 1)
    }
    let step = try AdvantageEstimator(.default, rewardWeights: [1, 0.5])
      .advantages(of: completions)
    let metrics = Dictionary(
      uniqueKeysWithValues: step.metrics.named(["right", "short"]).map { ($0.name, $0.value) })
    #expect(metrics["rewards/right/mean"] == 0.75)
    #expect(isClose(metrics["rewards/right/std"] ?? 0, 0.5))
    #expect(metrics["rewards/short/mean"] == 2 && metrics["rewards/short/std"] == 0)
    #expect(metrics["reward"] == 1.5)
    #expect(metrics["frac_reward_zero_std"] == 1)  // [1, 1] and [2, 2]
    #expect(metrics["frac_unscorable"] == 0)
  }
}

@Suite("Process supervision (DeepSeekMath §4.1.3)")
struct ProcessSupervisionTests {
  private func advantages(
    _ completions: [RewardedCompletion], weights: [Double] = [1],
    _ change: (inout ObjectiveSettings) -> Void = { _ in }
  ) throws -> [[Double]] {
    let settings = ObjectiveSettings().with {
      $0.supervision = .process
      $0.advantageEpsilon = 0
      change(&$0)
    }
    return try AdvantageEstimator(settings, rewardWeights: weights).advantages(of: completions)
      .advantages.enumerated().map { $1.expanded(to: completions[$0].length) }
  }

  @Test("each token has the sum of the normalised steps that end at or after it")
  func suffixSums() throws {
    // R = {1, 0, 0.5}: mean 0.5, sample deviation 0.5, so r̃ = 1, −1 and 0.
    let completions = [
      RewardedCompletion(
        group: 0, rewards: [0], length: 5,
        steps: [[StepReward(end: 2, reward: 1), StepReward(end: 4, reward: 0)]]),
      RewardedCompletion(
        group: 0, rewards: [0], length: 3, steps: [[StepReward(end: 3, reward: 0.5)]]),
    ]
    let result = try advantages(completions)
    #expect(isClose(result[0], [0, 0, -1, -1, 0]))
    #expect(isClose(result[1], [0, 0, 0]))
  }

  @Test("one step at the end is outcome supervision")
  func oneStep() throws {
    let rewards = [1.0, 0, 0.25]
    let stepped = rewards.map {
      RewardedCompletion(
        group: 0, rewards: [$0], length: 2, steps: [[StepReward(end: 2, reward: $0)]])
    }
    let plain = rewards.map { RewardedCompletion(group: 0, rewards: [$0], length: 2) }
    let outcome = try AdvantageEstimator(
      ObjectiveSettings().with { $0.advantageEpsilon = 0 }, rewardWeights: [1]
    ).advantages(of: plain).advantages.map { $0.expanded(to: 2) }
    #expect(try advantages(stepped) == outcome)
    #expect(try advantages(plain) == outcome)
  }

  @Test("several rewards share one R, or have one each")
  func severalRewards() throws {
    let completions = [(1.0, 10.0), (0, 30)].map { right, style in
      RewardedCompletion(
        group: 0, rewards: [right, style], length: 2,
        steps: [[StepReward(end: 1, reward: right)], []])
    }
    let z = 0.5.squareRoot()
    let each = try advantages(completions, weights: [1, 2]) { $0.aggregation = .normalizeThenSum }
    #expect(isClose(each[0], [z - 2 * z, -2 * z]))
    #expect(isClose(each[1], [-z + 2 * z, 2 * z]))
    // Weighted steps 1, 20, 0, 60: mean 20.25.
    let shared = try advantages(completions, weights: [1, 2])
    let r = [1.0, 20, 0, 60]
    let mean = 20.25
    let deviation = (r.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 3).squareRoot()
    let n = r.map { ($0 - mean) / deviation }
    #expect(isClose(shared[0], [n[0] + n[1], n[1]]))
    #expect(isClose(shared[1], [n[2] + n[3], n[3]]))
  }

  @Test("a step outside its completion is refused")
  func outside() {
    let completion = RewardedCompletion(
      group: 0, rewards: [0], length: 2, steps: [[StepReward(end: 3, reward: 1)]])
    #expect(throws: ObjectiveError.self) { try advantages([completion, completion]) }
  }

  /// TRL: `reward_weights = torch.tensor([0.1, 0.3], dtype=torch.float32)`, rewards (1, 0), (0, 1), (1, 1), (0, 0).
  @Test("under like trl reward weights are float32, as TRL's tensor of them is")
  func rewardWeightsInFloat32() throws {
    let rewards: [[Double?]] = [[1, 0], [0, 1], [1, 1], [0, 0]]
    func totals(_ isFloat32: Bool) throws -> [Double?] {
      var settings = ObjectiveSettings()
      settings.float32Constants = isFloat32
      let estimator = AdvantageEstimator(settings, rewardWeights: [0.1, 0.3])
      return try estimator.advantages(
        of: rewards.map { RewardedCompletion(group: 0, rewards: $0, length: 1) }
      ).rewards
    }
    #expect(
      try totals(true) == [
        0.10000000149011612, 0.30000001192092896, 0.4000000134110451, 0,
      ])
    #expect(try totals(false) == [0.1, 0.3, 0.4, 0])
  }
}
