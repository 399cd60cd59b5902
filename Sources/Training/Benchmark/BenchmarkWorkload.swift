import Rollouts
import Transformer

/// A shape and an amount of work whose speed is measured.
public struct BenchmarkWorkload: Sendable {
  /// What it is called.
  public var name: String
  /// The content of the model's config.json.
  public var configuration: JSONObject
  /// Prompts per step.
  public var prompts: Int
  /// Completions per prompt.
  public var group: Int
  /// Tokens of a prompt.
  public var promptLength: Int
  /// Tokens of a completion, all of the same length.
  public var completionLength: Int

  /// Makes a workload.
  public init(
    name: String, configuration: JSONObject, prompts: Int, group: Int, promptLength: Int,
    completionLength: Int
  ) {
    self.name = name
    self.configuration = configuration
    self.prompts = prompts
    self.group = group
    self.promptLength = promptLength
    self.completionLength = completionLength
  }

  /// The workloads that are compared with TRL's times, by name.
  public static let presets = [
    BenchmarkWorkload(
      name: "small", configuration: small, prompts: 8, group: 8, promptLength: 32,
      completionLength: 64),
    BenchmarkWorkload(
      name: "small-long", configuration: small, prompts: 8, group: 8, promptLength: 256,
      completionLength: 64),
    BenchmarkWorkload(
      name: "smollm2", configuration: smolLM2, prompts: 2, group: 4, promptLength: 32,
      completionLength: 32),
  ]

  /// A Llama of about a million weights.
  private static var small: JSONObject {
    var json = NewModel.smallLlama
    json["vocab_size"] = 1024
    return json
  }

  /// The shape of SmolLM2-135M.
  private static var smolLM2: JSONObject {
    var json = NewModel.smallLlama
    for (key, value) in [
      ("vocab_size", 49152), ("hidden_size", 576), ("intermediate_size", 1536),
      ("num_hidden_layers", 30), ("num_attention_heads", 9), ("num_key_value_heads", 3),
      ("max_position_embeddings", 8192),
    ] { json[key] = .integer(Int64(value)) }
    json["rope_theta"] = 100_000.0
    return json
  }
}
