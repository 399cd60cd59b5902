import Foundation
import Rollouts
import TrajectoryStore

/// What may be said anew when a run is resumed: what its weights don't depend on, where its inputs lie, and how
/// long it goes on.
public struct ResumedSettings {
  /// A setting that is another now.
  public struct Change: Equatable, Sendable {
    /// Its name.
    public var name: String
    /// What the run has.
    public var old: JSONValue
    /// What is asked for.
    public var new: JSONValue

    /// The change as a clause.
    public var description: String { "\(name) was \(old.jsonText) and is \(new.jsonText)" }
  }

  /// The settings that may change.
  ///
  /// Those that name inputs may, since what they name is held against the record.
  static let changeable: Set<String> = [
    "max_steps", "num_train_epochs",
    "model", "dataset", "threads", "memory_limit", "gradient_checkpointing", "on_nonfinite",
    "eval_steps", "save_steps", "save_total_limit", "metric_for_best_model", "greater_is_better",
    "logging_steps", "num_completions_to_print", "tensorboard",
    "reward_time_limit", "reward_workers", "reward_failure_limit", "reward_cache", "sandbox",
  ]

  /// What is different, in the order of the settings.
  public let changes: [Change]

  /// Compares a run's own settings with those that are asked for.
  public init(recorded: ResolvedConfiguration, asked: ResolvedConfiguration) {
    changes = SettingDeclaration.all.compactMap { setting in
      let (old, new) = (setting.value(in: recorded.values), setting.value(in: asked.values))
      return old == new ? nil : Change(name: setting.name, old: old, new: new)
    }
  }

  /// The settings that may change, where they are others than a log says: than those that its run began with, or
  /// than the last that its events tell.
  static func changes(
    of asked: ResolvedConfiguration, from run: LoggedRun, events: [EventRecord]
  ) -> [Change] {
    var logged = run.record.configuration
    for event in events where event.kind == eventKind {
      for (name, value) in event.detail where logged[name] != nil { logged[name] = value }
    }
    return SettingDeclaration.all.compactMap { setting in
      guard changeable.contains(setting.name), let old = logged[setting.name] else { return nil }
      let new = setting.value(in: asked.values)
      return old.jsonText == new.jsonText
        ? nil : Change(name: setting.name, old: old, new: new)
    }
  }

  /// The kind of the event that records changes, its detail having the new values by name.
  static let eventKind = "settings"

  /// What can't be taken over, a sentence each; empty where all can.
  /// - Parameters:
  ///   - command: The command that takes the run up.
  ///   - folder: The run.
  public func faults(of command: String, in folder: RunFolder) -> [String] {
    let run = folder.displayPath
    let newest = folder.checkpoint(step: folder.checkpointSteps.last ?? 0).lastPathComponent
    return
      changes.filter { !Self.changeable.contains($0.name) }.map { change in
        "\(change.name): a resumed run keeps it (\(change.old.jsonText)), or it would come to what no "
          + "run comes to; to go on otherwise, begin a new run from a checkpoint of this one: "
          + "grpo \(command) --config \(run)/config.json --model \(run)/checkpoints/\(newest) --run NEW "
          + "--\(change.name.replacing("_", with: "-")) …"
      }
  }
}
