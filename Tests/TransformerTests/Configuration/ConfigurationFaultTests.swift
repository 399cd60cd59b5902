import Rollouts
import Testing

@testable import Transformer

@Suite("Faults of config.json")
struct ConfigurationFaultTests {
  /// A change, the key that the message must name, and a phrase of it.
  static let faults: [(String, [String: JSONValue?], String, String)] = [
    ("llama", ["hidden_size": .none], "hidden_size", "is missing"),
    ("llama", ["hidden_size": 0], "hidden_size", "from 1"),
    ("llama", ["hidden_size": -64], "hidden_size", "-64"),
    ("llama", ["hidden_size": 64.5], "hidden_size", "64.5"),
    ("llama", ["hidden_size": "64"], "hidden_size", "'64'"),
    ("llama", ["hidden_size": 1e300], "hidden_size", "1e+300"),
    ("llama", ["num_hidden_layers": 1_000_000_000], "num_hidden_layers", "to 4096"),
    ("llama", ["vocab_size": .integer(.max)], "vocab_size", "whole number"),
    ("llama", ["num_key_value_heads": 3], "num_key_value_heads", "does not divide"),
    ("llama", ["head_dim": .none, "num_attention_heads": 12], "num_attention_heads", "divide"),
    ("llama", ["head_dim": 7], "head_dim", "odd"),
    ("llama", ["head_dim": .none, "hidden_size": 24], "num_attention_heads", "even"),
    ("llama", ["rms_norm_eps": 0], "rms_norm_eps", "above 0"),
    ("llama", ["rms_norm_eps": -1e-6], "rms_norm_eps", "above 0"),
    ("llama", ["hidden_act": "gelu"], "hidden_act", "'gelu'"),
    ("llama", ["tie_word_embeddings": "yes"], "tie_word_embeddings", "true or false"),
    ("llama", ["eos_token_id": 100], "eos_token_id", "below vocab_size (100)"),
    ("llama", ["eos_token_id": [1, "x"]], "eos_token_id", "'x'"),
    ("llama", ["rope_theta": 0], "rope_theta", "above 0"),
    ("llama", ["rope_scaling": ["type": "linear"]], "rope_scaling.factor", "is missing"),
    ("llama", ["rope_scaling": 3], "rope_scaling", "an object"),
    (
      "llama",
      [
        "rope_scaling": [
          "rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 1,
        ]
      ], "rope_scaling.high_freq_factor", "more than low_freq_factor"
    ),
    (
      "qwen2", ["use_sliding_window": true, "layer_types": ["full_attention"]], "layer_types",
      "a list of 4"
    ),
    (
      "qwen3",
      ["layer_types": .array(Array(repeating: "sliding_attention", count: 4))], "layer_types",
      "no sliding_window"
    ),
    ("mistral", ["sliding_window": 0], "sliding_window", "from 1"),
  ]

  @Test("Each names its key and what was expected", arguments: faults.indices)
  func named(_ index: Int) throws {
    let (type, changes, key, phrase) = Self.faults[index]
    let error = try #require(throws: ModelError.self) {
      try ModelConfiguration(json: configurationJSON(type, changes))
    }
    #expect(error.kind == .invalid)
    #expect(error.faults.contains { $0.subject == key }, "\(error)")
    #expect(error.description.contains(phrase), "\(error)")
  }

  @Test("All faults are reported at once, and none that only follows from another")
  func allAtOnce() throws {
    let error = try #require(throws: ModelError.self) {
      try ModelConfiguration(
        json: configurationJSON(
          "llama",
          [
            "hidden_size": 0, "num_attention_heads": .none, "head_dim": .none,
            "vocab_size": .none, "eos_token_id": 3, "hidden_act": "relu",
          ]))
    }
    #expect(
      error.faults.map(\.subject)
        == ["hidden_size", "vocab_size", "num_attention_heads", "hidden_act"])
    #expect(error.description.hasPrefix("config.json: 4 faults"))
  }

  @Test(
    "What is sound but not supported is refused by name",
    arguments: [
      (["model_type": "gemma3"], "it takes images"),
      (["model_type": "dbrx"], "mixture of experts"),
      (["model_type": "my\u{1B}[31m"], "'my\\u{1B}[31m'"),
      (["architectures": ["LlamaForSequenceClassification"]], "LlamaForSequenceClassification"),
      (["quantization_config": ["quant_method": "gptq"]], "'gptq'"),
      (["rope_scaling": ["type": "dynamic", "factor": 4.0]], "'dynamic'"),
      (["rope_scaling": ["rope_type": "dynamic", "factor": 4.0]], "'dynamic'"),
      (["rope_parameters": ["rope_type": "longrope"]], "'longrope'"),
      (["rope_parameters": ["full_attention": ["rope_type": "default"]]], "full_attention"),
      (["partial_rotary_factor": 0.5], "partial_rotary_factor"),
      (["rope_parameters": ["partial_rotary_factor": 0.25]], "partial_rotary_factor"),
    ] as [([String: JSONValue?], String)])
  func unsupported(_ changes: [String: JSONValue?], _ phrase: String) throws {
    let error = try #require(throws: ModelError.self) {
      try ModelConfiguration(json: configurationJSON("llama", changes))
    }
    #expect(error.kind == .unsupported)
    #expect(error.description.contains(phrase), "\(error)")
  }

  @Test("A broken generation_config.json is named too")
  func generation() throws {
    let error = try #require(throws: ModelError.self) {
      try ModelConfiguration(json: configurationJSON(), generation: ["eos_token_id": 1000])
    }
    #expect(error.description.contains("eos_token_id in generation_config.json"))
  }
}
