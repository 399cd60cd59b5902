import Foundation
import Rollouts

/// A config file as read: its settings in their JSON form, each with its line.
struct ConfigurationFile: Sendable {
  /// The path as the user wrote it.
  var path: String
  /// The settings by their names, in the order of the file.
  var settings: [(name: String, value: JSONValue, line: Int)] = []
  /// Unknown keys and repeated ones, a sentence each.
  var faults: [String] = []

  /// Larger files are refused: no config is this long, and a wrong file might be.
  static let sizeLimit = 4 << 20

  /// Reads a file of JSON5: its form and its keys, not yet the values.
  /// - Throws: `ConfigurationError` where it can't be read.
  init(path: String) throws(ConfigurationError) {
    let text: String
    do { text = try Self.read(path) } catch { throw ConfigurationError(faults: [error.reason]) }
    try self.init(path: path, text: text)
  }

  /// Reads the text of a config file.
  /// - Throws: `ConfigurationError` where it isn't an object in JSON5.
  init(path: String, text: String) throws(ConfigurationError) {
    self.path = path
    let document: JSON5Document
    do { document = try JSON5.document(text) } catch {
      let remedy =
        path.hasSuffix(".yaml") || path.hasSuffix(".yml")
        ? "; a config is JSON5 here, not YAML: {key: value, …}" : ""
      throw ConfigurationError(faults: ["\(path), \(error)\(remedy)"])
    }
    guard let members = document.value.object else {
      throw ConfigurationError(faults: [
        "\(path): a config is an object, {key: value, …}, not \(document.value.kindName)"
      ])
    }
    faults = document.duplicates.map {
      "\(path), line \($0.second): '\($0.path)' stands on line \($0.first) already"
    }
    for (key, value) in members {
      let line = document.lines[key] ?? 1
      if let setting = SettingDeclaration.named(key) {
        settings.append((setting.name, value, line))
      } else {
        faults += Self.leaves(of: key, value).map { leaf in
          let leafLine = document.lines[leaf] ?? line
          return "\(path), line \(leafLine): '\(leaf)' "
            + SettingDeclaration.explanation(ofUnknown: leaf)
        }
      }
    }
  }

  /// The dotted names below an unknown key: peers nest what is flat here.
  private static func leaves(of key: String, _ value: JSONValue) -> [String] {
    guard let members = value.object, !members.isEmpty else { return [key] }
    return members.flatMap { leaves(of: key + "." + $0.key, $0.value) }
  }

  private static func read(_ path: String) throws(SettingFault) -> String {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw SettingFault("\(path): there is no such config file")
    }
    if isFolder.boolValue {
      throw SettingFault("\(path): is a folder; name the config file in it")
    }
    var data: [UInt8] = []
    do throws(FileReadError) {
      var reader = try FileReader(path)
      while data.count <= sizeLimit, try reader.readPiece() { data += reader.piece }
    } catch {
      throw SettingFault(error.description)
    }
    guard data.count <= sizeLimit else {
      throw SettingFault("\(path): is longer than \(sizeLimit >> 20) MiB; is it a config?")
    }
    guard let text = String(validating: data, as: UTF8.self) else {
      throw SettingFault("\(path): is not UTF-8 text; is it a config?")
    }
    return text
  }
}

extension JSONValue {
  /// What kind of value this is, for a sentence.
  var kindName: String {
    switch self {
    case .null: "null"
    case .bool: "true or false"
    case .integer, .largeInteger, .number: "a number"
    case .string: "a text"
    case .array: "a list"
    case .object: "an object"
    }
  }
}
