import Rollouts
import Tensors
import Testing

@testable import Transformer

/// A small sound config.json with some keys changed; nil removes a key.
func configurationJSON(
  _ modelType: String = "llama", _ changes: [String: JSONValue?] = [:]
) -> JSONObject {
  var json: JSONObject = [
    "model_type": .string(modelType), "hidden_size": 64, "intermediate_size": 96,
    "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 4,
    "vocab_size": 100, "max_position_embeddings": 512, "head_dim": 8,
  ]
  for (key, value) in changes { json[key] = value }
  return json
}

@Suite("Spellings and defaults of config.json")
struct ConfigurationSpellingTests {
  private func read(
    _ modelType: String = "llama", _ changes: [String: JSONValue?] = [:],
    generation: JSONObject? = nil
  ) throws -> ModelConfiguration {
    try ModelConfiguration(json: configurationJSON(modelType, changes), generation: generation)
  }

  @Test("YaRN's settings, left out and given, are transformers'")
  func yarn() throws {
    func yarn(_ changes: JSONObject) throws -> RotaryEmbedding.Yarn? {
      var object: JSONObject = ["type": "yarn"]
      for (key, value) in changes { object[key] = value }
      let read = try read("qwen2", ["rope_scaling": .object(object)])
      guard case .yarn(let yarn)? = read.rope?.scaling else { return nil }
      #expect(read.rope?.amplitude == yarn.attentionFactor)
      return yarn
    }
    // 0.1 ln 4 + 1.
    let plain = try #require(try yarn(["factor": 4, "original_max_position_embeddings": 128]))
    #expect(abs(plain.attentionFactor - 1.138629436111989) < 1e-15)
    #expect(plain.fastTurns == 32 && plain.slowTurns == 1 && plain.usesWholePairs)
    #expect(plain.originalMaximumPositions == 128)
    // Without a factor, that of the longest sequence to the original one; without that, the longest itself.
    #expect(try yarn(["original_max_position_embeddings": 128])?.factor == 4)
    #expect(try yarn(["factor": 4])?.originalMaximumPositions == 512)
    // DeepSeek's two weights divide one another; the factor of scores is theirs alone.
    let weighted = try yarn(["factor": 40, "mscale": 0.707, "mscale_all_dim": 0.707])
    #expect(weighted?.attentionFactor == 1)
    let given = try yarn([
      "factor": 4, "attention_factor": 1.5, "beta_fast": 16, "beta_slow": 2, "truncate": false,
    ])
    #expect(given?.attentionFactor == 1.5 && given?.fastTurns == 16 && given?.slowTurns == 2)
    #expect(given?.usesWholePairs == false)
    #expect(try yarn(["factor": 0.5])?.attentionFactor == 1)
  }

