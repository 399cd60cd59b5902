import Foundation
import Rollouts
import TestSupport
import Testing

/// Training again from what a run recorded: the same, with other settings, and with other rewards.
@Suite("grpo train --rollouts, grpo reward rescore")
struct RecordedRunTests {
  private func run(_ words: [String], in folder: URL) throws -> BuiltCommand.Result {
    let ended = try BuiltCommand.run(words, in: folder)
    try #require(ended.code == 0, "\(words): \(ended.errors)")
    return ended
  }

  private func weights(_ run: URL) throws -> Data {
    try Data(contentsOf: run.appendingPathComponent("final/model.safetensors"))
  }

  private func reference() throws -> TemporaryFolder {
    _ = try ShortJob.referenceResult()
    return try #require(ShortJob.reference.folder)
  }

  @Test("with unchanged settings it arrives at the same bytes")
  func unchanged() throws {
    let original = try reference()["run"]
    let folder = try TemporaryFolder()
    _ = try run(["train", "--rollouts", original.path, "--run", "./again"], in: folder.url)
    #expect(try weights(folder["again"]) == weights(original))
  }

  @Test("with dropped groups too: they stay dropped")
  func dropped() throws {
    let folder = try TemporaryFolder()
    let trained = try ShortJob.train("run", in: folder.url, ["--dynamic-sampling"])
    try #require(trained.code == 0, "\(trained.errors)")
    _ = try run(["train", "--rollouts", "./run", "--run", "./again"], in: folder.url)
    #expect(try weights(folder["again"]) == weights(folder["run"]))
  }

  @Test("a preset that is asked for wins over the recorded run's own settings")
  func preset() throws {
    let original = try reference()["run"]
    let folder = try TemporaryFolder()
    let ended = try run(
      ["train", "--rollouts", original.path, "--like", "dr-grpo", "--dry-run"], in: folder.url)
    let settings = try JSONValue.parse(ended.output)
    #expect(settings["loss_type"]?.string == "dr_grpo")
    #expect(settings["scale_rewards"]?.string == "none")
    // What the preset says nothing of stays as it was recorded.
    #expect(settings["prompts_per_step"]?.integer == 4)
  }

  /// What `grpo sample` draws under truncation, in lines that a run learns from: weights and warnings.
  private func trainFromSamples(
    in folder: TemporaryFolder, _ change: (inout JSONObject) -> Void = { _ in }
  ) throws -> (ratio: Double?, errors: String) {
    let model = try reference()["run/final"].path
    let drawn = try run(
      [
        "sample", "--model", model, "12+30=", "-n", "4", "--top-k", "3", "--min-new-tokens", "2",
        "--max-new-tokens", "6", "--json",
      ], in: folder.url)
    let lines = try drawn.output.split(separator: "\n").enumerated().map { index, line in
      var object = try #require(try JSONValue.parse(String(line)).object)
      object["reward"] = .integer(Int64(index))
      change(&object)
      return JSONValue.object(object).jsonText
    }
    try Data(lines.joined(separator: "\n").utf8).write(to: folder["lines.jsonl"])
    let trained = try run(
      [
        "train", "--model", model, "--rollouts", "lines.jsonl", "--run", "./run", "--max-steps",
        "1",
      ], in: folder.url)
    let metrics = try RunResult.metrics(folder["run"])
    let name = "sampling/importance_sampling_ratio/mean"
    return (metrics.compactMap { $0[name]?.double }.first, trained.errors)
  }

  @Test("samples under truncation carry what they were drawn from, and weigh 1")
  func truncatedSamples() throws {
    let folder = try TemporaryFolder()
    let (ratio, errors) = try trainFromSamples(in: folder)
    #expect(ratio == 1)
    #expect(!errors.contains("old_logprobs"), "\(errors)")
    // Its log in turn gives lines that do, and that log and those lines say the same.
    let exported = try run(["log", "export", "./run", "-o", "out.jsonl"], in: folder.url)
    #expect(exported.code == 0)
    _ = try run(["log", "import", "out.jsonl", "again.sqlite"], in: folder.url)
    let logs = try ["run/trajectories.sqlite", "again.sqlite"].map {
      try run(
        [
          "query", $0,
          "SELECT hex(token_ids), hex(sampler_logprobs), hex(kept_sets) FROM completion_tokens",
        ],
        in: folder.url
      ).output
    }
    #expect(logs[0] == logs[1])
  }

