import Foundation
import Rollouts
import TestSupport
import Testing

@Suite("grpo train")
struct TrainTests {
  @Test("the default job makes the documented folder")
  func folder() throws {
    _ = try ShortJob.referenceResult()
    let run = try #require(ShortJob.reference.folder)["run"]
    let contents = Set(try FileManager.default.subpathsOfDirectory(atPath: run.path))
    for path in [
      "config.json", "trajectories.sqlite", "metrics.jsonl",
      "checkpoints/step-000002/model.safetensors", "checkpoints/step-000002/optimizer.safetensors",
      "checkpoints/step-000002/trainer.json", "checkpoints/step-000002/config.json",
      "checkpoints/step-000004/tokenizer.json", "final/config.json", "final/model.safetensors",
      "final/tokenizer.json", "final/provenance.json",
    ] { #expect(contents.contains(path), "\(path)") }
    #expect(!contents.contains { $0.hasSuffix(".partial") })
    #expect(ShortJob.reference.said.contains("grpo query"))
    let steps = try RunResult.metrics(run).map { line in
      "\(line["step"]?.integer ?? -1)\(line["eval_reward"] == nil ? "" : " evaluated")"
    }
    #expect(steps == ["0 evaluated", "1", "2", "2 evaluated", "3", "4", "4 evaluated"])
  }

  @Test("the policy that acted is the policy that learns: no difference, ratios of 1")
  func onePolicy() throws {
    _ = try ShortJob.referenceResult()
    let lines = try RunResult.metrics(#require(ShortJob.reference.folder)["run"])
    let steps = lines.filter { $0["loss"] != nil }
    #expect(steps.count == 4)
    for step in steps {
      #expect(step["sampler/logp_difference_max"]?.double == 0)
      for name in ["ratio/min", "ratio/max"] where step[name] != nil {
        #expect(step[name]?.double == 1, "\(name)")
      }
      #expect(step["clip_ratio/region_mean"]?.double == 0)
    }
    #expect(steps.contains { ($0["grad_norm"]?.double ?? 0) > 0 })
  }

  @Test("grpo score gives the logged numbers, on one thread and from the checkpoint's files")
  func scores() throws {
    _ = try ShortJob.referenceResult()
    let folder = try #require(ShortJob.reference.folder)
    for (step, checkpoint) in [(1, "step-000000"), (3, "step-000002")] {
      let export = try BuiltCommand.run(
        ["log", "export", "./run", "--step", "\(step)", "-o", "step-\(step).jsonl"], in: folder.url)
      try #require(export.code == 0, "\(export.errors)")
      let scored = try BuiltCommand.run(
        [
          "score", "--model", "run/checkpoints/\(checkpoint)", "--input", "step-\(step).jsonl",
          "--threads", "1",
        ], in: folder.url)
      try #require(scored.code == 0, "\(scored.errors)")
      func numbers(_ text: String, _ key: String) throws -> [[Double]] {
        try text.split(separator: "\n").map { line in
          try #require(try JSONValue.parse(String(line))[key]?.array).map { $0.double ?? .nan }
        }
      }
      let logged = try numbers(
        String(contentsOf: folder["step-\(step).jsonl"], encoding: .utf8), "old_logprobs")
      #expect(logged.count == 16)
      #expect(try numbers(scored.output, "logprobs") == logged)
    }
  }

  @Test("the same inputs give the same bytes in weights, metrics and log")
  func repeats() throws {
    let reference = try ShortJob.referenceResult()
    let folder = try TemporaryFolder()
    // Another name and place: nondeterministic columns.
    let ended = try ShortJob.train("again", in: folder.url)
    try #require(ended.code == 0, "\(ended.errors)")
    try RunResult.expectSame(folder["again"], reference)
  }

  @Test("another seed gives another run")
  func seeds() throws {
    let reference = try ShortJob.referenceResult()
    let folder = try TemporaryFolder()
    let ended = try ShortJob.train("other", in: folder.url, ["--seed", "7"])
    try #require(ended.code == 0, "\(ended.errors)")
    let other = try RunResult(folder["other"])
    #expect(other.weights != reference.weights && other.metrics != reference.metrics)
    #expect(other.log != reference.log)
  }

  @Test("passes over a rollout at a large learning rate are clipped")
  func clips() throws {
    let folder = try TemporaryFolder()
    let ended = try ShortJob.train(
      "run", in: folder.url,
      [
        "--num-iterations", "2", "--updates-per-rollout", "2", "--learning-rate", "0.02",
        "--loss-type", "grpo", "--num-generations", "8", "--eval-steps", "100",
        "--lr-scheduler-type", "constant",
      ])
    try #require(ended.code == 0, "\(ended.errors)")
    let shares = try RunResult.metrics(folder["run"]).compactMap {
      $0["clip_ratio/region_mean"]?.double
    }
    #expect(shares.count == 4 && shares.contains { $0 > 0 })
  }

  // MARK: Manners

  @Test("an unknown setting ends with code 2 and the nearest name, before any work")
  func unknownSetting() throws {
    let folder = try TemporaryFolder()
    let ended = try BuiltCommand.run(
      ["train", "--run", "./run", "--lerning-rate", "1", "--max-step", "2"], in: folder.url)
    #expect(ended.code == 2)
    #expect(ended.errors.contains("learning-rate") && ended.errors.contains("max-steps"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
  }

  @Test("a run never overwrites an older folder")
  func takenFolder() throws {
    let folder = try TemporaryFolder()
    try FileManager.default.createDirectory(at: folder["run"], withIntermediateDirectories: false)
    try Data("mine".utf8).write(to: folder["run/notes.txt"])
    let ended = try ShortJob.train("run", in: folder.url)
    #expect(ended.code == 2 && ended.errors.contains("--resume"))
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder["run"].path) == ["notes.txt"])
  }

