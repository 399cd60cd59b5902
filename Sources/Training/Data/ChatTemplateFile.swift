import Foundation
import Tokenizers

/// A chat template in a file of its own.
public enum ChatTemplateFile {
  /// Reads and parses it.
  /// - Throws: `TemplateError`, or what reading throws.
  public static func read(_ path: String) throws -> ChatTemplate {
    try ChatTemplate(
      source: String(contentsOf: URL(fileURLWithPath: path), encoding: .utf8), name: path)
  }
}
