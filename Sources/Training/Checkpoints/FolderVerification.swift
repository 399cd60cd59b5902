import Foundation
import Rollouts

/// Whether the files of a checkpoint or a final model are what was written.
public struct FolderVerification: Sendable {
  /// What became of one file.
  public enum State: String, Sendable {
    /// Its SHA-256 is the one recorded.
    case intact
    /// Its SHA-256 is another.
    case damaged
    /// It is not there, or can't be read.
    case missing
    /// It is there and was not recorded.
    case unknown
  }

  /// The file of fingerprints.
  public let record: String
  /// The files by name.
  public let files: [(name: String, state: State)]

  /// Whether every recorded file is intact.
  public var isIntact: Bool { files.allSatisfy { $0.state == .intact || $0.state == .unknown } }

  /// Computes the fingerprints of a folder's files again.
  /// - Throws: `CheckpointError` where the folder has no record of them.
  public init(of folder: URL) throws(CheckpointError) {
    let names = [CheckpointManifest.name, Provenance.name]
    guard
      let (name, recorded, isSealed) = names.lazy.compactMap({ Self.recorded($0, in: folder) })
        .first
    else {
      throw CheckpointError(
        folder: folder,
        reason: "there is no \(names.joined(separator: " and no ")) with the files' SHA-256 in it; "
          + "name a checkpoint, a run's final/, or what 'grpo export' wrote")
    }
    record = name
    var states: [(name: String, state: State)] = [(name, isSealed ? .intact : .damaged)]
    for (file, hash) in recorded.sorted(by: { $0.key < $1.key }) {
      let path = folder.appendingPathComponent(file).path
      let found = (try? SHA256.digest(ofFile: path))?.hexadecimal
      states.append((file, found == nil ? .missing : found == hash ? .intact : .damaged))
    }
    let present = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    for file in present.sorted() where !names.contains(file) {
      let isKnown = recorded.keys.contains { $0 == file || $0.hasPrefix(file + "/") }
      if !isKnown { states.append((file, .unknown)) }
    }
    files = states
  }

  /// The fingerprints that a record has, and whether the record itself is what was written.
  private static func recorded(
    _ name: String, in folder: URL
  ) -> (name: String, files: [String: String], isSealed: Bool)? {
    let url = folder.appendingPathComponent(name)
    guard let text = RegularFile.bytes(at: url).map({ String(decoding: $0, as: UTF8.self) }),
      let record = try? JSONValue.parse(text).object, let files = record["files"]?.object,
      !files.isEmpty
    else { return nil }
    let isSealed =
      name == Provenance.name
      ? Provenance.isIntact(record) : CheckpointManifest(sealed: Data(text.utf8)) != nil
    return (name, files.dictionary.compactMapValues(\.string), isSealed)
  }
}
