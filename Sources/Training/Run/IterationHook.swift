// Iterative GRPO (DeepSeekMath, Algorithm 1, lines 11–12): when an iteration ends, the reward model is trained on,
// "using a replay mechanism" of 10% of historical data (§4.1.4). An iteration ends with the step in which the
// reference was refreshed. What trains the reward model is the user's program; it is given a file of
//
//   the iteration's completions, and of those before it  round(share/(1 − share) · n) drawn without repeats
//
// HistoryReplay.swift says which. Afterwards the rewards are started anew, with nothing remembered.

import Foundation
import PolicyOptimization
import RewardKit
import Rollouts
import TrajectoryStore
import Transformer

/// Runs a program between two iterations, at least once for each, however often the run is resumed.
final class IterationHook {
  /// What a run tells its hook once.
  struct Settings {
    var program: String
    var share: Double
    var seed: UInt64
    /// Optimiser updates of an iteration.
    var updates: Int
  }

  private let settings: Settings
  private let folder: RunFolder
  private let log: TrajectoryLog
  private let rewards: RewardSuite
  private static let eventKind = "iteration"
  /// The iterations for which the program was run, by the log.
  private var done: Int
  /// The last step whose completions it was given.
  private var lastStep: Int

  /// - Throws: `StoreError` where the log can't be read.
  init(
    _ settings: Settings, folder: RunFolder, log: TrajectoryLog, rewards: RewardSuite
  ) throws {
    self.settings = settings
    self.folder = folder
    self.log = log
    self.rewards = rewards
    let last = try TrajectoryReader(readOnly: folder.log).events()
      .last { $0.kind == Self.eventKind }
    done = last?.detail["iteration"]?.integer.map { min(max(0, Int($0)), 1_000_000_000) } ?? 0
    lastStep = last?.step ?? 0
  }

  /// Runs the program where an iteration lies behind and it was not run for it yet.
  /// - Parameters:
  ///   - step: The step that is about to be sampled.
  ///   - updates: Optimiser updates so far.
  /// - Throws: `IterationHookError` where the program fails, `Interruption` where the user gave up.
  func prepare(step: Int, updates: Int, isCancelled: () -> Bool) throws {
    let iteration = updates / settings.updates
    guard iteration > done, step - 1 > lastStep else { return }
    let file = try writeTrajectories(of: lastStep + 1...step - 1, iteration: iteration)
    try run(file, iteration: iteration, step: step - 1, isCancelled: isCancelled)
    try log.append(
      event: EventRecord(
        step: step - 1, kind: Self.eventKind,
        message: "iteration \(iteration): \(settings.program) was run",
        detail: ["iteration": .integer(Int64(iteration))]))
    (done, lastStep) = (iteration, step - 1)
    try rewards.restart()
  }

  /// Writes an iteration's completions and some older ones, as lines of a rollout file.
  private func writeTrajectories(of steps: ClosedRange<Int>, iteration: Int) throws -> URL {
    let reader = try TrajectoryReader(readOnly: folder.log)
    let older = steps.lowerBound > 1 ? 1...steps.lowerBound - 1 : nil
    let chosen = HistoryReplay(share: settings.share).indices(
      history: try older.map { try reader.keptCompletions(ofSteps: $0) } ?? 0,
      fresh: try reader.keptCompletions(ofSteps: steps), seed: settings.seed, iteration: iteration)
    let lines = try RolloutFileWriter(readOnly: folder.log)
    var text = ""
    try lines.write(from: steps.lowerBound, through: steps.upperBound) {
      text += $0 + "\n"
      return true
    }
    if let older, !chosen.isEmpty {
      let wanted = Set(chosen)
      var index = 0
      try lines.write(from: older.lowerBound, through: older.upperBound) {
        if wanted.contains(index) { text += $0 + "\n" }
        index += 1
        return true
      }
    }
    let place = folder.iterations
    try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
    let file = place.appendingPathComponent("\(iteration).jsonl")
    try AtomicFile.write(text, to: file)
    return file
  }

  private func run(
    _ file: URL, iteration: Int, step: Int, isCancelled: () -> Bool
  ) throws {
    let environment = ProcessInfo.processInfo.environment.merging([
      "GRPO_ITERATION": String(iteration), "GRPO_STEP": String(step), "GRPO_RUN": folder.url.path,
    ]) { $1 }
    let program = URL(fileURLWithPath: settings.program).path
    let launch = ChildLaunch(
      executable: program, arguments: [settings.program, file.path],
      environment: environment.map { "\($0.key)=\($0.value)" },
      directory: FileManager.default.currentDirectoryPath)
    func error(_ fault: String) -> IterationHookError {
      IterationHookError(program: settings.program, fault: fault)
    }
    // A supervisor ends the program with this process, so that it can't run on beside a resumed run's. Its output
    // goes to standard error, since results of grpo itself are alone on standard output.
    let end = SupervisedProgram.run(launch, isCancelled: isCancelled) { bytes, _ in
      FileHandle.standardError.write(Data(bytes))
    }
    switch end {
    case .exited(0): return
    case .cancelled: throw Interruption()
    case .exited(let code): throw error("ended with code \(code)")
    case .signalled(let signal): throw error("was ended by signal \(signal)")
    case .couldNotStart(let reason): throw error("can't be run: \(reason)")
    }
  }
}

/// A program that failed at the end of an iteration.
struct IterationHookError: Error, CustomStringConvertible {
  var program: String
  var fault: String

  var description: String {
    "iteration_hook \(program) \(fault); mend it and resume the run, which runs it again"
  }
}
