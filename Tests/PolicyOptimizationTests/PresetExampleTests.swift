// One example by hand for each preset, each citing the equation or the peer's file that it follows. Advantages here are
// written as expressions of the numbers in the comment above them, so that the arithmetic can be followed.

import Foundation
import Testing

@testable import PolicyOptimization

/// The advantages of one group under a preset, without KL.
private func advantages(_ preset: Preset, _ rewards: [Double]) throws -> [Double] {
  let settings = preset.settings.with { $0.beta = 0 }
  let completions = rewards.map { RewardedCompletion(group: 0, rewards: [$0], length: 1) }
  return try AdvantageEstimator(settings, rewardWeights: [1]).advantages(of: completions)
    .advantages.map { $0[0] }
}

/// A completion whose old log-probabilities are all −1 and whose ratios are as given.
private func completion(
  ratios: [Double], advantage: Double, reference: [Double]? = nil, isTruncated: Bool = false,
  group: Int = 0
) -> (input: CompletionInput, policy: [Double]) {
  let input = CompletionInput(
    group: group, length: ratios.count, advantages: .uniform(advantage),
    oldLogProbabilities: ratios.map { _ in -1 },
    referenceLogProbabilities: reference, isTruncated: isTruncated)
  return (input, ratios.map { -1 + log($0) })
}

/// The loss and the gradients of an update of such completions.
private func update(
  _ settings: ObjectiveSettings, _ completions: [(input: CompletionInput, policy: [Double])],
  maxCompletionLength: Int = 4
) throws -> (loss: Double, gradients: [[Double]]) {
  let prepared = try PreparedUpdate(
    completions: completions.map(\.input), settings: settings,
    context: UpdateContext(maxCompletionLength: maxCompletionLength))
  let results = try completions.indices.map {
    try prepared.evaluate($0, logProbabilities: completions[$0].policy)
  }
  return (results.reduce(0) { $0 + $1.loss }, results.map(\.logProbabilityGradient))
}

@Suite("Worked examples: papers")
struct PaperPresetTests {
  @Test("deepseekmath: arXiv 2402.03300 §4.1.2 and eq. 3 and 4")
  func deepseekMath() throws {
    // r = [1, 0, 0]: mean 1/3, sample deviation √(1/3).
    let deviation = (1.0 / 3).squareRoot()
    let expected = [2 / 3 / deviation, -1 / 3 / deviation, -1 / 3 / deviation]
    #expect(isClose(try advantages(.deepseekMath, [1, 0, 0]), expected))
    // Completion 1: A = 1, ratios 1.5 (clipped at 1.2) and 1; completion 2: A = −1, ratio 0.5 (clipped
    // at 0.8). The mean over tokens, then over 2 completions. KL: π_ref = π, so 0.
    let a = completion(ratios: [1.5, 1], advantage: 1, reference: [-1 + log(1.5), -1])
    let b = completion(ratios: [0.5], advantage: -1, reference: [-1 + log(0.5)])
    let result = try update(Preset.deepseekMath.settings, [a, b])
    #expect(isClose(result.loss, ((-1.2 - 1) / 2 + 0.8) / 2))
    #expect(isClose(result.gradients[0], [0, -0.25]))
    #expect(isClose(result.gradients[1], [0]))
    // eq. 4 with π_ref/π = 2: 2 − log 2 − 1, times β = 0.04; its gradient in log π is 1 − 2.
    let c = completion(ratios: [1], advantage: 0, reference: [-1 + log(2)])
    let kl = try update(Preset.deepseekMath.settings, [c])
    #expect(isClose(kl.loss, 0.04 * (1 - log(2))))
    #expect(isClose(kl.gradients[0], [0.04 * -1]))
  }

  @Test("deepseek-r1: a clip of 10, a reference replaced every 400 updates")
  func deepseekR1() throws {
    let settings = Preset.deepseekR1.settings
    #expect(settings.beta == 0.001)
    let a = completion(ratios: [10.5], advantage: 2, reference: [-1 + log(10.5)])
    #expect(isClose(try update(settings, [a]).loss, -21))
    #expect(settings.referenceMixture(afterUpdate: 399) == nil)
    #expect(settings.referenceMixture(afterUpdate: 400) == 1)
    #expect(settings.referenceMixture(afterUpdate: 0) == nil)
  }

