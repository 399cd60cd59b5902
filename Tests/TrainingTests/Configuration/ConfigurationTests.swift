import Foundation
import PolicyOptimization
import RewardKit
import Rollouts
import Testing

@testable import Training

@Suite("Configuration")
struct ConfigurationTests {
  /// Resolves the text of a config file and options.
  private func resolve(
    _ text: String? = nil, _ options: [String: [String]] = [:],
    preset: (String) -> JSONObject? = { _ in nil }, embeddedJob: JSONObject = [:]
  ) throws -> ResolvedConfiguration {
    guard let text else {
      return try ResolvedConfiguration.resolve(
        options: options, preset: preset, embeddedJob: embeddedJob)
    }
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("grpo-config-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("run.json5")
    try Data(text.utf8).write(to: file)
    do {
      return try ResolvedConfiguration.resolve(
        options: options, files: [file.path], preset: preset, embeddedJob: embeddedJob)
    } catch {
      throw ConfigurationError(
        faults: error.faults.map { $0.replacing(folder.path + "/", with: "") })
    }
  }

  private func faults(_ text: String? = nil, _ options: [String: [String]] = [:]) -> [String] {
    do {
      _ = try resolve(text, options)
      return []
    } catch let error as ConfigurationError {
      return error.faults
    } catch {
      return ["\(error)"]
    }
  }

  @Test("Option wins over file, file over preset, preset over embedded job, that over default")
  func precedence() throws {
    let resolved = try resolve(
      "{like: 'dapo', epsilon: 0.3, seed: 7}", ["seed": ["9"]],
      preset: { $0 == "dapo" ? ["epsilon": 0.1, "epsilon_high": 0.28] : nil },
      embeddedJob: ["epsilon_high": 0.9, "learning_rate": 1e-3])
    #expect(resolved.values.seed == 9)
    #expect(resolved.values.objective.epsilon == 0.3)
    #expect(resolved.values.objective.epsilonHigh == 0.28)
    #expect(resolved.values.learningRate == 1e-3)
    #expect(resolved.values.objective.beta == 0)
    #expect(resolved.origin(of: "seed") == .option)
    #expect(resolved.origin(of: "epsilon_high") == .preset("dapo"))
    #expect(resolved.origin(of: "learning_rate") == .embeddedJob)
    #expect(resolved.origin(of: "beta") == .defaultValue)
    guard case .file(_, let line) = resolved.origin(of: "epsilon") else {
      Issue.record("epsilon comes from the file")
      return
    }
    #expect(line == 1)
  }

  @Test("The embedded job's values hold only where no model is named")
  func embeddedJob() throws {
    let job: JSONObject = ["learning_rate": 0.5]
    #expect(try resolve(nil, [:], embeddedJob: job).values.learningRate == 0.5)
    #expect(try resolve(nil, ["model": ["m"]], embeddedJob: job).values.learningRate == 1e-6)
  }

  @Test("Defaults are TRL's but where the documentation says otherwise")
  func defaults() {
    let values = RunConfiguration()
    #expect(values.numGenerations == 8 && values.maxCompletionLength == 512)
    #expect(
      values.objective.beta == 0 && values.objective.epsilon == 0.2
        && values.objective.lossType == .dapo)
    #expect(values.objective.scaleRewards == .group && values.learningRate == 1e-6)
    #expect(values.lrSchedulerType == .linear && values.weightDecay == 0)
    #expect(values.adamBeta1 == 0.9 && values.adamBeta2 == 0.999 && values.adamEpsilon == 1e-8)
    #expect(values.maxGradNorm == 1 && values.temperature == 1 && values.seed == 42)
    #expect(values.loggingSteps == 10 && values.numTrainEpochs == 3 && values.topK == 0)
    #expect(!values.objective.usesBiasCorrectionKL && values.updatesPerRollout == 1)
  }

  @Test("The printed configuration reads back to the same values")
  func roundTrip() throws {
    let first = try resolve(
      """
      {model: "m", reward: ["exact=0.5", {use: "regex", parameters: {pattern: "a|b"}}],
       columns: ["prompt=question"], parameter_groups: [{match: "*bias", weight_decay: 0}],
       memory_limit: "6GiB", epsilon_high: 0.28, stop: ["\\n\\n", "end"], learning_rate: 3e-5}
      """)
    let second = try resolve(first.json.prettyJSONText)
    #expect(second.values == first.values)
    #expect(second.json.jsonText == first.json.jsonText)
    #expect(first.values.memoryLimit == 6 << 30)
  }

