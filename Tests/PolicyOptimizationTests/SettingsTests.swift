import Foundation
import Rollouts
import Testing

@testable import PolicyOptimization

private func situation(
  groupSize: Int? = 4, hasReference: Bool = true, preset: Preset? = nil, given: Set<String> = []
) -> ObjectiveSituation {
  ObjectiveSituation(
    groupSize: groupSize, hasReference: hasReference, maxCompletionLength: 16, preset: preset,
    given: given)
}

@Suite("Settings as a config writes them")
struct ObjectiveKeyTests {
  @Test(
    "every key reads what it writes, and refuses another kind",
    arguments: ObjectiveKey.all.map(\.name))
  func roundTrip(name: String) throws {
    let key = try #require(ObjectiveKey.named(name))
    var settings = ObjectiveSettings()
    let other: JSONValue
    switch key.kind {
    case .number, .optionalNumber: other = 0.125
    case .integer: other = 3
    case .boolean: other = .bool(key.defaultValue == .bool(false))
    case .choice(let names):
      // `true` and `false` are other words for names, which are written.
      other = .string(
        names.last { .string($0) != key.defaultValue && !["true", "false"].contains($0) } ?? "")
    case .optionalChoice(let names): other = .string(names[0])
    }
    try key.set(other, in: &settings)
    #expect(key.value(in: settings) == other)
    #expect(settings != ObjectiveSettings())
    #expect(throws: SettingError.self) { try key.set(.array([]), in: &settings) }
    try key.set(key.defaultValue, in: &settings)
    #expect(settings == ObjectiveSettings())
  }

  @Test("names are unique, in snake case, and found in kebab case")
  func names() {
    let names = ObjectiveKey.all.flatMap { [$0.name] + $0.aliases }
    #expect(Set(names).count == names.count)
    #expect(names.allSatisfy { $0.allSatisfy { $0.isLowercase || $0.isNumber || $0 == "_" } })
    #expect(ObjectiveKey.named("epsilon-high")?.name == "epsilon_high")
    #expect(ObjectiveKey.named("vllm_importance_sampling_mode")?.name == "importance_sampling_mode")
    #expect(ObjectiveKey.named("nonsense") == nil)
  }

  @Test("TRL's booleans for scale_rewards")
  func booleans() throws {
    var settings = ObjectiveSettings()
    try ObjectiveKey.scaleRewards.set(false, in: &settings)
    #expect(settings.scaleRewards == .none)
    try ObjectiveKey.scaleRewards.set(true, in: &settings)
    #expect(settings.scaleRewards == .group)
  }

  @Test("the defaults are TRL 1.16's but for the KL correction and the float32 constants")
  func defaults() {
    let trl: [String: JSONValue] = [
      "loss_type": "dapo", "scale_rewards": "group", "epsilon": 0.2, "epsilon_high": .null,
      "delta": .null, "beta": .number(0), "importance_sampling_level": "token",
      "advantage_epsilon": 1e-4, "multi_objective_aggregation": "sum_then_normalize",
      "mask_truncated_completions": false, "top_entropy_quantile": .number(1),
      "entropy_coef": .number(0), "use_adaptive_entropy": false, "entropy_coef_min": .number(0),
      "entropy_coef_max": .number(1), "entropy_coef_delta": 0.005, "entropy_target": 0.2,
      "off_policy_mask_threshold": .null, "sync_ref_model": false, "ref_model_mixup_alpha": 0.6,
      "ref_model_sync_steps": 512, "num_iterations": 1, "sapo_temperature_neg": 1.05,
      "sapo_temperature_pos": .number(1), "vespo_k_pos": .number(2), "vespo_lambda_pos": .number(3),
      "vespo_k_neg": .number(3), "vespo_lambda_neg": .number(2),
      "importance_sampling_mode": "sequence_mask", "importance_sampling_clip_max": .number(3),
      "importance_sampling_clip_min": .null, "importance_sampling_correction": true,
      "use_bias_correction_kl": true,
    ]
    for (name, value) in trl {
      #expect(ObjectiveKey.named(name)?.value(in: Preset.trl.settings) == value, "\(name)")
    }
    #expect(!ObjectiveSettings.default.usesBiasCorrectionKL)
  }
}

