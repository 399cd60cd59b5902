import Foundation
import Rollouts
import Testing
import TrajectoryStore

@testable import Training

/// Whatever way of sampling a run has, its log takes it through resume, replay and retraining.
@Suite("Every sampling setting alone and in pairs")
struct SamplingSettingsTests {
  /// Values that change which tokens can be drawn, so that every form of kept set comes up.
  private static let settings: [[String: [String]]] = [
    ["temperature": ["1.7"]], ["top_k": ["5"]], ["top_p": ["0.6"]], ["min_p": ["0.3"]],
    ["min_new_tokens": ["3"]], ["stop": ["7"]], ["max_completion_length": ["1"]],
  ]

  /// None, each alone, and every pair.
  private static let choices: [[String: [String]]] = {
    var choices: [[String: [String]]] = [[:]] + settings
    for (place, first) in settings.enumerated() {
      for second in settings[(place + 1)...] {
        let pair = first.merging(second) { a, _ in a }
        // Three tokens at least and one at most is refused.
        if pair["min_new_tokens"] != nil, pair["max_completion_length"] != nil { continue }
        choices.append(pair)
      }
    }
    return choices
  }()

  /// A model of a thousand weights and four sums, made once.
  private static let material: TemporaryFolder? = {
    guard let folder = try? TemporaryFolder() else { return nil }
    var shape = NewModel.smallLlama
    for (name, size) in [
      ("hidden_size", 8), ("intermediate_size", 12), ("num_attention_heads", 2),
      ("num_hidden_layers", 1),
      ("num_key_value_heads", 1), ("max_position_embeddings", 64),
    ] { shape[name] = .integer(Int64(size)) }
    let rows = (1...4).map { #"{"prompt": "\#($0)+1="}"# + "\n" }
    do {
      _ = try NewModel(configuration: shape, words: .characters(Array("0123456789+=")), seed: 3)
        .write(to: folder["model"])
      try Data(rows.joined().utf8).write(to: folder["rows.jsonl"])
    } catch { return nil }
    return folder
  }()

  private func options(_ sampling: [String: [String]]) throws -> [String: [String]] {
    let material = try #require(Self.material)
    return [
      "model": [material["model"].path], "dataset": [material["rows.jsonl"].path],
      "max_steps": ["2"],
      "prompts_per_step": ["2"], "num_generations": ["2"], "max_completion_length": ["5"],
      "threads": ["1"], "save_steps": ["1"], "tensorboard": ["false"], "warmup_steps": ["0"],
      "beta": ["0.1"], "learning_rate": ["0.01"],
      "reward": [#"{"use": "length", "parameters": {"target": 3, "tolerance": 3}}"#],
    ].merging(sampling) { $1 }
  }

  private func finish(_ run: TrainingRun) throws {
    guard case .done = try run.train() else { throw Unfinished() }
  }
  private struct Unfinished: Error {}

  private func weights(_ folder: RunFolder) throws -> Data {
    try Data(contentsOf: folder.final.appendingPathComponent("model.safetensors"))
  }

  @Test("is resumed, replayed and trained from again, bit for bit", arguments: choices)
  func wholeWay(sampling: [String: [String]]) throws {
    let temporary = try TemporaryFolder()
    let run = RunFolder(temporary["run"])
    let resolved = try ResolvedConfiguration.resolve(options: try options(sampling))
    try finish(
      TrainingRun(starting: try RunPreparation(resolved, folder: run), observer: TrainingObserver())
    )
    let reader = try TrajectoryReader(readOnly: run.log)
    let logged = try #require(try reader.step(2))

    // Without its later checkpoints every update is redone from the log.
    let resumed = RunFolder(temporary["resumed"])
    try FileManager.default.copyItem(at: run.url, to: resumed.url)
    for step in 1...2 { resumed.removeCheckpoint(step: step) }
    try FileManager.default.removeItem(at: resumed.final)
    try finish(
      TrainingRun(
        resuming: try RunPreparation(
          try ResolvedConfiguration.resolve(options: [:], files: [resumed.configuration.path]),
          folder: resumed), observer: TrainingObserver()))
    #expect(try weights(resumed) == weights(run))
    #expect(try TrajectoryReader(readOnly: resumed.log).step(2)?.groups == logged.groups)

    let replay = try RunReplay(
      of: run, settings: resolved, scope: RunReplay.Scope(), observer: ReplayObserver())
    let report = try #require(try replay.run())
    #expect(
      report.isIdentical && report.completions == 8, "\(String(describing: report.firstDifference))"
    )
    #expect(report.checkpoints == 2)

    let recorded = try #require(try RecordedRun(run.url.path))
    let again = RunFolder(temporary["again"])
    let same = try ResolvedConfiguration.resolve(
      options: ["rollouts": [recorded.path]], recordedRun: recorded.settings)
    try finish(
      TrainingRun(starting: try RunPreparation(same, folder: again), observer: TrainingObserver()))
    #expect(try weights(again) == weights(run))

    // Lines carry what the log has: trained from, they are the same distribution.
    var lines: [String] = []
    try RolloutFileWriter(readOnly: run.log).write {
      lines.append($0)
      return true
    }
    let file = temporary["lines.jsonl"]
    try Data(lines.joined(separator: "\n").utf8).write(to: file)
    let read = try RolloutFile(reading: file.path)
    #expect(
      read.lines.suffix(4).map(\.keptSets) == logged.groups.flatMap(\.completions).map(\.keptSets))
  }

  @Test("a retraining whose reference is its own comes to the same bits when it is resumed")
  func resumedRetraining() throws {
    let temporary = try TemporaryFolder()
    let run = RunFolder(temporary["run"])
    let resolved = try ResolvedConfiguration.resolve(options: try options(["beta": ["0"]]))
    try finish(
      TrainingRun(starting: try RunPreparation(resolved, folder: run), observer: TrainingObserver())
    )
    let recorded = try #require(try RecordedRun(run.url.path))
    let changed = try ResolvedConfiguration.resolve(
      options: ["rollouts": [recorded.path], "beta": ["0.1"]], recordedRun: recorded.settings)
    let again = RunFolder(temporary["again"])
    try finish(
      TrainingRun(
        starting: try RunPreparation(changed, folder: again), observer: TrainingObserver()))
    let first = try weights(again)
    for step in 1...2 { again.removeCheckpoint(step: step) }
    try FileManager.default.removeItem(at: again.final)
    try finish(
      TrainingRun(
        resuming: try RunPreparation(
          try ResolvedConfiguration.resolve(options: [:], files: [again.configuration.path]),
          folder: again), observer: TrainingObserver()))
    #expect(try weights(again) == first)
  }
}
