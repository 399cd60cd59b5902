import Foundation
import Rollouts
import Testing

@testable import Training

@Suite("The frame of a run")
struct TrainingLoopTests {
  /// A stage that writes down what it is asked for.
  private final class Witness: RunStage {
    var calls: [String] = []
    var recordedEvaluations: [Int: [String: Double]] = [:]
    /// The evaluations by step.
    var values: [Int: Double] = [:]
    var stopsIn: String?

    private func note(_ call: String) throws {
      calls.append(call)
      if call == stopsIn { throw Interruption() }
    }

    func trainStep(_ step: Int) throws { try note("step \(step)") }
    func evaluate(after step: Int) throws -> [String: Double]? {
      try note("evaluate \(step)")
      return values[step].map { ["eval_reward": $0] }
    }
    func settle() throws {}
    func writeCheckpoint(after step: Int, to folder: URL) throws {
      try note("save \(step)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }
    func recordCheckpoint(after step: Int) throws { try note("record save \(step)") }
    func recordInterruption(after step: Int) throws { try note("stopped \(step)") }
    func writeFinal(after step: Int) throws { try note("final \(step)") }
    func finish() throws { try note("done") }
  }

  private let temporary: TemporaryFolder
  private var folder: RunFolder { RunFolder(temporary.url) }
  private let witness = Witness()

  init() throws { temporary = try TemporaryFolder() }

  private func calendar(steps: Int = 5) -> TrainingLoop.Calendar {
    TrainingLoop.Calendar(
      steps: steps, evaluationSteps: 2, evaluatesFirst: true, checkpointSteps: 3, savesEnds: true)
  }

  private func run(
    _ calendar: TrainingLoop.Calendar, after step: Int = 0,
    isCancelled: @escaping @Sendable () -> Bool = { false }
  ) throws -> TrainingOutcome {
    let observer = TrainingObserver(isCancelled: isCancelled)
    let metrics = try MetricsLog(of: folder, hasTensorBoard: false, after: step, observer)
    return try TrainingLoop(
      witness, by: calendar, in: folder, metrics: metrics, after: step, observer: observer
    ).run()
  }

  private var metrics: [String] {
    MetricsLog.lines(of: folder.metrics).map { line in
      "\(line["step"]?.integer ?? -1): \(line["eval_reward"]?.double ?? -1)"
    }
  }

  @Test("evaluates and saves by the calendar, at both ends too")
  func order() throws {
    witness.values = [0: 0.5, 4: 0.75]
    #expect(try run(calendar()) == .done)
    #expect(
      witness.calls == [
        "evaluate 0", "save 0", "record save 0", "step 1", "step 2", "evaluate 2", "step 3",
        "save 3", "record save 3", "step 4", "evaluate 4", "step 5", "evaluate 5", "save 5",
        "record save 5", "final 5", "done",
      ])
    #expect(metrics == ["0: 0.5", "4: 0.75"])
  }

  @Test("saves neither end where the stage has no use for it")
  func ends() throws {
    var calendar = calendar()
    calendar.savesEnds = false
    #expect(try run(calendar) == .done)
    #expect(witness.calls.filter { $0.hasPrefix("save") } == ["save 3"])
  }

  @Test("goes on after a checkpoint with what a stop may have left out")
  func resumed() throws {
    #expect(try run(calendar(steps: 7), after: 6) == .done)
    #expect(
      witness.calls == [
        "evaluate 6", "record save 6", "step 7", "evaluate 7", "save 7", "record save 7",
        "final 7", "done",
      ])
  }

  @Test("a stop saves where the run stands, and doesn't record what the calendar didn't ask for")
  func interrupted() throws {
    witness.stopsIn = "step 3"
    #expect(try run(calendar()) == .interrupted(step: 2))
    #expect(witness.calls.suffix(3) == ["step 3", "save 2", "stopped 2"])
    #expect(folder.checkpointSteps == [0, 2])
  }

  @Test("a stop between two steps is seen before the next")
  func cancelled() throws {
    #expect(try run(calendar(), isCancelled: { true }) == .interrupted(step: 0))
    #expect(
      witness.calls == ["evaluate 0", "save 0", "record save 0", "stopped 0"])
  }

  @Test("keeps the first, the best and the newest checkpoints, across a stop too")
  func rotation() throws {
    var calendar = calendar(steps: 4)
    calendar.evaluationSteps = 1
    calendar.checkpointSteps = 1
    calendar.checkpointLimit = 2
    calendar.bestMetric = ("eval_reward", greaterIsBetter: true)
    witness.values = [0: 0.1, 1: 0.9, 2: 0.5, 3: 0.9, 4: 0.2]
    #expect(try run(calendar) == .done)
    #expect(folder.checkpointSteps == [0, 1, 3, 4])

    // Resumed after step 4, the best so far is known from the record alone.
    witness.recordedEvaluations = witness.values.mapValues { ["eval_reward": $0] }
    calendar.steps = 6
    #expect(try run(calendar, after: 4) == .done)
    #expect(folder.checkpointSteps == [0, 1, 5, 6])
  }
}
