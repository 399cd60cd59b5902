import Foundation
import Rollouts
import Tokenizers
import TrajectoryStore
import Transformer

/// A file of rollouts: what was asked, what was answered, and how good it was.
///
/// `grpo score` reads prompts and completions of it, `grpo train --rollouts` learns from it.
public struct RolloutFile: Sendable {
  /// The file as messages call it.
  public var name: String
  /// The lines in order.
  public var lines: [RolloutLine]
  /// The SHA-256 of the file's bytes, in hexadecimal.
  public var contentHash: String

  /// Reads a file of JSON lines; `-` is standard input.
  ///
  /// Time and memory are linear in the file's length.
  /// - Throws: `DatasetError` naming the line.
  public init(reading path: String) throws(DatasetError) {
    let isInput = path == "-"
    name = isInput ? "standard input" : path
    let file: DatasetFile
    do throws(DatasetError) {
      file = try DatasetFile(reading: isInput ? "/dev/stdin" : path)
    } catch {
      throw DatasetError(path: name, at: error.place, reason: error.reason)
    }
    contentHash = file.contentHash
    lines = []
    lines.reserveCapacity(file.rows.count)
    for row in file.rows {
      do throws(RolloutLineError) {
        lines.append(try RolloutLine(row.columns, at: row.place))
      } catch {
        throw DatasetError(path: name, at: row.place, reason: error.reason)
      }
    }
  }

  /// Names of members that mean nothing, each once, in order of appearance.
  public var unknownKeys: [String] {
    var seen: Set<String> = []
    return lines.flatMap(\.others.keys).filter { seen.insert($0).inserted }
  }
}

/// Turns the prompts and completions of rollouts into tokens of a policy.
public struct RolloutEncoder {
  private let policy: Policy
  private let encoder: PromptEncoder?

  /// Makes an encoder; without a tokenizer only lines of ids can be encoded.
  public init(_ policy: Policy, encoder: PromptEncoder? = nil) {
    self.policy = policy
    self.encoder =
      encoder
      ?? policy.tokenizer.map {
        PromptEncoder(
          tokenizer: $0, contextLength: policy.model.configuration.maximumPositions)
      }
  }

  /// The tokens of a line's prompt and completion.
  ///
  /// A completion's text is encoded as what follows the prompt, without an end token.
  /// - Throws: `DatasetError` naming the line, where an id is outside the vocabulary, text has no
  ///   tokenizer, or the two don't fit into the context.
  public func tokens(
    of line: RolloutLine, in file: RolloutFile
  ) throws(DatasetError) -> (prompt: [TokenID], completion: [TokenID]) {
    func fault(_ reason: String) -> DatasetError {
      DatasetError(path: file.name, at: line.place, reason: reason)
    }
    let prompt = try prompt(of: line, fault)
    let completion = try completion(of: line, after: prompt, fault)
    try check(prompt, "prompt_ids", fault)
    try check(completion, "completion_ids", fault)
    let context = policy.model.configuration.maximumPositions
    guard prompt.count + completion.count <= context else {
      throw fault(
        "has \(prompt.count) tokens of prompt and \(completion.count) of completion; the model's "
          + "context is \(context)")
    }
    return (prompt, completion)
  }

  /// The tokens of a prompt and a completion that are given as text.
  /// - Throws: `DatasetError` where there is no tokenizer, or the two don't fit into the context.
  public func tokens(
    prompt: String, completion: String
  ) throws(DatasetError) -> (prompt: [TokenID], completion: [TokenID]) {
    func fault(_ reason: String) -> DatasetError {
      DatasetError(path: "the prompt '\(prompt)'", reason: reason)
    }
    guard let encoder else { throw fault(missingTokenizer("prompt")) }
    let asked: [TokenID]
    do throws(PromptError) {
      asked = try encoder.encode(Problem(index: 0, prompt: .text(prompt)), dataset: "") ?? []
    } catch { throw fault(error.reason) }
    let answered = encoder.continuation(of: .text(prompt), asked, by: completion)
    guard !asked.isEmpty,
      asked.count + answered.count <= policy.model.configuration.maximumPositions
    else { throw fault("is empty, or does not fit into the model's context") }
    return (asked, answered)
  }

  private func prompt(
    of line: RolloutLine, _ fault: (String) -> DatasetError
  ) throws(DatasetError) -> [TokenID] {
    if let tokens = line.promptTokens { return tokens }
    guard let prompt = line.prompt else { throw fault("has no prompt") }
    guard let encoder else { throw fault(missingTokenizer("prompt")) }
    do throws(PromptError) {
      let problem = Problem(index: 0, prompt: prompt, columns: line.columns)
      return try encoder.encode(problem, dataset: "") ?? []
    } catch {
      throw fault(error.reason)
    }
  }

  private func completion(
    of line: RolloutLine, after prompt: [TokenID], _ fault: (String) -> DatasetError
  ) throws(DatasetError) -> [TokenID] {
    if let tokens = line.completionTokens { return tokens }
    guard let text = line.completion else { throw fault("has no completion") }
    guard let encoder else { throw fault(missingTokenizer("completion")) }
    guard let asked = line.prompt, line.promptTokens == nil else {
      return encoder.tokenizer.encode(text, addSpecialTokens: false)
    }
    return encoder.continuation(of: asked, prompt, by: text)
  }

  private func missingTokenizer(_ what: String) -> String {
    "gives '\(what)' as text and \(policy.folder.path) has no tokenizer.json; give '\(what)_ids', "
      + "or add the tokenizer"
  }

  private func check(
    _ tokens: [TokenID], _ key: String, _ fault: (String) -> DatasetError
  ) throws(DatasetError) {
    let vocabulary = policy.model.configuration.vocabularySize
    if let id = tokens.first(where: { $0 < 0 || Int($0) >= vocabulary }) {
      throw fault(
        "'\(key)' has the id \(id); the model's vocabulary has ids from 0 to \(vocabulary - 1)")
    }
  }
}
