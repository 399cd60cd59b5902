import Foundation

/// Where a run's log is, from the word that a person gives for it.
public struct LogLocation: Sendable, Equatable {
  /// The log's file.
  public var log: URL
  /// The run folder: the one that holds the log.
  public var folder: URL { log.deletingLastPathComponent() }

  /// The log's name in a run folder.
  public static let fileName = "trajectories.sqlite"

  /// Finds the log of a run.
  ///
  /// - Parameters:
  ///   - word: A run folder, a log's file, the name of a run under `runs`, or `latest`: the run
  ///     under `runs` that started last.
  ///   - runs: The folder that runs are made in.
  /// - Throws: `StoreError` where there is none, naming the runs that there are.
  public init(_ word: String, runs: URL = URL(fileURLWithPath: "runs")) throws(StoreError) {
    if word == "latest" {
      log = try Self.latest(in: runs)
      return
    }
    let named = URL(fileURLWithPath: word)
    for place in [named, runs.appendingPathComponent(word)] {
      var isFolder: ObjCBool = false
      guard FileManager.default.fileExists(atPath: place.path, isDirectory: &isFolder) else {
        continue
      }
      let file = isFolder.boolValue ? place.appendingPathComponent(Self.fileName) : place
      if FileManager.default.fileExists(atPath: file.path) {
        log = file
        return
      }
      if place == named {
        throw StoreError(
          .unreachable, "The folder \(word) holds no \(Self.fileName).",
          remedy: "A run makes it when it starts.")
      }
    }
    let names = Self.logs(in: runs).map { $0.deletingLastPathComponent().lastPathComponent }
    throw StoreError(
      .unreachable, "There is no run at \(word).",
      remedy: names.isEmpty
        ? "There are none under \(runs.relativePath) either."
        : "Under \(runs.relativePath): \(names.prefix(8).joined(separator: ", "))"
          + "\(names.count > 8 ? ", …" : ""); or latest.")
  }

  /// The logs of the runs under a folder, in the order of their names.
  public static func logs(in runs: URL) -> [URL] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: runs.path)) ?? []
    return names.sorted().map { runs.appendingPathComponent($0).appendingPathComponent(fileName) }
      .filter { FileManager.default.fileExists(atPath: $0.path) }
  }

  private static func latest(in runs: URL) throws(StoreError) -> URL {
    var newest: (start: String, log: URL)?
    for log in logs(in: runs) {
      // A log that can't be read is no candidate; naming it reports why.
      guard let reader = try? TrajectoryReader(readOnly: log), let all = try? reader.runs(),
        let start = all.map(\.startedAt).max()
      else { continue }
      if newest.map({ start > $0.start }) ?? true { newest = (start, log) }
    }
    guard let newest else {
      throw StoreError(
        .unreachable, "There is no run under \(runs.relativePath).",
        remedy: "Start one with: grpo train")
    }
    return newest.log
  }
}
