import Foundation
import Rollouts
import Synchronization
import Testing

@testable import Training

@Suite("A run of supervised training")
struct SupervisedRunTests {
  private let temporary: TemporaryFolder

  init() throws {
    temporary = try TemporaryFolder()
    try EmbeddedJob.writeModel(seed: 3, to: temporary["model"])
    let rows = (10...25).map { #"{"prompt": "\#($0)+1=", "completion": "\#($0 + 1)"}"# + "\n" }
    try Data(rows.joined().utf8).write(to: temporary["rows.jsonl"])
  }

  private func resolved(_ more: [String: [String]] = [:]) throws -> ResolvedConfiguration {
    try ResolvedConfiguration.resolve(
      options: [
        "model": [temporary["model"].path], "sft_dataset": [temporary["rows.jsonl"].path],
        "eval_dataset": [temporary["rows.jsonl"].path], "sft_steps": ["6"],
        "sft_batch_size": ["2"], "eval_steps": ["2"], "save_steps": ["2"], "threads": ["1"],
        "tensorboard": ["false"],
      ].merging(more) { $1 })
  }

  private func train(
    _ name: String, _ more: [String: [String]] = [:], resuming: Bool = false,
    stoppingAt stop: Int? = nil
  ) throws -> (outcome: TrainingOutcome, folder: RunFolder) {
    let folder = RunFolder(temporary[name])
    let reached = Reached()
    let run = try SupervisedRun(
      try resolved(more), folder: folder, resuming: resuming,
      observer: TrainingObserver(
        observe: { if case .supervised(let progress) = $0 { reached.note(progress.update) } },
        isCancelled: { stop.map { reached.update >= $0 } ?? false }))
    return (try run.run(), folder)
  }

  /// The last update that was done.
  private final class Reached: Sendable {
    private let last = Mutex(0)
    var update: Int { last.withLock { $0 } }
    func note(_ update: Int) { last.withLock { $0 = update } }
  }

  private func metrics(_ folder: RunFolder) -> [String] {
    MetricsLog.lines(of: folder.metrics).map { line in
      JSONValue.object(JSONObject(line.filter { !$0.key.hasPrefix("time/") })).jsonText
    }
  }

  private func weights(_ folder: RunFolder) throws -> Data {
    try Data(contentsOf: folder.final.appendingPathComponent("model.safetensors"))
  }

  @Test(
    "stopped and resumed it comes to the same weights and metrics, evaluations too",
    arguments: [2, 3])
  func resumed(stop: Int) throws {
    let (outcome, whole) = try train("whole")
    #expect(outcome == .done)
    #expect(metrics(whole).count { $0.contains("eval_loss") } == 4)
    #expect(try train("stopped", stoppingAt: stop).outcome == .interrupted(step: stop))
    let (again, folder) = try train("stopped", resuming: true)
    #expect(again == .done)
    #expect(try weights(folder) == weights(whole))
    #expect(metrics(folder) == metrics(whole))
  }

  @Test("keeps the newest checkpoints alone, and none of either end")
  func rotation() throws {
    let (_, all) = try train("all")
    #expect(all.checkpointSteps == [2, 4])
    let (_, one) = try train("one", ["save_total_limit": ["1"]])
    #expect(one.checkpointSteps == [4])
  }
}
