/// A family of models: how its config.json names the parts that its models are made of.
///
/// A family is a file of its own in this folder, an enumeration of the file's name, and touches no other.
protocol ModelFamily: Sendable {
  /// Hugging Face's `model_type`.
  static var modelType: String { get }
  /// The class name that transformers writes under `architectures`.
  static var className: String { get }
  /// The class name without what it is for, `Llama`, where it does not end in `ForCausalLM` either.
  static var classPrefix: String { get }

  /// Reads what the family's config.json says, and chooses the parts.
  ///
  /// Faults are noted in the reader; a faulty value reads as a legal one, so that all of them are found.
  /// - Throws: `ModelError` of kind `.unsupported` for what is sound but can't be done here.
  static func design(_ config: inout ConfigurationReader) throws(ModelError) -> ModelDesign
}

extension ModelFamily {
  /// The class name without `ForCausalLM`.
  static var classPrefix: String { String(className.dropLast("ForCausalLM".count)) }
}

/// The families that can be trained; the plugin FamilyList writes the list of them.
enum ModelFamilies {
  /// The supported families, for messages.
  static var supported: String { all.map { $0.modelType }.joined(separator: ", ") }

  /// Why a family that people are likely to bring is not supported, as a clause.
  static func reasonForRefusal(modelType: String) -> String {
    let isMixture =
      modelType.hasSuffix("_moe") || ["dbrx", "jetmoe"].contains(modelType)
    let detail =
      switch modelType {
      case "deepseek_v32": " (sparse attention)"
      case _ where isMixture: " (a mixture of experts)"
      case "qwen3_next", "mamba", "mamba2", "jamba", "falcon_mamba", "rwkv":
        " (a recurrent or hybrid model)"
      case "gemma3": " (it takes images; its text part alone is 'gemma3_text')"
      case "t5", "bart", "mbart": " (an encoder-decoder)"
      case "bert", "roberta", "modernbert": " (an encoder)"
      case _ where modelType.hasSuffix("_vl") || modelType.contains("vision"):
        " (it takes images)"
      default: ""
      }
    return "\(quoted(modelType))\(detail) is not supported; supported are \(supported)"
  }
}
