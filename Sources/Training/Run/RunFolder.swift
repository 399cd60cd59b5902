import Foundation

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

  /// Whether something stands there that a new run would overwrite.
  public var isTaken: Bool {
    let contents = (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
    return !contents.isEmpty
  }
}
