import Foundation
import Rollouts
import TestSupport
import Testing

/// What may be different when a run is resumed, and what is found out where it was changed underneath.
@Suite("A resumed run")
struct ResumedRunTests {
  /// A run that was killed in its third step, with checkpoints after the first ones.
  private func stopped(_ more: [String] = []) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let killed = try ShortJob.train(
      "run", in: folder.url, more, environment: ["GRPO_CRASH_AT": "updating:3"])
    try #require(killed.code == -SIGKILL, "\(killed.errors)")
    return folder
  }

  private func resume(_ more: [String], in folder: TemporaryFolder) throws -> BuiltCommand.Result {
    try BuiltCommand.run(["train", "--resume", "./run"] + more, in: folder.url)
  }

  private func flipBit(of file: URL, at fraction: Double = 0.5) throws {
    var bytes = try Data(contentsOf: file)
    bytes[Int(Double(bytes.count) * fraction)] ^= 0x40
    try bytes.write(to: file)
  }

  // MARK: Settings

  @Test(
    "keeps what its weights depend on",
    arguments: [
      ["--learning-rate", "1e-4"], ["--seed", "9"], ["--beta", "0.1"], ["--like", "dr-grpo"],
      ["--dry-run"], ["--config", "run/config.json"],
    ])
  func refused(more: [String]) throws {
    let folder = try stopped()
    let ended = try resume(more, in: folder)
    #expect(ended.code == 2, "\(ended.errors)")
    #expect(
      ended.errors.contains(String(more[0].dropFirst(2)).replacing("-", with: "_"))
        || ended.errors.contains(more[0]), "\(ended.errors)")
    #expect(try resume([], in: folder).code == 0)
    try RunResult.expectSame(folder["run"], try ShortJob.referenceResult())
  }

  @Test("goes on longer; replay and retraining follow the change")
  func longer() throws {
    // The learning rate falls to nothing at the planned end, so that the plan is in every weight.
    let folder = try TemporaryFolder()
    let schedule = ["--lr-scheduler-type", "linear"]
    let first = try ShortJob.train("run", in: folder.url, schedule)
    try #require(first.code == 0, "\(first.errors)")
    let ended = try resume(["--max-steps", "6", "--save-steps", "3"], in: folder)
    #expect(ended.code == 0, "\(ended.errors)")
    #expect(ended.errors.contains("max_steps was 4 and is 6"), "\(ended.errors)")
    // The folder has the new settings: nothing is different when it is resumed once more.
    let again = try resume([], in: folder)
    #expect(again.code == 0 && !again.errors.contains("from here on"), "\(again.errors)")

    let replayed = try BuiltCommand.run(["replay", "./run"], in: folder.url)
    #expect(replayed.code == 0, "\(replayed.output)\(replayed.errors)")
    #expect(replayed.output.contains("of 6 steps"))
    let retrained = try BuiltCommand.run(
      ["train", "--rollouts", "./run", "--run", "./retrained"], in: folder.url)
    #expect(retrained.code == 0, "\(retrained.errors)")
    let weights = try ["run", "retrained"].map {
      try Data(contentsOf: folder["\($0)/final/model.safetensors"])
    }
    #expect(weights[0] == weights[1])
    let shorter = try resume(["--max-steps", "3"], in: folder)
    #expect(shorter.code != 0 && shorter.errors.contains("stands after step 6"))
  }

  // MARK: Inputs

  @Test("is refused where its data are others now")
  func changedData() throws {
    let folder = try TemporaryFolder()
    let rows = (0..<12).map { #"{"prompt": "\#($0)+1=", "answer": "\#($0 + 1)"}"# + "\n" }
    try Data(rows.joined().utf8).write(to: folder["rows.jsonl"])
    let words = ["--dataset", "rows.jsonl", "--eval-dataset", "rows.jsonl"]
    let killed = try ShortJob.train(
      "run", in: folder.url, words, environment: ["GRPO_CRASH_AT": "updating:3"])
    try #require(killed.code == -SIGKILL, "\(killed.errors)")
    try Data(rows.reversed().joined().utf8).write(to: folder["rows.jsonl"])
    let ended = try resume([], in: folder)
    #expect(ended.code != 0)
    #expect(ended.errors.contains("the rows of rows.jsonl"), "\(ended.errors)")
  }

  @Test("goes on with data that lie elsewhere now, as the run that it was")
  func movedData() throws {
    let rows = (0..<12).map { #"{"prompt": "\#($0)+1=", "answer": "\#($0 + 1)"}"# + "\n" }
    let (folder, still) = (try TemporaryFolder(), try TemporaryFolder())
    for folder in [folder, still] {
      try Data(rows.joined().utf8).write(to: folder["rows.jsonl"])
    }
    let words = ["--dataset", "rows.jsonl"]
    let uninterrupted = try ShortJob.train("run", in: still.url, words)
    try #require(uninterrupted.code == 0, "\(uninterrupted.errors)")
    let killed = try ShortJob.train(
      "run", in: folder.url, words, environment: ["GRPO_CRASH_AT": "updating:3"])
    try #require(killed.code == -SIGKILL, "\(killed.errors)")
    try FileManager.default.moveItem(at: folder["rows.jsonl"], to: folder["moved.jsonl"])
    let ended = try resume(["--dataset", "moved.jsonl"], in: folder)
    #expect(ended.code == 0, "\(ended.errors)")
    // The log says rows.jsonl of every problem, before and after.
    try RunResult.expectSame(folder["run"], try RunResult(still["run"]))
  }

  @Test("records a change of its settings, also where it was killed before it could")
  func killedWhileChanging() throws {
    let folder = try stopped()
    let killed = try BuiltCommand.run(
      ["train", "--resume", "./run", "--max-steps", "6"], in: folder.url,
      environment: ["GRPO_CRASH_AT": "changing"])
    try #require(killed.code == -SIGKILL, "\(killed.errors)")
    // Its config.json has the new number; its log doesn't yet.
    let ended = try resume([], in: folder)
    try #require(ended.code == 0, "\(ended.errors)")
    #expect(ended.errors.contains("max_steps was 4 and is 6"), "\(ended.errors)")
    let replayed = try BuiltCommand.run(["replay", "./run"], in: folder.url)
    #expect(replayed.code == 0, "\(replayed.output)\(replayed.errors)")
    #expect(replayed.output.contains("of 6 steps"))
    let again = try resume([], in: folder)
    #expect(again.code == 0 && !again.errors.contains("max_steps was"), "\(again.errors)")
  }

  @Test("is refused where its settings were edited")
  func editedSettings() throws {
    let folder = try stopped()
    let file = folder["run/config.json"]
    let text = try String(contentsOf: file, encoding: .utf8)
    try text.replacing(#""temperature": 1"#, with: #""temperature": 2"#)
      .write(to: file, atomically: true, encoding: .utf8)
    let ended = try resume([], in: folder)
    #expect(ended.code != 0)
    #expect(ended.errors.contains("temperature, which was 1"), "\(ended.errors)")
  }

  @Test("is refused where its first checkpoint, which is the reference, is damaged")
  func damagedReference() throws {
    let folder = try stopped(["--beta", "0.1"])
    try flipBit(of: folder["run/checkpoints/step-000000/model.safetensors"])
    let ended = try resume([], in: folder)
    #expect(ended.code != 0)
    #expect(ended.errors.contains("step-000000: model.safetensors is damaged"), "\(ended.errors)")
    let retrained = try BuiltCommand.run(
      ["train", "--rollouts", "./run", "--run", "./again"], in: folder.url)
    #expect(retrained.code == 2)
    #expect(retrained.errors.contains("is damaged"), "\(retrained.errors)")
  }

  @Test("doesn't trust a checkpoint that the log knows nothing of")
  func logBehind() throws {
    let folder = try stopped()
    // The log as it was before the first step, beside checkpoints of the first two.
    let early = try TemporaryFolder()
    let killed = try ShortJob.train(
      "run", in: early.url, environment: ["GRPO_CRASH_AT": "sampling:1"])
    try #require(killed.code == -SIGKILL)
    let log = "run/trajectories.sqlite"
    for ending in ["", "-wal", "-shm"] {
      try? FileManager.default.removeItem(at: folder[log + ending])
      try? FileManager.default.copyItem(at: early[log + ending], to: folder[log + ending])
    }
    let ended = try resume([], in: folder)
    #expect(ended.code == 0, "\(ended.errors)")
    #expect(ended.errors.contains("the log lacks what was done up to step 2"), "\(ended.errors)")
    try RunResult.expectSame(folder["run"], try ShortJob.referenceResult())

    for ending in ["", "-wal", "-shm"] {
      try? FileManager.default.removeItem(at: folder[log + ending])
    }
    let without = try resume([], in: folder)
    #expect(without.code == 2)
    #expect(without.errors.contains("is missing or empty"), "\(without.errors)")
  }

  // MARK: Checkpoints

  @Test("keeps the best checkpoint, whether or not a save was due, as if it had never stopped")
  func best() throws {
    let words = [
      "--metric-for-best-model", "eval_reward", "--save-total-limit", "1", "--eval-steps", "1",
      "--save-steps", "3", "--max-steps", "5", "--learning-rate", "0.02",
    ]
    let whole = try TemporaryFolder()
    try #require(try ShortJob.train("run", in: whole.url, words).code == 0)
    let folder = try stopped(words)
    #expect(try resume([], in: folder).code == 0)
    let kept = try [whole, folder].map {
      try FileManager.default.contentsOfDirectory(atPath: $0["run/checkpoints"].path).sorted()
    }
    #expect(kept[0] == kept[1])
    let best = try bestStep(of: whole["run/metrics.jsonl"])
    let digits = String(repeating: "0", count: 5) + "\(best)"
    #expect(kept[0].contains("step-\(digits)"), "best after step \(best), kept \(kept[0])")
  }

  private func bestStep(of metrics: URL) throws -> Int {
    let lines = try String(contentsOf: metrics, encoding: .utf8).split(separator: "\n")
    let values = try lines.compactMap { line -> (step: Int, reward: Double)? in
      let line = try JSONValue.parse(String(line))
      guard let step = line["step"]?.integer, let reward = line["eval_reward"]?.double else {
        return nil
      }
      return (Int(step), reward)
    }
    let greatest = try #require(values.map(\.reward).max())
    return try #require(values.first { $0.reward == greatest }).step
  }

  @Test("is compared file by file: adapters, tokenizers, configurations")
  func comparison() throws {
    let folder = try TemporaryFolder()
    let words = ["--use-peft", "--lora-r", "2", "--max-steps", "2", "--save-steps", "1"]
    try #require(try ShortJob.train("run", in: folder.url, words).code == 0)
    for file in ["adapter_model.safetensors", "adapter_config.json", "tokenizer.json"] {
      let copy = folder["copy-\(file)"]
      try FileManager.default.copyItem(at: folder["run"], to: copy)
      let same = try BuiltCommand.run(["doctor", "--same", "./run", copy.path], in: folder.url)
      #expect(same.code == 0, "\(same.output)\(same.errors)")
      try flipBit(of: copy.appendingPathComponent("final/\(file)"), at: 0.9)
      let other = try BuiltCommand.run(["doctor", "--same", "./run", copy.path], in: folder.url)
      #expect(other.code == 1 && other.output.contains("\(file) in final/"), "\(other.output)")
      let verified = try BuiltCommand.run(
        ["doctor", "--verify", copy.appendingPathComponent("final").path], in: folder.url)
      #expect(verified.code == 1 && verified.output.contains("damaged"), "\(verified.output)")
    }
  }

  @Test("or begun twice at once, one has the folder, and its settings stay")
  func race() throws {
    let folder = try TemporaryFolder()
    let runs = try [1, 2].map { seed in
      try BuiltCommand.start(
        ["train", "--run", "./run"] + ShortJob.words(but: ["--seed", "\(seed)"]), in: folder.url)
    }
    let codes = try runs.map { try $0.wait().code }
    #expect(codes.sorted() == [0, 2])
    let settings = try JSONValue.parse(
      String(contentsOf: folder["run/config.json"], encoding: .utf8))
    #expect(settings["seed"]?.integer == (codes[0] == 0 ? 1 : 2))
  }
}