  @Test("--dry-run prints settings and plan, and touches nothing")
  func dryRun() throws {
    let folder = try TemporaryFolder()
    let ended = try ShortJob.train("run", in: folder.url, ["--dry-run"])
    #expect(ended.code == 0)
    #expect(try JSONValue.parse(ended.output)["max_steps"]?.integer == 4)
    #expect(ended.errors.contains("peak"))
    #expect(
      ended.errors.contains("Rewards, each started and greeted:\n  regex: built in, scores 0 … 1"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
  }

  @Test("--dry-run starts every reward: one that cannot be, and a column that lacks, end it")
  func dryRunOfRewards() throws {
    let folder = try TemporaryFolder()
    try Data(
      """
      def good(completions, **kwargs): return [1.0 for _ in completions]
      def needy(completions, solution, grade): return [1.0 for _ in completions]
      """.utf8
    ).write(to: folder["rewards.py"])
    func dryRun(_ reward: String) throws -> BuiltCommand.Result {
      try ShortJob.train("run", in: folder.url, ["--dry-run", "--reward", reward])
    }
    let good = try dryRun("rewards.py:good=0.5")
    #expect(good.code == 0)
    #expect(good.errors.contains("  good: python function, scores any, weight 0.5"))
    let needy = try dryRun("rewards.py:needy")
    #expect(needy.code == 2 && needy.output.isEmpty)
    #expect(needy.errors.contains("rewards.py:needy needs the columns 'solution', 'grade'"))
    try Data(#"{"prompt": "1+1=", "solution": "2", "grade": 1}"#.utf8).write(
      to: folder["rows.jsonl"])
    try Data(#"{"prompt": "1+1=", "solution": "2"}"#.utf8).write(to: folder["held.jsonl"])
    let held = try ShortJob.train(
      "run", in: folder.url,
      [
        "--dry-run", "--dataset", "rows.jsonl", "--eval-dataset", "held.jsonl", "--reward",
        "rewards.py:needy",
      ])
    #expect(
      held.errors.contains(
        "needs the column 'grade', which rows.jsonl or held.jsonl lacks (it has solution)"),
      "\(held.errors)")
    try Data(#"{"prompt": "1+1=", "answer": "\\frac{"}"#.utf8).write(to: folder["held.jsonl"])
    let warned = try ShortJob.train(
      "run", in: folder.url,
      [
        "--dry-run", "--dataset", "held.jsonl", "--reward", "math", "--reward",
        "{use: 'rewards.py:good', cache: true}",
      ])
    #expect(warned.code == 0)
    #expect(warned.errors.contains("cannot score 1 of 1 rows of held.jsonl: line 1: "))
    #expect(warned.errors.contains("\"good\": cache: true remembers nothing"))
    for name in ["rows.jsonl", "held.jsonl"] {
      try FileManager.default.removeItem(at: folder[name])
    }
    #expect(try dryRun("rewards.absent").errors.contains("rewards has no function 'absent'"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["rewards.py"])
  }

  @Test("a folder that can't be made is a sentence, not a trap")
  func unwritable() throws {
    let folder = try TemporaryFolder()
    try Data().write(to: folder["file"])
    let ended = try ShortJob.train("file/run", in: folder.url)
    #expect(ended.code == 2 || ended.code == 1)
    #expect(ended.errors.contains("file"))
  }
}
