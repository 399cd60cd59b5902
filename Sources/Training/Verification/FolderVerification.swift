import Foundation
import Rollouts

/// Redoes the fingerprints that a checkpoint or a final model carries (`grpo doctor --verify`).
public struct FolderVerification {
  /// A file of a folder, and what became of it.
  public struct Finding: Sendable, Equatable, CustomStringConvertible {
    /// The file, relative to the folder.
    public var file: String
    /// What is wrong with it; nil where it is as it was written.
    public var fault: String?

    /// The finding as a line.
    public var description: String { "\(file): \(fault ?? "as written")" }
  }

  /// The file whose fingerprints were held against the folder.
  public let manifest: String
  /// Every file that has a fingerprint, in alphabetical order.
  public let findings: [Finding]

  /// Whether every file is as it was written.
  public var isWhole: Bool { findings.allSatisfy { $0.fault == nil } }

  /// Reads a folder's `trainer.json` or `provenance.json`, and every file that it names.
  /// - Throws: `CheckpointError` where there is neither.
  public init(_ folder: URL) throws(CheckpointError) {
    let manifests = [CheckpointManifest.name, "provenance.json"]
    let found = manifests.first {
      FileManager.default.fileExists(atPath: folder.appendingPathComponent($0).path)
    }
    guard let found,
      let text = try? String(contentsOf: folder.appendingPathComponent(found), encoding: .utf8),
      let files = (try? JSONValue.parse(text))?["files"]?.object
    else {
      throw CheckpointError(
        folder: folder,
        reason: "there is no trainer.json or provenance.json with fingerprints to hold it against")
    }
    manifest = found
    findings = files.keys.sorted().map { file in
      let path = folder.appendingPathComponent(file).path
      guard let digest = try? SHA256.digest(ofFile: path).hexadecimal else {
        return Finding(file: file, fault: "missing, or can't be read")
      }
      return Finding(
        file: file,
        fault: digest == files[file]?.string ? nil : "its SHA-256 is not the one recorded")
    }
  }
}
