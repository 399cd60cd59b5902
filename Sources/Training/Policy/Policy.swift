import Foundation
import Rollouts
import Tensors
import Tokenizers
import Transformer

/// A model to sample from and to train, with the words between it and people.
public final class Policy {
  /// What of a model folder is trained.
  public enum TrainedPart: Sendable {
    /// All weights; of an adapter's folder, the adapter.
    case everything
    /// A new adapter, drawn by a seed, on the frozen weights; of an adapter's folder, the one that is there.
    case adapter(AdapterConfiguration, seed: UInt64)
  }

  /// Where it was read from.
  public let source: ModelSource
  /// The weights and their arithmetic.
  public let model: LanguageModel
  /// Text to tokens and back; nil for a folder without a tokenizer, which only token ids can be given to.
  public let tokenizer: Tokenizer?
  /// Tokens that end a completion: those of generation_config, config and tokenizer together.
  public let endTokens: [TokenID]

  /// The folder it was read from.
  public var folder: URL { source.folder }

  /// Reads a folder of a model, or of an adapter, whose base is found by the name that it gives.
  /// - Throws: `ModelError`, `TokenizerError` or `VocabularyMismatch`.
  public init(folder: URL, compute: Compute, training part: TrainedPart = .everything) throws {
    source = try ModelSource(folder)
    let configuration = source.configuration
    tokenizer = try Self.readTokenizer(source.tokenizerFolder, configuration)
    model = LanguageModel(try Self.parameters(of: source, training: part), compute: compute)
    var ends = configuration.endTokenIDs
    if let end = tokenizer?.endTokenID { ends.append(end) }
    endTokens = Array(Set(ends)).sorted()
  }

  private static func parameters(
    of source: ModelSource, training part: TrainedPart
  ) throws(ModelError) -> Parameters {
    switch part {
    case _ where source.adapter != nil: return try source.frozenParameters()
    case .everything:
      return try Parameters(folder: source.base, configuration: source.configuration)
    case .adapter(let adapter, let seed):
      let parameters = try Parameters(
        frozen: source.base, configuration: source.configuration, adapter: adapter)
      parameters.initializeAdapters(seed: seed)
      return parameters
    }
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