@Suite("Validation of settings")
struct ValidationTests {
  private func faults(
    _ situation: ObjectiveSituation, _ change: (inout ObjectiveSettings) -> Void
  ) -> [SettingFault] {
    (situation.preset?.settings ?? .default).with(change).validate(situation)
  }

  @Test("the defaults have no fault")
  func clean() { #expect(faults(situation()) { _ in }.isEmpty) }

  @Test("a group of 1 with a standard deviation names both values")
  func groupOfOne() throws {
    let found = faults(situation(groupSize: 1)) { _ in }
    let fault = try #require(found.first { $0.keys == ["num_generations", "scale_rewards"] })
    #expect(fault.severity == .error)
    #expect(fault.description.contains("num_generations is 1"))
    #expect(fault.description.contains("scale_rewards is group"))
    // REINFORCE++ needs no group.
    #expect(
      faults(situation(groupSize: 1, preset: .reinforcePlusPlus)) { _ in }
        .allSatisfy { $0.severity == .warning })
  }

  @Test("beta without a reference")
  func noReference() {
    let found = faults(situation(hasReference: false)) { $0.beta = 0.04 }
    #expect(found.count == 1 && found[0].description.contains("beta is 0.04"))
  }

  @Test("numbers out of range, all at once")
  func ranges() {
    let found = faults(situation()) {
      $0.topEntropyQuantile = 1.5
      $0.epsilon = -0.1
      $0.delta = 0
      $0.iterations = 0
      $0.referenceMixupAlpha = 2
      $0.sapoTemperaturePositive = 0
      $0.advantageEpsilon = .nan
      $0.entropyCoefficientMinimum = 2
      $0.samplerCorrectionMinimum = 4
    }
    let errors = found.filter { $0.severity == .error }
    #expect(
      Set(errors.flatMap(\.keys)).isSuperset(of: [
        "top_entropy_quantile", "epsilon", "delta", "num_iterations", "ref_model_mixup_alpha",
        "sapo_temperature_pos", "advantage_epsilon", "entropy_coef_min",
        "importance_sampling_clip_min",
      ]))
    #expect(
      errors.contains { $0.description == "top_entropy_quantile is 1.5: it must be within 0…1" })
  }

  @Test("epsilon_high below epsilon is legal and warned of")
  func reversedClip() {
    let found = faults(situation()) { $0.epsilonHigh = 0.1 }
    #expect(found.map(\.severity) == [.warning])
    #expect(found[0].description.contains("epsilon_high is 0.1, below epsilon 0.2"))
  }

  @Test("contradictions between two settings")
  func contradictions() {
    func isRefused(_ change: (inout ObjectiveSettings) -> Void) -> Bool {
      faults(situation(), change).contains { $0.severity == .error }
    }
    #expect(isRefused { $0.baseline = .none })
    #expect(isRefused { $0.refreshesReference = true })
    #expect(
      isRefused {
        $0.beta = 0.1
        $0.usesBiasCorrectionKL = true
        $0.klGradient = .scoreFunction
      })
    #expect(
      isRefused {
        $0.beta = 0.1
        $0.klPlacement = .reward
        $0.supervision = .process
      })
    #expect(!isRefused { $0.scaleRewards = .batch })
  }

  @Test("settings that a preset makes meaningless are errors, others warnings")
  func meaningless() {
    let byPreset = faults(situation(preset: .nanochat, given: ["epsilon"])) { $0.epsilon = 0.3 }
    #expect(byPreset.map(\.severity) == [.error])
    #expect(byPreset[0].description.contains("epsilon is 0.3"))
    #expect(byPreset[0].description.contains("surrogate policy_gradient (preset nanochat)"))
    let drGRPO = faults(situation(preset: .drGRPO, given: ["advantage_epsilon"])) {
      $0.advantageEpsilon = 1e-6
    }
    #expect(drGRPO.map(\.severity) == [.error])
    let own = faults(situation(given: ["epsilon", "surrogate"])) {
      $0.epsilon = 0.3
      $0.surrogateOverride = .policyGradient
    }
    #expect(own.map(\.severity) == [.warning])
    let trl = faults(situation(preset: .trl, given: ["entropy_target"])) { $0.entropyTarget = 1 }
    #expect(trl.map(\.severity) == [.warning])
    #expect(faults(situation(preset: .nanochat)) { _ in }.isEmpty)
  }
}
