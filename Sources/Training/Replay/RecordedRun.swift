import Foundation
import Rollouts
import TrajectoryStore

/// A run whose log another run trains from: what the new run takes over of it.
public struct RecordedRun {
  /// What the name of a log by itself ends in.
  static let logSuffix = ".sqlite"

  /// What to give as `rollouts`.
  public let path: String
  /// The run's settings, but for what sampling alone needs.
  public let settings: JSONObject

  /// A run by its folder, its name or its log; nil where the name is that of a file of lines, or of nothing.
  ///
  /// The weights that it set out from become the model: its first checkpoint, where it has one.
  /// - Throws: `StoreError` where its log can't be read.
  public init?(_ name: String) throws {
    let url = URL(fileURLWithPath: name)
    let log: URL
    var isFolder: ObjCBool = false
    if name.hasSuffix(Self.logSuffix),
      FileManager.default.fileExists(atPath: name, isDirectory: &isFolder), !isFolder.boolValue
    {
      log = url
    } else if let run = try? RunFolder.find(name) {
      log = run.log
    } else {
      return nil
    }
    path = log == url ? url.path : log.deletingLastPathComponent().path
    let reader = try TrajectoryReader(readOnly: log)
    let run = try reader.runs().last
    var settings = run?.record.configuration ?? [:]
    let origin = RunFolder(log.deletingLastPathComponent()).checkpoint(step: 0)
    if FileManager.default.fileExists(atPath: origin.path) {
      _ = try CheckpointManifest.verified(in: origin)
      settings["model"] = .string(origin.path)
    }
    // The cold start is behind those weights; what was chosen and dropped when it was sampled stays so.
    settings["sft_dataset"] = .array([])
    settings["dynamic_sampling"] = .bool(false)
    settings["prompt_priority"] = nil
    if let run, let planned = try PlannedSteps(run, in: reader),
      settings["max_steps"]?.integer != nil
    {
      settings["max_steps"] = .integer(Int64(planned.latest))
    }
    self.settings = settings
  }
}