  @Test("Every fault of file, options and rules is reported at once, with line and remedy")
  func everyFault() {
    let found = faults(
      """
      {
        num_generations: 0,
        lerning_rate: 1e-6,
        rollout: {n: 8},
        bf16: true,
        temperature: 0,
        overlong_prompts: "skp",
        seed: 1, seed: 2,
      }
      """)
    #expect(
      found == [
        "run.json5, line 8: 'seed' stands on line 8 already",
        "run.json5, line 3: 'lerning_rate' is not a setting; did you mean 'learning_rate'?",
        "run.json5, line 4: 'rollout.n' is verl's name for 'num_generations'",
        "run.json5, line 5: 'bf16' is TRL's name for 'precision' (a flag there: precision bf16)",
        "run.json5, line 2: num_generations must be from 1 to 65536, not 0",
        "run.json5, line 6: temperature must be above 0 and at most 1000, not 0",
        "run.json5, line 7: overlong_prompts must be one of error, skip, truncate_left, not 'skp'; "
          + "did you mean 'skip'?",
      ])
    #expect(
      faults(
        "{num_generations: 0,\n temperature: 0,\n overlong_prompts: 'skp', prompts_per_step: 6}",
        ["updates_per_rollout": ["4"], "min_new_tokens": ["600"], "seed": ["x"]])
        == [
          "run.json5, line 1: num_generations must be from 1 to 65536, not 0",
          "run.json5, line 2: temperature must be above 0 and at most 1000, not 0",
          "run.json5, line 3: overlong_prompts must be one of error, skip, truncate_left, not 'skp'; "
            + "did you mean 'skip'?",
          "--seed must be a whole number, not 'x'",
          "prompts_per_step 6 can't be cut into updates_per_rollout 4 equal parts of whole groups; "
            + "make it a multiple",
          "min_new_tokens 600 is above max_completion_length 512",
        ])
  }

  @Test(
    "Settings that contradict each other are refused, naming both values",
    arguments: [
      (
        "{max_steps: 5, num_train_epochs: 2}",
        "max_steps 5 and num_train_epochs 2 both say how long the run is; give one"
      ),
      (
        "{rollouts: 'r.jsonl', dynamic_sampling: true}",
        "dynamic_sampling true samples anew, rollouts r.jsonl doesn't sample; leave one out"
      ),
      (
        "{lora_dropout: 0.05}",
        "lora_dropout 0.05 is refused: with dropout the policy that acts is not the policy that "
          + "learns; leave it 0"
      ),
      ("{lora_r: 8}", "lora_r 8 has no meaning with use_peft false; add use_peft true"),
      (
        "{model: 'm', eval_steps: 5}",
        "eval_steps 5 has nothing to evaluate; give eval_dataset or eval_fraction"
      ),
      ("{columns: ['prompt']}", "columns 'prompt' must be NEW=OLD, such as prompt=question"),
      (
        "{min_prompt_length: 9, max_prompt_length: 8}",
        "min_prompt_length 9 is above max_prompt_length 8"
      ),
      (
        "{reference_model: 'r'}",
        "reference_model r is not read with beta 0; raise beta"
      ),
    ])
  func contradictions(text: String, fault: String) {
    #expect(faults(text) == [fault])
  }

  @Test("What is odd but legal is warned of")
  func warnings() throws {
    let resolved = try resolve("{max_steps: 5, warmup_steps: 10}")
    #expect(
      resolved.warnings == [
        "warmup_steps 10 is more than the run's 5 updates: learning_rate 1e-6 is never reached"
      ])
  }

  @Test("Config files that are none end in a sentence")
  func badFiles() {
    #expect(faults("[1]") == ["run.json5: a config is an object, {key: value, …}, not a list"])
    #expect(
      faults("{a: ") == [
        "run.json5, line 1, column 5: the text ends where a value was expected"
      ])
    let error = #expect(throws: ConfigurationError.self) {
      try ResolvedConfiguration.resolve(options: [:], files: ["/nowhere.json5", "/"])
    }
    #expect(
      error?.faults == [
        "/nowhere.json5: there is no such config file",
        "/: is a folder; name the config file in it",
      ])
  }

  @Test("YAML is recognised by its name")
  func yaml() {
    let error = #expect(throws: ConfigurationError.self) {
      try ConfigurationFile(path: "run.yaml", text: "model: x\n")
    }
    #expect(error?.faults.first?.hasSuffix("not YAML: {key: value, …}") == true)
  }

  @Test("Options become the same values as keys of a file")
  func optionWords() throws {
    let resolved = try resolve(
      nil,
      [
        "reward": ["exact=2", "{use: 'regex', weight: 0.5}"], "columns": ["prompt=q,answer=a.b"],
        "stop": ["a,b"], "max_steps": ["1e3"], "memory_limit": ["1.5 GB"],
        "parameter_groups": ["{match: 'x', learning_rate: 0}"], "tensorboard": ["no"],
      ])
    #expect(resolved.values.reward == ["exact=2", ["use": "regex", "weight": 0.5]])
    #expect(resolved.values.columns == ["prompt=q", "answer=a.b"])
    #expect(resolved.values.stop == ["a,b"])
    #expect(resolved.values.maxSteps == 1000)
    #expect(resolved.values.memoryLimit == 1_500_000_000)
    #expect(resolved.values.parameterGroups == [ParameterGroup(match: "x", learningRate: 0)])
    #expect(!resolved.values.tensorboard)
  }

  @Test("The word none takes back what a file or a preset gives, where a setting may be absent")
  func none() throws {
    let file = "{delta: 3, max_steps: 5, stop: ['x'], memory_limit: '1 GiB', curriculum: 'c'}"
    let names = ["delta", "max_steps", "stop", "memory_limit", "curriculum"]
    let resolved = try resolve(file, Dictionary(uniqueKeysWithValues: names.map { ($0, ["none"]) }))
    for name in names {
      let setting = try #require(SettingDeclaration.named(name))
      #expect(setting.acceptsNone)
      #expect(setting.value(in: resolved.values) == setting.value(in: RunConfiguration()))
      #expect(resolved.origin(of: name) == .option)
    }
    // A choice that is called so keeps its meaning, and what must have a value refuses the word.
    #expect(try resolve(nil, ["sandbox": ["none"]]).values.sandbox?.rawValue == "none")
    #expect(throws: ConfigurationError.self) { try resolve(nil, ["epsilon": ["none"]]) }
    #expect(try resolve(nil, ["stop": ["none", "x"]]).values.stop == ["none", "x"])
  }

  @Test(
    "Parameter groups match names by pattern",
    arguments: [
      ("*", "any.name", true), ("*.bias", "a.b.bias", true), ("*.bias", "bias", false),
      ("model.layers.?.*norm*", "model.layers.3.input_layernorm.weight", true),
      ("model.layers.?.*", "model.layers.13.x", false), ("a*b*c", "aXbXbc", true),
      ("a*b*c", "aXbX", false), ("exact", "exact", true), ("exact", "exactly", false),
    ])
  func patterns(pattern: String, name: String, matches: Bool) {
    #expect(ParameterGroup(match: pattern).contains(name) == matches)
  }

  @Test("Parameter groups with unknown or missing members are refused")
  func badGroups() {
    #expect(
      faults("{parameter_groups: [{match: 'a', learning_rat: 1}]}") == [
        "run.json5, line 1: parameter_groups has an unknown member 'learning_rat'; "
          + "did you mean 'learning_rate'?"
      ])
    #expect(
      faults("{parameter_groups: [{match: 'a'}]}") == [
        "run.json5, line 1: parameter_groups says neither learning_rate nor weight_decay for 'a'"
      ])
  }

  @Test("what a run's record doesn't have means what it meant to its program")
  func olderRecords() throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("grpo-config-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("config.json")
    func values(_ text: String, isOfRun: Bool = true) throws -> RunConfiguration {
      try Data(text.utf8).write(to: file)
      return try ResolvedConfiguration.resolve(
        options: [:], files: [file.path], isOfRun: isOfRun
      ).values
    }
    let older = try values(#"{"weight_decay": 0.1}"#)
    #expect(older.weightDecayExempt == .none && !older.continueFinalMessage)
    let newer = try values(
      #"{"weight_decay_exempt": "norms_and_biases", "continue_final_message": true}"#)
    #expect(newer.weightDecayExempt == .normsAndBiases && newer.continueFinalMessage)
    // A config file by itself, and a run without a record, mean what they mean now.
    let plain = try values(#"{"weight_decay": 0.1}"#, isOfRun: false)
    #expect(plain.weightDecayExempt == .normsAndBiases && plain.continueFinalMessage)
    let retrained = try ResolvedConfiguration.resolve(
      options: ["weight_decay_exempt": ["norms_and_biases"]],
      recordedRun: ["weight_decay": .number(0.1)]
    ).values
    #expect(retrained.weightDecayExempt == .normsAndBiases && !retrained.continueFinalMessage)
  }
}
