import Foundation
import Tokenizers

/// A chat template in a file of its own.
public enum ChatTemplateFile {
  /// Reads and parses it; it sees the tokenizer's special tokens (`bos_token` …).
  /// - Throws: `TemplateError`, or what reading throws.
  public static func read(_ path: String, for tokenizer: Tokenizer) throws -> ChatTemplate {
    try ChatTemplate(
      source: String(contentsOf: URL(fileURLWithPath: path), encoding: .utf8), name: path,
      specialTokens: tokenizer.specialTokens)
  }
}
