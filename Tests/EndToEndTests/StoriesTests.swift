import Foundation
import Rollouts
import TestSupport
import Testing

/// A really trained model, real prompts, and a reward in another process.
@Suite("stories260K with the cheerful-words reward")
struct StoriesTests {
  private static let isThere =
    SharedFiles.has("models/stories260K") && SharedFiles.has("data/tinystories/prompts.jsonl")

  private static let reward = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Rewards/cheerful-words/cheerful_words.py")

  /// The first prompts, cut to their first twelve words.
  private func prompts(_ count: Int) throws -> String {
    let text = try String(
      contentsOf: SharedFiles.url("data/tinystories/prompts.jsonl"), encoding: .utf8)
    let lines = try text.split(separator: "\n").prefix(count).map { line in
      let prompt = try #require(try JSONValue.parse(String(line))["prompt"]?.string)
      let words = prompt.split(whereSeparator: \.isWhitespace).prefix(12)
      return JSONValue.object(["prompt": .string(words.joined(separator: " "))]).jsonText + "\n"
    }
    return lines.joined()
  }

  private func words(_ run: String) -> [String] {
    [
      "train", "--run", "./\(run)", "--model", SharedFiles.url("models/stories260K").path,
      "--dataset", "prompts.jsonl", "--reward", Self.reward.path, "--threads", "2",
      "--max-steps", "3", "--prompts-per-step", "8", "--num-generations", "8",
      "--max-completion-length", "64", "--learning-rate", "5e-4", "--lr-scheduler-type", "constant",
      "--loss-type", "grpo", "--save-steps", "2",
    ]
  }

  @Test("three steps, twice the same; killed in the middle, the same again", .enabled(if: isThere))
  func trains() throws {
    let folder = try TemporaryFolder()
    try Data(try prompts(64).utf8).write(to: folder["prompts.jsonl"])
    let ended = try BuiltCommand.run(words("run"), in: folder.url)
    try #require(ended.code == 0, "\(ended.errors)")
    let steps = try RunResult.metrics(folder["run"])
    #expect(steps.count == 3)
    for step in steps {
      let reward = try #require(step["reward"]?.double)
      // TRL's mean at the first steps is about 0.2 (../shared/reference/TRL-curve.md).
      #expect(reward > 0.02 && reward < 0.6)
      #expect(step["sampler/logp_difference_max"]?.double == 0)
      #expect(try #require(step["grad_norm"]?.double) > 0)
    }
    let reference = try RunResult(folder["run"])
    let killed = try BuiltCommand.run(
      words("killed"), in: folder.url, environment: ["GRPO_CRASH_AT": "sampling:100"])
    #expect(killed.code == -SIGKILL, "\(killed.errors)")
    let resumed = try BuiltCommand.run(["train", "--resume", "./killed"], in: folder.url)
    try #require(resumed.code == 0, "\(resumed.errors)")
    try RunResult.expectSame(folder["killed"], reference)
  }

  @Test(
    "final/ loads in transformers and gives the same log-probabilities",
    .enabled(if: isThere && hasTransformers, "needs Python with transformers"))
  func transformersLoads() throws {
    let folder = try TemporaryFolder()
    try Data(try prompts(16).utf8).write(to: folder["prompts.jsonl"])
    let ended = try BuiltCommand.run(words("run"), in: folder.url)
    try #require(ended.code == 0, "\(ended.errors)")
    let script = """
      import sys
      from transformers import AutoModelForCausalLM, AutoTokenizer
      model = AutoModelForCausalLM.from_pretrained(sys.argv[1])
      tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
      ids = tokenizer("Once upon a time", return_tensors="pt").input_ids
      assert model(ids).logits.shape[-1] == model.config.vocab_size
      """
    #expect(Self.python(["-c", script, folder["run/final"].path]))
  }

  private static let hasTransformers = python(["-c", "import transformers, torch"])

  private static func python(_ words: [String]) -> Bool {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3"] + words
    process.standardError = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return false }
    process.waitUntilExit()
    return process.terminationStatus == 0
  }
}