  @Test("dr-grpo: arXiv 2503.20783 §3.2")
  func drGRPO() throws {
    #expect(isClose(try advantages(.drGRPO, [1, 0, 0, 0]), [0.75, -0.25, -0.25, -0.25]))
    // Σ of token losses over 2 completions times max_completion_length 4.
    let a = completion(ratios: [1, 1], advantage: 0.75)
    let b = completion(ratios: [1], advantage: -0.25)
    let result = try update(Preset.drGRPO.settings, [a, b])
    #expect(isClose(result.loss, (-0.75 * 2 + 0.25) / 8))
    #expect(isClose(result.gradients[0], [-0.75 / 8, -0.75 / 8]))
  }

  @Test("dapo: arXiv 2503.14476 eq. 8 to 10, overlong filtering")
  func dapo() throws {
    let settings = Preset.dapo.settings
    // r = [1, 1, 0, 0]: deviation √(1/3).
    let deviation = (1.0 / 3).squareRoot()
    #expect(isClose(try advantages(.dapo, [1, 1, 0, 0])[0], 0.5 / deviation))
    // Clip-higher: 1.25 passes, 1.3 is clipped at 1.28. The truncated completion counts nowhere.
    let a = completion(ratios: [1.25, 1.3], advantage: 1)
    let b = completion(ratios: [1, 1, 1], advantage: -1, isTruncated: true)
    let result = try update(settings, [a, b])
    #expect(isClose(result.loss, -(1.25 + 1.28) / 2))
    #expect(isClose(result.gradients[0], [-1.25 / 2, 0]))
    #expect(result.gradients[1] == [0, 0, 0])
    // eq. 11.
    #expect(!DynamicSampling.hasSpread([[1], [1], [0.9 + 0.1]], weights: [1]))
    #expect(DynamicSampling.hasSpread([[1], [0], [1]], weights: [1]))
  }

  @Test("gspo: arXiv 2507.18071 eq. 5 to 7; GSPO-token eq. 13 and 14")
  func gspo() throws {
    let settings = Preset.gspo.settings
    // s = exp((0.0006 + 0)/2) = exp(0.0003) < 1.0004: inside; its gradient in each log π is s/2.
    let inside = completion(ratios: [exp(0.0006), 1], advantage: 1)
    let s = exp(0.0003)
    let a = try update(settings, [inside])
    #expect(isClose(a.loss, -s))
    #expect(isClose(a.gradients[0], [-s / 2, -s / 2]))
    // s = exp(0.0005): beyond 1.0004, clipped as a whole.
    let outside = completion(ratios: [exp(0.001), 1], advantage: 1)
    let b = try update(settings, [outside])
    #expect(isClose(b.loss, -1.0004))
    #expect(b.gradients[0] == [0, 0])
    // The token form has the same value, and here the same gradient, since A is uniform.
    let token = settings.with { $0.importanceSamplingLevel = .sequenceToken }
    #expect(isClose(try update(token, [inside]).gradients[0], a.gradients[0]))
    // With advantages by token it goes its own way: each token's gradient is −s A_t / 2.
    var mixed = inside
    mixed.input.advantages = .perToken([3, -1])
    #expect(isClose(try update(token, [mixed]).gradients[0], [-3 * s / 2, s / 2]))
    #expect(isClose(try update(settings, [mixed]).gradients[0], [-s / 2, -s / 2]))
  }

  @Test("cispo: arXiv 2506.13585 eq. 4 and 5")
  func cispo() throws {
    let settings = Preset.cispo.settings
    // Weights 6 (bounded at 5) and 0.01 (no lower bound); log π = −1 + log w; 2 tokens in the group.
    let a = completion(ratios: [6, 0.01], advantage: 2)
    let result = try update(settings, [a])
    let first: Double = -5 * 2 * (-1 + log(6))
    let second: Double = -0.01 * 2 * (-1 + log(0.01))
    #expect(isClose(result.loss, (first + second) / 2))
    #expect(isClose(result.gradients[0], [-5, -0.01]))
    // The paper's range form, as verl and NeMo: clip(w, 0.8, 1.2).
    let range = settings.with {
      $0.cispoBounds = .range
      $0.epsilonHigh = 0.2
    }
    #expect(isClose(try update(range, [a]).gradients[0], [-1.2, -0.8]))
  }

