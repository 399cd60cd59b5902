import Foundation
import Synchronization

@testable import Commands

/// Runs command lines in this process, in a folder of its own that goes away with it.
final class EverydayRun: Sendable {
  let folder: URL

  init() throws {
    folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("grpo-everyday-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  /// What a command line came to.
  struct Outcome {
    var code: ExitCode
    var output: String
    var errors: String
  }

  /// A path in the folder.
  func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

  /// Writes a file and gives its path.
  func file(_ name: String, _ text: String) throws -> String {
    try Data(text.utf8).write(to: folder.appendingPathComponent(name))
    return path(name)
  }

  /// Runs a command line.
  /// - Parameter patience: How often the command may ask whether to stop before it is told to.
  func grpo(_ words: String..., stoppingAfter patience: Int? = nil) -> Outcome {
    grpo(words, stoppingAfter: patience)
  }

  /// Runs a command line.
  func grpo(_ words: [String], stoppingAfter patience: Int? = nil) -> Outcome {
    let context = CommandContext.memory()
    var stoppable = context
    if let patience {
      let asked = Countdown(patience)
      stoppable.interrupts = InterruptFlag(raisedWhen: { asked.isOver() })
    }
    let code = runCommandLine(words, context: stoppable)
    return Outcome(
      code: code, output: context.standardOutput.text, errors: context.standardError.text)
  }

  private final class Countdown: Sendable {
    private let left: Mutex<Int>
    init(_ count: Int) { left = Mutex(count) }
    func isOver() -> Bool {
      left.withLock {
        $0 -= 1
        return $0 < 0
      }
    }
  }

  /// A small model that reads and writes sums.
  func smallModel(_ name: String = "model", seed: Int = 1) -> String {
    let outcome = grpo(
      "init", path(name), "--hidden-size", "32", "--intermediate-size", "48", "--layers", "2",
      "--heads", "2", "--kv-heads", "1", "--alphabet", "0123456789+=", "--context", "64",
      "--seed", "\(seed)")
    precondition(outcome.code == .done, outcome.errors)
    return path(name)
  }
}
