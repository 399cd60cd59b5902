import Foundation
import Rollouts
import Tensors
import Tokenizers
import Transformer

/// A model to sample from and to train, with the words between it and people.
public final class Policy {
  /// The folder it was read from.
  public let folder: URL
  /// The weights and their arithmetic.
  public let model: LanguageModel
  /// Text to tokens and back; nil for a folder without a tokenizer, which only token ids can be given to.
  public let tokenizer: Tokenizer?
  /// Tokens that end a completion: those of generation_config, config and tokenizer together.
  public let endTokens: [TokenID]

  /// Reads a model folder.
  /// - Throws: `ModelError`, `TokenizerError` or `VocabularyMismatch`.
  public init(folder: URL, compute: Compute) throws {
    self.folder = folder
    let configuration = try ModelConfiguration(folder: folder)
    tokenizer = try Self.readTokenizer(folder, configuration)
    let parameters = try Parameters(folder: folder, configuration: configuration)
    model = LanguageModel(parameters, compute: compute)
    var ends = configuration.endTokenIDs
    if let end = tokenizer?.endTokenID { ends.append(end) }
    endTokens = Array(Set(ends)).sorted()
  }

  private static func readTokenizer(
    _ folder: URL, _ configuration: ModelConfiguration
  ) throws -> Tokenizer? {
    let files = ["tokenizer.json", "vocab.json"]
    let hasTokenizer = files.contains {
      FileManager.default.fileExists(atPath: folder.appendingPathComponent($0).path)
    }
    guard hasTokenizer else { return nil }
    let tokenizer = try Tokenizer(folder: folder)
    guard tokenizer.vocabularySize <= configuration.vocabularySize else {
      throw VocabularyMismatch(
        folder: folder, tokenizer: tokenizer.vocabularySize, model: configuration.vocabularySize)
    }
    return tokenizer
  }

  /// The tokenizer, for work that needs text.
  /// - Throws: `MissingTokenizer`.
  public func requireTokenizer() throws -> Tokenizer {
    guard let tokenizer else { throw MissingTokenizer(folder: folder) }
    return tokenizer
  }
}

/// A tokenizer that can give ids which the model has no embedding for.
public struct VocabularyMismatch: Error, CustomStringConvertible {
  var folder: URL
  var tokenizer: Int
  var model: Int

  /// The sentence for the user.
  public var description: String {
    "\(folder.path): the tokenizer has ids up to \(tokenizer - 1) and the model a vocabulary of "
      + "\(model); use the tokenizer that the model was made with"
  }
}

/// Text for a model without a tokenizer.
public struct MissingTokenizer: Error, CustomStringConvertible {
  var folder: URL

  /// The sentence for the user.
  public var description: String {
    "\(folder.path) has no tokenizer.json; give prompt_ids and completion_ids, or add the tokenizer"
  }
}
