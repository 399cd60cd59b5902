import Foundation
import Rollouts
import Transformer

/// The first thing in which two runs differ that should be the same for the same inputs.
public struct RunDifference: Sendable, Equatable, CustomStringConvertible {
  /// What differs: a line of metrics, a tensor of a checkpoint.
  public var place: String
  /// What the first run has there; nil where it has nothing.
  public var first: String?
  /// What the second run has there; nil where it has nothing.
  public var second: String?

  /// The difference as a sentence.
  public var description: String {
    switch (first, second) {
    case (let first?, let second?): return "\(place): \(first) against \(second)"
    case (nil, _): return "\(place) is only in the second run"
    case (_, nil): return "\(place) is only in the first run"
    }
  }
}

/// Compares what two runs came to: metrics outside `time/`, and every file of checkpoints and `final/` but those
/// that say how it was made.
///
/// Their logs are compared by `LogDifference`.
public struct RunComparison {
  private let first: RunFolder
  private let second: RunFolder

  /// Two runs to be compared.
  public init(_ first: RunFolder, _ second: RunFolder) {
    self.first = first
    self.second = second
  }

  /// The first difference in metrics, then in checkpoints from the earliest, then in `final/`.
  ///
  /// Linear in the files, with memory for two tensors. A checkpoint that one run alone has is no
  /// difference: an interruption makes one.
  /// - Throws: `ModelError` where weights can't be read.
  public func firstDifference() throws -> RunDifference? {
    if let difference = try metricsDifference() { return difference }
    let steps = Set(first.checkpointSteps).intersection(second.checkpointSteps).sorted()
    for step in steps {
      let folders = (first.checkpoint(step: step), second.checkpoint(step: step))
      if let difference = try folderDifference(folders.0, folders.1, "after step \(step)") {
        return difference
      }
    }
    return try folderDifference(first.final, second.final, "in final/")
  }

  // MARK: Folders

  /// What says how a folder was made, not what is in it: two runs with other settings may come to the same.
  private static let records: Set<String> = [CheckpointManifest.name, Provenance.name]

  /// The first file in which two model folders differ: weights by their tensors, the rest by its bytes.
  private func folderDifference(_ a: URL, _ b: URL, _ place: String) throws -> RunDifference? {
    let names = Set(Self.files(in: a)).union(Self.files(in: b)).subtracting(Self.records)
    // Weights first: they are what one looks for.
    let weights = names.filter { $0.hasSuffix(".safetensors") }.sorted()
    for name in weights + names.subtracting(weights).sorted() {
      let files = (a.appendingPathComponent(name), b.appendingPathComponent(name))
      let difference =
        weights.contains(name)
        ? try tensorDifference(files.0, files.1, "\(name) \(place)")
        : try byteDifference(files.0, files.1, "\(name) \(place)")
      if let difference { return difference }
    }
    return nil
  }

  /// The files of a folder and of those in it, by their paths from it.
  private static func files(in folder: URL) -> [String] {
    let paths = (try? FileManager.default.subpathsOfDirectory(atPath: folder.path)) ?? []
    return paths.filter { path in
      var isFolder: ObjCBool = false
      let url = folder.appendingPathComponent(path)
      return FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder)
        && !isFolder.boolValue
    }
  }

  private func byteDifference(_ a: URL, _ b: URL, _ place: String) throws -> RunDifference? {
    let hashes = [a, b].map { try? SHA256.digest(ofFile: $0.path).hexadecimal }
    guard hashes[0] != hashes[1] else { return nil }
    return RunDifference(
      place: place, first: hashes[0].map { "SHA-256 \($0.prefix(12))…" },
      second: hashes[1].map { "SHA-256 \($0.prefix(12))…" })
  }

  // MARK: Metrics

  private func metricsDifference() throws -> RunDifference? {
    let lines = (MetricsLog.lines(of: first.metrics), MetricsLog.lines(of: second.metrics))
    for index in 0..<max(lines.0.count, lines.1.count) {
      guard index < lines.0.count, index < lines.1.count else {
        return RunDifference(
          place: "line \(index + 1) of metrics.jsonl",
          first: index < lines.0.count ? "a line" : nil,
          second: index < lines.1.count ? "a line" : nil)
      }
      let (a, b) = (lines.0[index], lines.1[index])
      let step = a["step"]?.integer.map { ", step \($0)" } ?? ""
      for name in a.keys + b.keys.filter({ a[$0] == nil })
      where !name.hasPrefix("time/") && a[name] != b[name] {
        return RunDifference(
          place: "\(name) in line \(index + 1) of metrics.jsonl\(step)",
          first: a[name]?.jsonText, second: b[name]?.jsonText)
      }
    }
    return nil
  }

  // MARK: Weights

  private func tensorDifference(_ a: URL, _ b: URL, _ place: String) throws -> RunDifference? {
    let exist = (
      FileManager.default.fileExists(atPath: a.path),
      FileManager.default.fileExists(atPath: b.path)
    )
    guard exist.0, exist.1 else {
      guard exist.0 != exist.1 else { return nil }
      return RunDifference(
        place: place, first: exist.0 ? "a file" : nil, second: exist.1 ? "a file" : nil)
    }
    let files = (try SafetensorsFile(a), try SafetensorsFile(b))
    for name in files.0.names + files.1.names.filter({ !files.0.names.contains($0) }) {
      let shapes = (files.0.specification(of: name), files.1.specification(of: name))
      guard shapes.0 == shapes.1, let shape = shapes.0 else {
        return RunDifference(
          place: "\(name) in \(place)", first: shapes.0.map { "shape \($0.shape)" },
          second: shapes.1.map { "shape \($0.shape)" })
      }
      let values = (try files.0.values(name), try files.1.values(name))
      let differing = zip(values.0, values.1).enumerated().first {
        $0.element.0.bitPattern != $0.element.1.bitPattern
      }
      if let differing {
        return RunDifference(
          place: "\(name)\(Self.subscripts(of: differing.offset, shape.shape)) in \(place)",
          first: "\(differing.element.0)", second: "\(differing.element.1)")
      }
    }
    return nil
  }

  /// The place of a row-major element: `[3, 17]`.
  static func subscripts(of offset: Int, _ shape: [Int]) -> String {
    var rest = offset
    var subscripts: [Int] = []
    for size in shape.reversed() {
      subscripts.insert(rest % max(size, 1), at: 0)
      rest /= max(size, 1)
    }
    return "\(subscripts)"
  }
}
