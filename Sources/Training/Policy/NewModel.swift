import Foundation
import Rollouts
import Tensors
import Tokenizers
import Transformer

/// A randomly initialised model: a shape, words, and weights drawn by a seed.
public struct NewModel {
  /// Where text becomes tokens.
  public enum Words: Sendable {
    /// No tokenizer: the model takes ids.
    case none
    /// A token per character.
    case characters([Character])
    /// The tokenizer of another model's folder.
    case folder(URL)

    /// Whether there is no tokenizer.
    public var isNone: Bool {
      if case .none = self { return true }
      return false
    }
  }

  /// The content of its config.json; `vocab_size` may be missing where there is a tokenizer.
  public var configuration: JSONObject
  /// Its generation_config.json.
  public var generation: JSONObject?
  /// Its tokenizer.
  public var words: Words
  /// What the weights are drawn by.
  public var seed: UInt64
  /// How they are stored.
  public var elementType: ElementType

  /// Makes a description; nothing is checked yet.
  public init(
    configuration: JSONObject, generation: JSONObject? = nil, words: Words, seed: UInt64,
    elementType: ElementType = .float32
  ) {
    self.configuration = configuration
    self.generation = generation
    self.words = words
    self.seed = seed
    self.elementType = elementType
  }

  /// The members of config.json that name sizes, with the default of a small Llama.
  public static let smallLlama: JSONObject = [
    "architectures": [.string("LlamaForCausalLM")],
    "attention_bias": false, "hidden_act": "silu", "hidden_size": 128, "initializer_range": 0.02,
    "intermediate_size": 344, "max_position_embeddings": 2048, "mlp_bias": false,
    "model_type": .string("llama"), "num_attention_heads": 4,
    "num_hidden_layers": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-5, "rope_scaling": .null,
    "rope_theta": 10000.0, "tie_word_embeddings": true, "use_cache": true,
  ]

  /// The printable characters of ASCII and the line feed.
  public static let printableCharacters =
    [Character("\n")] + (32..<127).map { Character(Unicode.Scalar(UInt8($0))) }

  /// Writes the model's folder, whole or not at all.
  /// - Returns: The configuration as it was written.
  /// - Throws: `ModelError` or `TokenizerError` where the parts don't fit, `FileError` where the
  ///   folder is there already or can't be written.
  public func write(to folder: URL) throws -> ModelConfiguration {
    var written: ModelConfiguration?
    try FileManager.default.createDirectory(
      at: folder.deletingLastPathComponent(), withIntermediateDirectories: true)
    try FolderPublisher.publish(to: folder) { aside in
      let configuration = try complete(with: try writeWords(to: aside))
      let needed = configuration.parameterCount * MemoryLayout<Float>.size
      if let available = MachineMemory.available, needed > available {
        throw ModelError(
          .invalid, path: folder.path,
          "its \(configuration.parameterCount) weights take \(needed >> 20) MiB and "
            + "\(available >> 20) MiB are free",
          remedy: "make it smaller")
      }
      try ModelWriter.write(configuration, elementType: elementType, to: aside)
      let parameters = Parameters(initializing: configuration, seed: seed)
      try parameters.write(
        to: aside.appendingPathComponent("model.safetensors"), elementType: elementType)
      written = configuration
    }
    guard let written else { preconditionFailure("a folder that was published was filled") }
    return written
  }

  private func writeWords(to folder: URL) throws -> Tokenizer? {
    switch words {
    case .none: return nil
    case .characters(let alphabet): try CharacterTokenizer.write(alphabet: alphabet, to: folder)
    case .folder(let source):
      _ = try Tokenizer(folder: source)
      try ModelWriter.copyTokenizer(from: source, to: folder)
    }
    return try Tokenizer(folder: folder)
  }

  /// The configuration with the tokenizer's size and special tokens.
  private func complete(with tokenizer: Tokenizer?) throws -> ModelConfiguration {
    var json = configuration
    var generation = generation
    if let tokenizer {
      if json["vocab_size"] == nil {
        json["vocab_size"] = .integer(Int64(tokenizer.vocabularySize))
      }
      for (key, id) in [
        ("bos_token_id", tokenizer.beginTokenID), ("eos_token_id", tokenizer.endTokenID),
        ("pad_token_id", tokenizer.padTokenID),
      ] where json[key] == nil || json[key] == .null {
        json[key] = id.map { .integer(Int64($0)) } ?? .null
        if generation != nil { generation?[key] = json[key] }
      }
    }
    let result = try ModelConfiguration(json: json, generation: generation, path: "the new model")
    if let tokenizer, tokenizer.vocabularySize > result.vocabularySize {
      throw ModelError(
        .invalid, path: "the new model",
        "vocab_size is \(result.vocabularySize) and the tokenizer has "
          + "\(tokenizer.vocabularySize) tokens",
        remedy: "raise it, or leave it out")
    }
    return result
  }
}
