import Foundation
import Rollouts

/// The files of a folder that say how text becomes tokens.
struct TokenizerFolder {
  let folder: URL

  /// Larger files are refused unread.
  static let sizeLimit = 128 << 20

  /// The names that belong to a tokenizer, in the order in which they are reported.
  static let names = [
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "merges.txt", "tokenizer.model", "chat_template.jinja", "chat_template.json",
  ]

  /// Where a file lies.
  func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

  /// Whether the folder holds a file.
  func has(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }

  /// The tokenizer files that are there.
  var files: [String] { Self.names.filter(has) }

  /// Reads a file whole; nil where it is absent.
  func bytes(_ name: String) throws(TokenizerError) -> [UInt8]? {
    guard has(name) else { return nil }
    do {
      let target = folder.appendingPathComponent(name).resolvingSymlinksInPath()
      let attributes = try FileManager.default.attributesOfItem(atPath: target.path)
      guard attributes[.type] as? FileAttributeType == .typeRegular else {
        throw TokenizerError(file: path(name), reason: "this is not a regular file")
      }
      let size = (attributes[.size] as? NSNumber)?.intValue ?? 0
      if size > Self.sizeLimit {
        throw TokenizerError(
          file: path(name), reason: "\(size >> 20) MiB is more than a tokenizer file can have",
          remedy: "expected at most \(Self.sizeLimit >> 20) MiB")
      }
      return Array(try Data(contentsOf: folder.appendingPathComponent(name)))
    } catch let error as TokenizerError {
      throw error
    } catch {
      throw TokenizerError(
        file: path(name), reason: "can't be read (\(error.localizedDescription))")
    }
  }

  /// Reads a file as JSON; nil where it is absent.
  func json(_ name: String) throws(TokenizerError) -> JSONValue? {
    guard let bytes = try bytes(name) else { return nil }
    do throws(JSONError) {
      return try JSONValue.parse(bytes: bytes)
    } catch {
      throw fault(name, error)
    }
  }

  /// Reads a file as UTF-8 text; nil where it is absent.
  func text(_ name: String) throws(TokenizerError) -> String? {
    guard let bytes = try bytes(name) else { return nil }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw TokenizerError(file: path(name), reason: "the file is not UTF-8 text")
    }
    return text
  }

  func fault(_ name: String, _ error: JSONError) -> TokenizerError {
    TokenizerError(
      file: path(name), place: "line \(error.line), column \(error.column)", reason: error.reason,
      remedy: "the file may have been cut short; fetch it again")
  }
}