  @Test("rloo: arXiv 2402.14740 eq. 5; KL in the reward")
  func rloo() throws {
    // r_i − mean of the others: 3 − (1 + 2)/2, 1 − (3 + 2)/2, 2 − (3 + 1)/2.
    #expect(isClose(try advantages(.rloo, [3, 1, 2]), [1.5, -1.5, 0]))
    // k1 of the first completion is −1 − (−3) = 2: its reward is 3 − 0.05·2 = 2.9 against 1.
    let completions = [(3.0, -3.0), (1, -1)].map { reward, reference in
      RewardedCompletion(
        group: 0, rewards: [reward], length: 1, oldLogProbabilities: [-1],
        referenceLogProbabilities: [reference])
    }
    let step = try AdvantageEstimator(Preset.rloo.settings, rewardWeights: [1])
      .advantages(of: completions)
    #expect(isClose(step.advantages[0][0], 1.9) && isClose(step.advantages[1][0], -1.9))
    #expect(step.rewards == [3, 1])
    // −A Σ_t log π, the mean of 2 completions; no ratio.
    let a = completion(ratios: [1, 2], advantage: 1.5)
    let b = completion(ratios: [1], advantage: -1.5)
    let result = try update(Preset.rloo.settings.with { $0.beta = 0 }, [a, b])
    let first: Double = -1.5 * (-2 + log(2))
    #expect(isClose(result.loss, (first - 1.5) / 2))
    #expect(isClose(result.gradients[0], [-0.75, -0.75]))
  }

  @Test("reinforce++: arXiv 2501.03262 eq. 8 to 10")
  func reinforcePlusPlus() throws {
    // Two completions of two tokens, r = 1 and 0; k1 of the first is [1, 2], of the second 0.
    // Returns: 1 − 0.01·3, 1 − 0.01·2, 0, 0; then whitened over the four tokens.
    let completions = [(1.0, [-2.0, -3.0]), (0, [-1, -1])].map { reward, reference in
      RewardedCompletion(
        group: 0, rewards: [reward], length: 2, oldLogProbabilities: [-1, -1],
        referenceLogProbabilities: reference)
    }
    let step = try AdvantageEstimator(Preset.reinforcePlusPlus.settings, rewardWeights: [1])
      .advantages(of: completions)
    let returns = [0.97, 0.98, 0, 0]
    let mean = returns.reduce(0, +) / 4
    let deviation = (returns.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 4).squareRoot()
    let whitened = returns.map { ($0 - mean) / deviation }
    #expect(isClose(step.advantages[0].expanded(to: 2), Array(whitened[0..<2])))
    #expect(isClose(step.advantages[1].expanded(to: 2), Array(whitened[2..<4])))
    // Its group-baseline form centres first; with equal lengths the whitened result is symmetric.
    let baseline = Preset.reinforcePlusPlus.settings.with {
      $0.baseline = .groupMean
      $0.beta = 0
    }
    let centred = try AdvantageEstimator(baseline, rewardWeights: [1]).advantages(of: completions)
    #expect(isClose(centred.advantages.map { $0[0] }, [1, -1]))
  }
}

@Suite("Worked examples: peers")
struct PeerPresetTests {
  @Test("trl: grpo_trainer.py, with its float32 constant")
  func trl() throws {
    // Bessel's factor of 4 is 4/3 in float32, 1.33333337…; r = [1, 0, 0, 0].
    let factor = Double(Float(4) / Float(3))
    let deviation = (0.1875 * factor).squareRoot()
    #expect(isClose(try advantages(.trl, [1, 0, 0, 0])[0], 0.75 / (deviation + 1e-4), 1e-15))
    #expect(factor != 4.0 / 3)
  }

  @Test("verl: core_algos.py compute_grpo_outcome_advantage, compute_policy_loss_vanilla")
  func verl() throws {
    let deviation = (1.0 / 3).squareRoot()
    #expect(isClose(try advantages(.verl, [1, 0, 0])[0], 2 / 3 / (deviation + 1e-6)))
    // A < 0 at ratio 4: pg_losses1 = 4, pg_losses2 = 1.2, max 4, and min(4, clip_ratio_c·1) = 3.
    // A > 0 at ratio 4: max(−4, −1.2) = −1.2. token-mean over 2 tokens.
    let a = completion(ratios: [4], advantage: -1)
    let b = completion(ratios: [4], advantage: 1)
    let result = try update(Preset.verl.settings, [a, b])
    #expect(isClose(result.loss, (3 - 1.2) / 2))
    #expect(result.gradients == [[0], [0]])
    // low_var_kl once it is switched on: exp(x) − x − 1 clamped to 10, here x = 3: 16.1 → 10.
    let settings = Preset.verl.settings.with { $0.beta = 0.001 }
    let c = completion(ratios: [1], advantage: 0, reference: [2])
    #expect(isClose(try update(settings, [c]).loss, 0.001 * 10))
  }

