/// The families of models that can be trained, by Hugging Face's `model_type`.
public enum Architecture: String, Sendable, CaseIterable {
  /// Llama 1 to 3, SmolLM, TinyLlama: no biases unless the configuration says so.
  case llama
  /// Qwen 2 and 2.5: biases on queries, keys and values.
  case qwen2
  /// Qwen 3: queries and keys are normalised per head; a head size of its own.
  case qwen3
  /// Mistral: Llama's layers with a sliding window.
  case mistral

  /// The class name that transformers writes under `architectures`.
  public var className: String {
    switch self {
    case .llama: "LlamaForCausalLM"
    case .qwen2: "Qwen2ForCausalLM"
    case .qwen3: "Qwen3ForCausalLM"
    case .mistral: "MistralForCausalLM"
    }
  }

  /// What transformers assumes where config.json leaves a key out.
  var defaults: Defaults {
    switch self {
    case .llama:
      Defaults(keyValueHeadCount: nil, headSize: nil, maximumPositions: 2048, slidingWindow: nil)
    case .qwen2:
      Defaults(keyValueHeadCount: 32, headSize: nil, maximumPositions: 32768, slidingWindow: 4096)
    case .qwen3:
      Defaults(keyValueHeadCount: 32, headSize: 128, maximumPositions: 32768, slidingWindow: 4096)
    case .mistral:
      Defaults(
        keyValueHeadCount: 8, headSize: nil, maximumPositions: 131_072, slidingWindow: 4096)
    }
  }

  /// Values for keys that are left out; nil follows from other keys.
  struct Defaults {
    var keyValueHeadCount: Int?
    var headSize: Int?
    var maximumPositions: Int
    var slidingWindow: Int?
  }

  /// The supported families, for messages.
  static var supported: String { allCases.map(\.rawValue).joined(separator: ", ") }

  /// Why a family that people are likely to bring is not supported, as a clause.
  static func reasonForRefusal(modelType: String) -> String {
    let isMixture =
      modelType.hasSuffix("_moe") || ["mixtral", "dbrx", "gpt_oss", "olmoe"].contains(modelType)
    let detail =
      switch modelType {
      case "deepseek_v2", "deepseek_v3", "deepseek_v32":
        " (multi-head latent attention and a mixture of experts)"
      case _ where isMixture: " (a mixture of experts)"
      case "qwen3_next", "mamba", "mamba2", "jamba", "falcon_mamba", "rwkv":
        " (a recurrent or hybrid model)"
      case "gemma", "gemma2", "gemma3", "gemma3_text": " (its norms and scaling differ)"
      case "t5", "bart", "mbart": " (an encoder-decoder)"
      case "bert", "roberta", "modernbert": " (an encoder)"
      case _ where modelType.hasSuffix("_vl") || modelType.contains("vision"):
        " (it takes images)"
      default: ""
      }
    return "\(quoted(modelType))\(detail) is not supported; supported are \(supported)"
  }
}