  @Test(
    "log-probabilities that can't be this policy's are said to be", arguments: ["kept", "shifted"])
  func foreignSamples(fault: String) throws {
    let (ratio, errors) = try trainFromSamples(in: try TemporaryFolder()) { line in
      if fault == "kept" { line["kept_sets"] = nil }
      let numbers = line["old_logprobs"]?.array ?? []
      if fault == "shifted" {
        line["old_logprobs"] = .array(numbers.map { .number(($0.double ?? 0) - 0.4) })
      }
    }
    #expect(ratio.map { $0 < 0.9 || $0 > 1.1 } == true)
    #expect(errors.contains("warning: old_logprobs differ from the policy's own by "), "\(errors)")
    #expect(errors.contains("kept_sets"), "\(errors)")
  }

  @Test("updates record how far the policy is from its reference")
  func meanKL() throws {
    let folder = try TemporaryFolder()
    let more = [
      "--beta", "0.1", "--num-iterations", "2", "--learning-rate", "0.01", "--max-steps", "2",
    ]
    let trained = try ShortJob.train("run", in: folder.url, more)
    try #require(trained.code == 0, "\(trained.errors)")
    // The metric is per token of the update, the column per completion.
    let rows = try run(
      [
        "query", "./run",
        "SELECT update_index, sum(kl_mean * length) / sum(length), min(kl_mean), count(kl_mean), "
          + "(SELECT value FROM metrics WHERE step_id = 2 AND name = 'kl' "
          + "AND metrics.update_index = updates.update_index) "
          + "FROM completion_updates JOIN updates ON updates.id = update_id "
          + "JOIN completions ON completions.id = completion_id WHERE updates.step_id = 2 "
          + "GROUP BY update_index ORDER BY update_index", "--jsonl",
      ], in: folder.url
    ).output.split(separator: "\n").map { try JSONValue.parse(String($0)) }
    #expect(rows.count == 2)
    for row in rows {
      let values = (row.object ?? [:]).map { $0.value.double ?? .nan }
      #expect(values[3] == 16 && values[2] >= 0 && values[1] > 0)
      #expect(abs(values[1] - values[4]) <= 1e-9 * values[4])
    }
  }

  private static let newReward =
    #"{"use": "regex", "name": "odd", "parameters": {"pattern": "[13579]"}}"#

  @Test("new rewards make a new log; the old one is not changed, and a run learns from the new")
  func rescores() throws {
    let original = try reference()["run"]
    let folder = try TemporaryFolder()
    let before = try Data(contentsOf: original.appendingPathComponent("trajectories.sqlite"))
    let ended = try run(
      [
        "reward", "rescore", original.path, "--reward", Self.newReward, "-o", "./rescored",
        "--json",
      ],
      in: folder.url)
    let report = try JSONValue.parse(ended.output)
    #expect(report["completions"]?.integer == 64 && report["unscored"]?.integer == 0)
    #expect(report["old_mean"] != report["new_mean"])
    #expect(
      try Data(contentsOf: original.appendingPathComponent("trajectories.sqlite")) == before)

