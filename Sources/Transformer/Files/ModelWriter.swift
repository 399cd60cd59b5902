import Foundation
import Rollouts
import Tensors

/// Writes the files of a model's folder beside the weights.
public enum ModelWriter {
  /// The files that make a tokenizer, in the layouts that transformers knows.
  public static let tokenizerFiles = [
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "chat_template.jinja", "chat_template.json", "vocab.json", "merges.txt", "tokenizer.model",
  ]

  /// Writes config.json and, where the model had one, generation_config.json.
  ///
  /// Keys that mean nothing here are kept. The type of the weights is written in the spelling that
  /// the model came with, `dtype` or `torch_dtype`.
  public static func write(
    _ configuration: ModelConfiguration, elementType: ElementType, to folder: URL
  ) throws(FileError) {
    try AtomicFile.write(
      JSONValue.object(configuration.json(elementType: elementType)).prettyJSONText + "\n",
      to: folder.appendingPathComponent("config.json"))
    if let generation = configuration.generation {
      try AtomicFile.write(
        JSONValue.object(generation).prettyJSONText + "\n",
        to: folder.appendingPathComponent("generation_config.json"))
    }
  }

  /// Copies the tokenizer's files that a folder has; a link is followed.
  public static func copyTokenizer(from source: URL, to target: URL) throws(FileError) {
    for name in tokenizerFiles {
      let file = source.appendingPathComponent(name)
      guard WholeFile.exists(file) else { continue }
      try AtomicFile.copy(file, to: target.appendingPathComponent(name))
    }
  }
}
