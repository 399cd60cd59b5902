import Foundation
import Transformer

/// The layout of a run's folder (DESIGN: stable names, so that scripts last).
///
///     config.json  trajectories.sqlite  metrics.jsonl  tensorboard/
///     cold-start/  checkpoints/step-000100/  final/
public struct RunFolder: Sendable, Equatable {
  /// The folder itself.
  public let url: URL

  /// Names a run's folder, whether or not it exists.
  public init(_ url: URL) { self.url = url }

  /// The resolved settings.
  public var configuration: URL { url.appendingPathComponent("config.json") }
  /// The trajectory log.
  public var log: URL { url.appendingPathComponent("trajectories.sqlite") }
  /// Scalars by step.
  public var metrics: URL { url.appendingPathComponent("metrics.jsonl") }
  /// TensorBoard event files.
  public var tensorboard: URL { url.appendingPathComponent("tensorboard") }
  /// Model folders by step.
  public var checkpoints: URL { url.appendingPathComponent("checkpoints") }
  /// The trained model.
  public var final: URL { url.appendingPathComponent("final") }
  /// The model that a run without one starts from.
  public var initial: URL { url.appendingPathComponent("initial") }

  /// What an iteration's hook was given.
  public var iterations: URL { url.appendingPathComponent("iterations") }

  /// The folder of a step's checkpoint.
  public func checkpoint(step: Int) -> URL {
    let digits = String(step)
    let padded = String(repeating: "0", count: max(0, 6 - digits.count)) + digits
    return checkpoints.appendingPathComponent("step-\(padded)")
  }

  /// The steps that have a checkpoint folder, ascending.
  public var checkpointSteps: [Int] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: checkpoints.path)) ?? []
    return names.compactMap { name in
      name.hasPrefix("step-") ? Int(name.dropFirst("step-".count)) : nil
    }.sorted()
  }

  /// The newest checkpoint whose files are all what was written.
  /// - Parameters:
  ///   - last: The last step after which it may have been written.
  ///   - check: What else must hold of it.
  ///   - damaged: Told of each newer one that can't be used.
  func newestCheckpoint(
    through last: Int = .max,
    check: (URL, CheckpointManifest) throws(CheckpointError) -> Void = { _, _ in },
    damaged: (CheckpointError) -> Void
  ) -> (url: URL, manifest: CheckpointManifest)? {
    for step in checkpointSteps.reversed() where step <= last {
      let url = checkpoint(step: step)
      do throws(CheckpointError) {
        let manifest = try CheckpointManifest.verified(in: url)
        try check(url, manifest)
        return (url, manifest)
      } catch {
        damaged(error)
      }
    }
    return nil
  }

  /// Whether something stands there that a new run would overwrite.
  public var isTaken: Bool {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
      return (try? FileManager.default.destinationOfSymbolicLink(atPath: url.path)) != nil
    }
    guard isFolder.boolValue else { return true }
    let contents = (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
    return contents.contains { !Self.isUnfinished($0) }
  }

  /// Whether a folder is there, with nothing in it.
  var isEmpty: Bool {
    (try? FileManager.default.contentsOfDirectory(atPath: url.path))?.isEmpty ?? false
  }

  private static let partialEnding = ".partial"

  /// Whether a name is that of one of the run's own files or folders which is not whole yet.
  private static func isUnfinished(_ name: String) -> Bool {
    guard name.hasSuffix(partialEnding) else { return false }
    let whole = name.dropLast(partialEnding.count)
    return ["metrics.jsonl", "initial", "final", "iterations"].contains(whole)
      || whole.hasPrefix("config.json") || whole.hasPrefix("step-")
  }

  /// Removes a checkpoint: first its name, so that what a kill leaves of it is never taken for one.
  func removeCheckpoint(step: Int) {
    let folder = checkpoint(step: step)
    let aside = URL(fileURLWithPath: folder.path + Self.partialEnding)
    guard rename(folder.path, aside.path) == 0 else { return }
    CrashPoint.removing.reach()
    try? FileManager.default.removeItem(at: aside)
  }

  /// Removes everything of a run that never began.
  func removeContents() {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? [] {
      try? FileManager.default.removeItem(at: url.appendingPathComponent(name))
    }
  }

  /// Removes what a run that was killed had begun to write.
  ///
  /// For whoever has the folder: another that is beginning a run in it finds its settings aside gone, and is told
  /// that the folder is taken.
  func removeUnfinished() {
    for folder in [initial, final] { FolderPublisher.recover(folder) }
    for folder in [url, checkpoints] {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
      for name in names where name.hasPrefix("step-") && name.hasSuffix(FolderPublisher.oldEnding) {
        let whole = name.dropLast(FolderPublisher.oldEnding.count)
        FolderPublisher.recover(folder.appendingPathComponent(String(whole)))
      }
      for name in names where Self.isUnfinished(name) {
        try? FileManager.default.removeItem(at: folder.appendingPathComponent(name))
      }
    }
  }
}

extension RunFolder {
  /// The folder that a name means: a path where it has a slash or exists, otherwise below `runs/`.
  public static func named(_ name: String) -> RunFolder {
    let isPath = name.contains("/") || FileManager.default.fileExists(atPath: name)
    return RunFolder(URL(fileURLWithPath: isPath ? name : "runs/\(name)"))
  }

  /// An existing run: a name, a path, or `latest` for the newest start under `runs/`.
  /// - Throws: `RunFolderError` where there is no such run.
  public static func find(_ name: String) throws -> RunFolder {
    let folder = name == "latest" ? latest() : named(name)
    guard let folder, FileManager.default.fileExists(atPath: folder.configuration.path) else {
      throw RunFolderError.notARun(folder?.url ?? URL(fileURLWithPath: "runs"))
    }
    return folder
  }

  /// The run under `runs/` whose settings were written last.
  private static func latest() -> RunFolder? {
    let root = URL(fileURLWithPath: "runs")
    let names = (try? FileManager.default.contentsOfDirectory(atPath: root.path)) ?? []
    let runs = names.compactMap { name -> (RunFolder, Date)? in
      let folder = RunFolder(root.appendingPathComponent(name))
      let attributes = try? FileManager.default.attributesOfItem(atPath: folder.configuration.path)
      return (attributes?[.modificationDate] as? Date).map { (folder, $0) }
    }
    return runs.max { $0.1 < $1.1 }?.0
  }

  /// The path as one would type it from here.
  public var displayPath: String {
    let here = FileManager.default.currentDirectoryPath + "/"
    return url.path.hasPrefix(here) ? String(url.path.dropFirst(here.count)) : url.path
  }
}