    // The same trajectories, other scores, and advantages that fit them.
    let query =
      "SELECT step, draw, sample, hex(token_ids), hex(sampler_logprobs), hex(entropies) "
      + "FROM trajectories JOIN completion_tokens USING (completion_id) ORDER BY 1, 2, 3"
    #expect(
      try run(["query", original.path, query, "--csv"], in: folder.url).output
        == run(["query", "./rescored", query, "--csv"], in: folder.url).output)
    let scores = try run(
      [
        "query", "./rescored",
        "SELECT count(*), sum(reward = (text GLOB '*[13579]*')), sum(advantage > 0 AND reward = 1), "
          + "sum(advantage > 0) FROM trajectories", "--csv",
      ], in: folder.url
    ).output.split(separator: "\n")[1].split(separator: ",").map { Int($0) ?? -1 }
    #expect(scores[0] == 64 && scores[1] == 64)
    #expect(scores[2] == scores[3] && scores[2] > 0)

    _ = try run(["train", "--rollouts", "./rescored", "--run", "./what-if"], in: folder.url)
    #expect(try weights(folder["what-if"]) != weights(original))
    let compared = try run(["query", original.path, "compare", "./rescored"], in: folder.url)
    #expect(compared.output.contains("reward"))
    let summary = try run(["query", "./rescored", "summary"], in: folder.url)
    #expect(summary.output.contains("odd"))
    let replayed = try BuiltCommand.run(["replay", "./rescored"], in: folder.url)
    #expect(replayed.code == 2 && replayed.errors.contains("replay the run that sampled them"))
  }

  @Test("the rewards that the run had give its own scores, weights and advantages again")
  func rescoredAsBefore() throws {
    let original = try reference()["run"]
    let folder = try TemporaryFolder()
    let reward = #"{"use": "regex", "parameters": {"pattern": "^[0-2]"}}"#
    _ = try run(
      ["reward", "rescore", original.path, "--reward", reward, "--into", "./same.sqlite"],
      in: folder.url)
    let query =
      "SELECT step, draw, sample, reward, advantage, finish, text FROM trajectories ORDER BY 1, 2, 3"
    #expect(
      try run(["query", original.path, query, "--csv"], in: folder.url).output
        == run(["query", "./same.sqlite", query, "--csv"], in: folder.url).output)
    // A log by itself knows the weights that its run set out from.
    _ = try run(["train", "--rollouts", "./same.sqlite", "--run", "./again"], in: folder.url)
    #expect(try weights(folder["again"]) == weights(original))
    // Whoever reads a log in WAL mode leaves its shared memory beside it.
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
      .filter { !$0.hasSuffix("-shm") && !$0.hasSuffix("-wal") }
    #expect(names.sorted() == ["again", "same.sqlite"])
  }

  @Test("what can't be rescored is a sentence, and leaves nothing behind")
  func refusals() throws {
    let original = try reference()["run"]
    let folder = try TemporaryFolder()
    try FileManager.default.createDirectory(at: folder["taken"], withIntermediateDirectories: false)
    try Data("mine".utf8).write(to: folder["taken/notes.txt"])
    try Data("mine".utf8).write(to: folder["taken.sqlite"])
    let stops = #"{"use": "./fails.sh", "on_error": "stop", "restart_limit": 2}"#
    let script = "#!/bin/sh\nread -r hello\necho '{\"grpo\": 1, \"name\": \"fails\"}'\nexit 3\n"
    try Data(script.utf8).write(to: folder["fails.sh"])
    chmod(folder["fails.sh"].path, 0o755)
    for (words, code, sentence) in [
      (["--reward", "numeric"], 2, "--into is missing"),
      (["--into", "./x"], 2, "--reward is missing"),
      (["--reward", "nummeric", "--into", "./x"], 2, "numeric"),
      (["--reward", Self.newReward, "--into", "./taken"], 2, "not empty"),
      (["--reward", Self.newReward, "--into", "./taken.sqlite"], 2, "taken.sqlite"),
      (["--reward", stops, "--into", "./x"], 1, "fails"),
      (["--reward", stops, "--into", "./x.sqlite"], 1, "fails"),
    ] as [([String], Int32, String)] {
      let ended = try BuiltCommand.run(
        ["reward", "rescore", original.path] + words, in: folder.url)
      #expect(ended.code == code, "\(words): \(ended.errors)")
      #expect(ended.errors.contains(sentence), "\(words): \(ended.errors)")
    }
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
    #expect(names.sorted() == ["fails.sh", "taken", "taken.sqlite"])
  }
}
