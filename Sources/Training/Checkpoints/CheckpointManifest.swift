import Foundation
import PolicyOptimization
import Rollouts

/// `trainer.json` of a checkpoint: where the run stood, and the fingerprint of every other file.
///
/// It is written last, and carries the fingerprint of itself; a folder without it, or whose files don't match
/// it, is no checkpoint.
public struct CheckpointManifest: Codable, Sendable, Equatable {
  /// The layout of a checkpoint.
  public var format = 1
  /// The step after which it was written; 0 is before the first.
  public var step: Int
  /// Optimiser updates done since the first step.
  public var updates: Int
  /// Problems drawn by all steps so far, dropped groups counted.
  public var problemsDrawn: Int
  /// Tokens of all prompts and completions so far; nil in the checkpoints of a supervised stage.
  public var tokensSeen: Int?
  /// The time that chat templates print, where no log records it: in the checkpoints of a supervised stage.
  public var clock: Int?
  /// The adaptive entropy coefficient.
  public var entropy: EntropyController
  /// What gradients are multiplied by in fp16; nil in the other precisions.
  public var lossScale: LossScale?
  /// The fingerprint of the settings that the run began with: where its inputs lie now is not part of what it is.
  public var configurationHash: String
  /// The program that wrote it.
  public var programVersion: String
  /// SHA-256 by file name.
  public var files: [String: String]
  /// SHA-256 of all the rest, as it is written without this.
  private(set) var seal: String?

  static let name = "trainer.json"

  /// Makes the manifest of a checkpoint that is being written.
  init(
    step: Int, updates: Int, problemsDrawn: Int, tokensSeen: Int? = nil, clock: Int? = nil,
    entropy: EntropyController, lossScale: LossScale? = nil, configurationHash: String,
    programVersion: String, files: [String: String]
  ) {
    self.lossScale = lossScale
    self.step = step
    self.updates = updates
    self.problemsDrawn = problemsDrawn
    self.tokensSeen = tokensSeen
    self.clock = clock
    self.entropy = entropy
    self.configurationHash = configurationHash
    self.programVersion = programVersion
    self.files = files
  }

  /// The text of the file, sealed.
  func sealed() throws -> Data {
    var sealed = self
    sealed.seal = try fingerprint()
    return try Self.encoder.encode(sealed)
  }

  /// Reads what `sealed` wrote; nil where it is anything else.
  init?(sealed data: Data) {
    guard let manifest = try? JSONDecoder().decode(CheckpointManifest.self, from: data),
      let seal = manifest.seal, (try? manifest.fingerprint()) == seal
    else { return nil }
    self = manifest
  }

  private func fingerprint() throws -> String {
    var bare = self
    bare.seal = nil
    var hash = SHA256()
    hash.update(Array(try Self.encoder.encode(bare)))
    return hash.finalize().hexadecimal
  }

  private static var encoder: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return encoder
  }

  /// Fingerprints every file of a folder.
  static func hashes(of folder: URL) throws -> [String: String] {
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    var hashes: [String: String] = [:]
    for name in names where name != Self.name {
      let url = folder.appendingPathComponent(name)
      var isFolder: ObjCBool = false
      if FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder),
        isFolder.boolValue
      {
        for (inner, hash) in try Self.hashes(of: url) { hashes["\(name)/\(inner)"] = hash }
      } else {
        hashes[name] = try SHA256.digest(ofFile: url.path).hexadecimal
      }
    }
    return hashes
  }

  /// Reads the manifest of a checkpoint and checks every file against it.
  /// - Throws: `CheckpointError` saying what is damaged.
  public static func verified(in folder: URL) throws(CheckpointError) -> CheckpointManifest {
    let url = folder.appendingPathComponent(name)
    guard let bytes = try? FileReader.bytes(of: url.path, limit: 64 << 20, patience: 0) else {
      throw CheckpointError(folder: folder, reason: "\(name) is missing or can't be read")
    }
    guard let manifest = CheckpointManifest(sealed: Data(bytes)) else {
      throw CheckpointError(
        folder: folder, reason: "\(name) is damaged: its SHA-256 is not the one recorded")
    }
    let named = folder.lastPathComponent
    if named.hasPrefix("step-"), Int(named.dropFirst("step-".count)) != manifest.step {
      throw CheckpointError(folder: folder, reason: "it is the checkpoint of step \(manifest.step)")
    }
    for (file, hash) in manifest.files.sorted(by: { $0.key < $1.key }) {
      let found: String
      do {
        found = try SHA256.digest(ofFile: folder.appendingPathComponent(file).path).hexadecimal
      } catch {
        throw CheckpointError(folder: folder, reason: "\(file) is missing or can't be read")
      }
      if found != hash {
        throw CheckpointError(
          folder: folder, reason: "\(file) is damaged: its SHA-256 is not the one recorded")
      }
    }
    return manifest
  }
}

/// A checkpoint that can't be used: which, and why.
public struct CheckpointError: Error, CustomStringConvertible {
  /// Its folder.
  public var folder: URL
  /// What is wrong.
  public var reason: String

  /// The sentence for the user.
  public var description: String { "checkpoint \(folder.path): \(reason)" }
}