  @Test("Older and newer spellings of the position embedding mean the same")
  func ropeSpellings() throws {
    let scaling: JSONObject = [
      "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
      "original_max_position_embeddings": 32,
    ]
    var older = scaling
    older["type"] = "llama3"
    var newer = scaling
    newer["rope_type"] = "llama3"
    newer["rope_theta"] = 500_000.0
    let expected = RotaryEmbedding(
      theta: 500_000,
      scaling: .llama3(
        factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalMaximumPositions: 32))
    #expect(
      try read("llama", ["rope_theta": 500_000, "rope_scaling": .object(older)]).rope == expected)
    #expect(try read("llama", ["rope_parameters": .object(newer)]).rope == expected)
    // θ inside wins over θ beside it; an empty or null rope_scaling is none.
    #expect(
      try read(
        "llama",
        ["rope_theta": 7, "rope_parameters": .object(newer), "rope_scaling": .object([:])]
      ).rope == expected)
    newer["original_max_position_embeddings"] = nil
    #expect(
      try read("llama", ["rope_parameters": .object(newer)]).rope?.scaling
        == .llama3(
          factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalMaximumPositions: 512))
  }

  @Test("Linear scaling, default and absent position embeddings")
  func plainRope() throws {
    #expect(
      try read("llama", ["rope_scaling": ["type": "linear", "factor": 2]]).rope
        == RotaryEmbedding(theta: 10_000, scaling: .linear(factor: 2)))
    #expect(
      try read("mistral", ["rope_parameters": ["rope_type": "default", "rope_theta": 1e6]]).rope
        == RotaryEmbedding(theta: 1e6))
    #expect(try read("qwen2").rope == RotaryEmbedding(theta: 10_000))
    #expect(try read("qwen2", ["rope_scaling": .null]).rope == RotaryEmbedding(theta: 10_000))
  }

  @Test("End tokens are a number, a list or null, from both files, each once")
  func endTokens() throws {
    #expect(try read("llama", ["eos_token_id": 3]).endTokenIDs == [3])
    #expect(try read("llama", ["eos_token_id": [3, 4]]).endTokenIDs == [3, 4])
    #expect(try read("llama", ["eos_token_id": .null]).endTokenIDs == [])
    #expect(try read().endTokenIDs == [])
    #expect(
      try read("llama", ["eos_token_id": 3], generation: ["eos_token_id": [5, 3]]).endTokenIDs
        == [5, 3])
    #expect(try read("llama", ["pad_token_id": -1]).padTokenID == nil)
    #expect(try read("llama", ["pad_token_id": 100]).padTokenID == nil)
  }

  @Test("Keys left out take the family's values")
  func familyDefaults() throws {
    let bare: [String: JSONValue?] = [
      "num_attention_heads": 32, "hidden_size": 512, "num_key_value_heads": .none,
      "head_dim": .none, "max_position_embeddings": .none,
    ]
    let llama = try read("llama", bare)
    #expect([llama.keyValueHeadCount, llama.headSize, llama.maximumPositions] == [32, 16, 2048])
    #expect(!llama.tiesEmbeddings && llama.normEpsilon == 1e-6)
    let mistral = try read("mistral", bare)
    #expect(
      [mistral.keyValueHeadCount, mistral.headSize, mistral.maximumPositions] == [8, 16, 131_072])
    #expect(mistral.slidingWindow(layer: 0) == 4096)
    let qwen2 = try read("qwen2", bare)
    #expect([qwen2.keyValueHeadCount, qwen2.headSize, qwen2.maximumPositions] == [32, 16, 32768])
    #expect(try read("qwen3", bare).headSize == 128)
    // null is not the same as left out: one key-value head for each query head.
    #expect(
      try read("mistral", ["num_key_value_heads": .some(.null)]).keyValueHeadCount == 8)
    #expect(try read("llama", ["head_dim": .some(.null)]).headSize == 8)
  }

  @Test("Biases follow the family and its keys")
  func biases() throws {
    let on: [String: JSONValue?] = ["attention_bias": true, "mlp_bias": true]
    let llama = try read("llama", on)
    #expect(llama.attentionBias && llama.attentionOutputBias && llama.mlpBias)
    let qwen2 = try read("qwen2", ["attention_bias": false])
    #expect(qwen2.attentionBias && !qwen2.attentionOutputBias && !qwen2.mlpBias)
    let qwen3 = try read("qwen3", on)
    #expect(qwen3.attentionBias && qwen3.attentionOutputBias && !qwen3.mlpBias)
    let mistral = try read("mistral", on)
    #expect(!mistral.attentionBias && !mistral.attentionOutputBias && !mistral.mlpBias)
  }

  @Test("Sliding windows follow the family and its keys")
  func slidingWindows() throws {
    func windows(_ type: String, _ changes: [String: JSONValue?]) throws -> [Int?] {
      let configuration = try read(type, changes)
      return (0..<4).map { configuration.slidingWindow(layer: $0) }
    }
    #expect(try windows("mistral", ["sliding_window": 16]) == [16, 16, 16, 16])
    #expect(try windows("mistral", ["sliding_window": .some(.null)]) == [nil, nil, nil, nil])
    // A window as long as the context hides nothing.
    #expect(try windows("mistral", ["sliding_window": 512]) == [nil, nil, nil, nil])
    #expect(try windows("llama", ["sliding_window": 16]) == [nil, nil, nil, nil])
    let used: [String: JSONValue?] = [
      "sliding_window": 16, "use_sliding_window": true, "max_window_layers": 2,
    ]
    for type in ["qwen2", "qwen3"] {
      #expect(try windows(type, used) == [nil, nil, 16, 16])
      #expect(try windows(type, ["sliding_window": 16]) == [nil, nil, nil, nil])
      var listed = used
      listed["layer_types"] = [
        "sliding_attention", "full_attention", "sliding_attention", "full_attention",
      ]
      #expect(try windows(type, listed) == [16, nil, 16, nil])
    }
  }

  @Test("A family without model_type is known by its class")
  func classNames() throws {
    let configuration = try read(
      "llama", ["model_type": .none, "architectures": ["Qwen3ForCausalLM"]])
    #expect(configuration.modelType == "qwen3")
  }
}

@Suite("Writing config.json")
struct ConfigurationWritingTests {
  @Test("Unknown keys and the order stay; the type is written in the model's own spelling")
  func keepsUnknownKeys() throws {
    for key in ["torch_dtype", "dtype"] {
      let json = configurationJSON("qwen2", ["my_key": ["a": 1], key: "bfloat16"])
      let written = try ModelConfiguration(json: json).json(elementType: .float32)
      var expected = json
      expected[key] = "float32"
      #expect(written == expected)
      #expect(written.keys == json.keys)
      #expect(try ModelConfiguration(json: written).original == written)
    }
  }

  @Test("A new model's configuration reads back as it was asked for")
  func newModel() throws {
    let configuration = try ModelConfiguration.llama(
      vocabularySize: 40, hiddenSize: 48, intermediateSize: 80, layerCount: 2, headCount: 6,
      keyValueHeadCount: 2, maximumPositions: 256, beginTokenID: 1, endTokenIDs: [2, 3])
    #expect(configuration.headSize == 8)
    #expect(configuration.endTokenIDs == [2, 3])
    #expect(configuration.tiesEmbeddings)
    let again = try ModelConfiguration(
      json: configuration.json(elementType: .float32), generation: configuration.generation)
    #expect(again == configuration)
  }

  @Test("A new model's impossible sizes are refused, not trapped on")
  func impossibleNewModel() throws {
    #expect(throws: ModelError.self) {
      try ModelConfiguration.llama(
        vocabularySize: 0, hiddenSize: .max, intermediateSize: -1, layerCount: 0, headCount: 0)
    }
  }
}
