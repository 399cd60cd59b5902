import Foundation
import Rollouts
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
    #expect(!contents.contains { $0.hasSuffix(".partial") || $0.hasSuffix("-wal") })
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
  }

  @Test("the same inputs give the same bytes in weights, metrics and log")
  func repeats() throws {
    let reference = try ShortJob.referenceResult()
    let folder = try TemporaryFolder()
    // Another name and place: circumstance.
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
  }

  @Test("passes over a rollout at a large learning rate are clipped")
  func clips() throws {
    let folder = try TemporaryFolder()
    let ended = try ShortJob.train(
      "run", in: folder.url,
      [
        "--num-iterations", "2", "--updates-per-rollout", "2", "--learning-rate", "0.02",
        "--loss-type", "grpo", "--num-generations", "8", "--eval-steps", "100",
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
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
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