  @Test("openrlhf: experience_maker.py group_norm, compute_reward; loss.py PolicyLoss")
  func openRLHF() throws {
    // k1 = [0.5, −0.5] for the first; returns from the end: 0 and −0.5. init_coef 0.01.
    let completions = [(1.0, [-1.5, -0.5]), (0, [-1, -1])].map { reward, reference in
      RewardedCompletion(
        group: 0, rewards: [reward], length: 2, oldLogProbabilities: [-1, -1],
        referenceLogProbabilities: reference)
    }
    let step = try AdvantageEstimator(Preset.openRLHF.settings, rewardWeights: [1])
      .advantages(of: completions)
    let a = 0.5 / (0.5.squareRoot() + 1e-9)
    #expect(isClose(step.advantages[0].expanded(to: 2), [a, a + 0.01 * 0.5]))
    #expect(isClose(step.advantages[1].expanded(to: 2), [-a, -a]))
    // No dual clip: ratio 4 at A = −1 costs 4. The mean over 3 tokens. KL is not in the loss.
    let result = try update(
      Preset.openRLHF.settings,
      [completion(ratios: [4], advantage: -1), completion(ratios: [1, 1], advantage: 1)])
    #expect(isClose(result.loss, (4 - 2) / 3.0))
  }

  @Test("nemo: advantage_estimator.py GRPOAdvantageEstimator, loss_functions.py ClippedPGLossFn")
  func nemo() throws {
    // r = [1, 0, 0, 1]. For r_1 the others are 0, 0, 1: baseline 1/3, sample deviation √(1/3).
    let deviation = (1.0 / 3).squareRoot()
    let a = 2.0 / 3 / (deviation + 1e-6)
    #expect(isClose(try advantages(.nemo, [1, 0, 0, 1]), [a, -a, -a, a]))
    // r = [1, 0, 0]: the others of the first have no deviation, so it stays undivided: 1. Those of
    // the second are 1 and 0: baseline 1/2, deviation √(1/2).
    let b = -0.5 / (0.5.squareRoot() + 1e-6)
    #expect(isClose(try advantages(.nemo, [1, 0, 0]), [1, b, b]))
    // KL: exp(x − sg[x]) times k3, so the gradient in log π is k3 + (1 − e^x) with x = log 2.
    let c = completion(ratios: [1], advantage: 0, reference: [-1 + log(2)])
    let result = try update(Preset.nemo.settings, [c])
    #expect(isClose(result.loss, 0.01 * (1 - log(2))))
    #expect(isClose(result.gradients[0], [0.01 * ((1 - log(2)) - 1)]))
  }

  @Test("nanochat: scripts/chat_rl.py")
  func nanochat() throws {
    #expect(isClose(try advantages(.nanochat, [1, 0, 0, 0]), [0.75, -0.25, -0.25, -0.25]))
    // Two prompts: −Σ logp·A over the tokens of each (3 and 1), then the mean of the prompts.
    let a = completion(ratios: [1, 1], advantage: 0.5, group: 0)
    let b = completion(ratios: [1], advantage: -0.5, group: 0)
    let c = completion(ratios: [1], advantage: 2, group: 1)
    let result = try update(Preset.nanochat.settings, [a, b, c])
    let group: Double = (0.5 * 2 - 0.5) / 3
    #expect(isClose(result.loss, (group + 2) / 2))
    #expect(isClose(result.gradients[0], [-0.5 / 6, -0.5 / 6]))
  }
}

@Suite("Presets")
struct PresetTests {
  @Test("are legal and explain themselves", arguments: Preset.allCases)
  func legal(preset: Preset) {
    let settings = preset.settings
    let faults = settings.validate(
      ObjectiveSituation(
        groupSize: 8, hasReference: settings.needsReference, maxCompletionLength: 64,
        preset: preset, given: []))
    #expect(faults.filter { $0.severity == .error }.isEmpty)
    let text = preset.explanation(width: 400)
    #expect(preset.explanation(width: 90).split(separator: "\n").allSatisfy { $0.count <= 110 })
    for part in ["Equations", "Settings that differ", "for information", preset.rawValue] {
      #expect(text.contains(part))
    }
    for (key, value) in preset.changes { #expect(text.contains(key.name) && text.contains(value)) }
    #expect(!preset.description.source.isEmpty && !preset.description.words.isEmpty)
  }

  @Test("are found by either spelling")
  func names() {
    #expect(Preset(named: "dr_grpo") == .drGRPO && Preset(named: "dr-grpo") == .drGRPO)
    #expect(Preset(named: "DeepSeek-R1") == .deepseekR1 && Preset(named: "ppo") == nil)
    #expect(Preset.trl.changes.map(\.key.name) == ["use_bias_correction_kl", "float32_constants"])
  }
}
