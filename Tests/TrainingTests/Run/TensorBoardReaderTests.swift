import Foundation
import TestSupport
import Testing

@testable import Training

/// A Python that has TensorBoard: `GRPO_PYTHON`, or `python3`.
private enum TensorBoardLibrary {
  static let program = ProcessInfo.processInfo.environment["GRPO_PYTHON"] ?? "python3"
  static let isThere = (try? run("import tensorboard", isQuiet: true))?.status == 0

  static func run(
    _ script: String, _ arguments: String..., isQuiet: Bool = false
  ) throws -> (status: Int32, output: String) {
    let ended = try ChildProcess.run([program, "-c", script] + arguments)
    if !isQuiet { FileHandle.standardError.write(Data(ended.errors.utf8)) }
    return (ended.code, ended.output)
  }
}

@Suite("metrics.jsonl in TensorBoard's files")
struct TensorBoardReaderTests {
  /// The files of a run that stopped after step 3 and was resumed at step 2.
  private func resumedRun() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    func log(from step: Int) throws -> MetricsLog {
      try MetricsLog(
        folder["metrics.jsonl"], tensorBoard: folder["tensorboard"], keepingStepsThrough: step)
    }
    do {
      let first = try log(from: -1)
      try first.append(step: 0, ["eval_reward": 0.25])
      for step in 1...3 { try first.append(step: step, ["reward": Double(step), "loss": -0.5]) }
      try first.append(step: 3, ["eval_reward": 99])
    }
    let second = try log(from: 2)
    try second.append(step: 3, ["reward": 30, "loss": -1])
    try second.append(step: 3, ["eval_reward": 0.5])
    return folder
  }

  @Test("each start of a run writes a file of its own; without the setting there is none")
  func files() throws {
    let folder = try resumedRun()
    let names = try FileManager.default.contentsOfDirectory(atPath: folder["tensorboard"].path)
    #expect(names.count == 2)
    #expect(names.allSatisfy { $0.hasPrefix("events.out.tfevents.") })
    _ = try MetricsLog(folder["other.jsonl"], keepingStepsThrough: -1)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted()
        == ["metrics.jsonl", "other.jsonl", "tensorboard"])
  }

  @Test(
    "TensorBoard reads each step once, as the resumed run has it",
    .enabled("needs a Python with tensorboard") { TensorBoardLibrary.isThere })
  func readBack() throws {
    let folder = try resumedRun()
    let script = """
      import sys
      from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
      events = EventAccumulator(sys.argv[1])
      events.Reload()
      for tag in sorted(events.Tags()["scalars"]):
          print(tag, [(e.step, e.value) for e in events.Scalars(tag)])
      """
    let read = try TensorBoardLibrary.run(script, folder["tensorboard"].path)
    #expect(read.status == 0)
    #expect(
      read.output == """
        eval/reward [(0, 0.25), (3, 0.5)]
        train/loss [(1, -0.5), (2, -0.5), (3, -1.0)]
        train/reward [(1, 1.0), (2, 2.0), (3, 30.0)]

        """)
  }
}
