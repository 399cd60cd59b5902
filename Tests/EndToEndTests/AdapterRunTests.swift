import Foundation
import Rollouts
import TestSupport
import Testing

/// Runs that train LoRA adapters keep every promise of runs that train all weights.
@Suite("Runs with LoRA")
struct AdapterRunTests {
  private static let words = [
    "--use-peft", "--lora-r", "4", "--lora-alpha", "8", "--learning-rate", "1e-2",
  ]

  /// The uninterrupted run that the others are held against; made once.
  private static let reference = Reference()

  private final class Reference: Sendable {
    let folder: TemporaryFolder?
    let result: RunResult?
    let said: String

    init() {
      folder = try? TemporaryFolder()
      guard let folder,
        let ended = try? ShortJob.train("run", in: folder.url, AdapterRunTests.words)
      else {
        (result, said) = (nil, "the reference could not be run")
        return
      }
      said = ended.errors
      result = ended.code == 0 ? try? RunResult(folder["run"]) : nil
    }
  }

  private static func referenceResult() throws -> RunResult {
    try #require(reference.result, "\(reference.said)")
  }

  @Test("the same seed gives the same bytes")
  func repeats() throws {
    let reference = try Self.referenceResult()
    let folder = try TemporaryFolder()
    let ended = try ShortJob.train("run", in: folder.url, Self.words)
    try #require(ended.code == 0, "\(ended.errors)")
    try RunResult.expectSame(folder["run"], reference)
    #expect(!FileManager.default.fileExists(atPath: folder["run/final/model.safetensors"].path))
  }

  @Test("activations computed again give the same bytes")
  func recomputed() throws {
    let reference = try Self.referenceResult()
    let folder = try TemporaryFolder()
    let ended = try ShortJob.train(
      "run", in: folder.url, Self.words + ["--gradient-checkpointing"])
    try #require(ended.code == 0, "\(ended.errors)")
    let result = try RunResult(folder["run"])
    let isSame = result.weights == reference.weights
    #expect(isSame)
    #expect(result.metrics == reference.metrics)
  }

  @Test(
    "killed at a named point, a run goes on as if nothing had been",
    arguments: ["cold-start:7", "sampling:20", "updating:4", "checkpointing:2", "renaming:3"])
  func crashPoints(point: String) throws {
    let reference = try Self.referenceResult()
    let folder = try TemporaryFolder()
    let killed = try ShortJob.train(
      "run", in: folder.url, Self.words, environment: ["GRPO_CRASH_AT": point])
    #expect(killed.code == -SIGKILL, "\(killed.errors)")
    let ended = try ShortJob.resume("run", in: folder.url)
    try #require(ended.code == 0, "\(ended.errors)")
    try RunResult.expectSame(folder["run"], reference, "\(point)")
  }

  @Test("with a reference, the policy that acted is the one that learns, and it moves")
  func reference() throws {
    let folder = try TemporaryFolder()
    let ended = try ShortJob.train("run", in: folder.url, Self.words + ["--beta", "0.05"])
    try #require(ended.code == 0, "\(ended.errors)")
    let steps = try RunResult.metrics(folder["run"]).filter { $0["kl"] != nil }
    #expect(steps.count == 4)
    #expect(steps.allSatisfy { $0["sampler/logp_difference_max"]?.double == 0 })
    #expect(steps.first?["kl"]?.double == 0)
    #expect((steps.last?["kl"]?.double ?? 0) > 0)
  }

  /// The adapter's product and the merged one's differ by float32 rounding alone.
  @Test("final/ is scored as it is, and merged")
  func final() throws {
    _ = try Self.referenceResult()
    let run = try #require(Self.reference.folder)["run"]
    let folder = try TemporaryFolder()
    let exported = try BuiltCommand.run(
      ["export", "--merge", run.path + "/final", "./whole"], in: folder.url)
    try #require(exported.code == 0, "\(exported.errors)")
    try Data(#"{"prompt": "012+345=", "completion": "357"}"#.utf8).write(to: folder["rows.jsonl"])
    func score(_ model: String) throws -> [Double] {
      let ended = try BuiltCommand.run(
        ["score", "--model", model, "--input", "rows.jsonl"], in: folder.url)
      try #require(ended.code == 0, "\(ended.errors)")
      return try JSONValue.parse(ended.output).object?["logprobs"]?.array?.compactMap(\.double)
        ?? []
    }
    let scores = try (score(run.path + "/final"), score("./whole"), score(run.path + "/initial"))
    #expect(scores.0.count >= 3)
    for (adapted, merged) in zip(scores.0, scores.1) { #expect(abs(adapted - merged) < 1e-4) }
    #expect(zip(scores.0, scores.2).contains { abs($0 - $1) > 1e-3 })

    let plain = try BuiltCommand.run(["export", run.path + "/final", "./other"], in: folder.url)
    #expect(plain.code == 2 && plain.errors.contains("--merge"))
  }

  @Test("an adapter is trained further, with its own rank")
  func trainedFurther() throws {
    _ = try Self.referenceResult()
    let run = try #require(Self.reference.folder)["run"]
    let folder = try TemporaryFolder()
    let more = [
      "--model", run.path + "/final", "--use-peft", "--dataset", "arithmetic",
      "--eval-dataset", "arithmetic/eval", "--sft-dataset", "arithmetic",
      "--max-completion-length", "6",
    ]
    let ended = try ShortJob.train("more", in: folder.url, more)
    try #require(ended.code == 0, "\(ended.errors)")
    let configuration = try JSONValue.parse(
      String(contentsOf: folder["more/final/adapter_config.json"], encoding: .utf8))
    #expect(configuration.object?["r"]?.integer == 4)

    let wrong = try ShortJob.train("wrong", in: folder.url, more + ["--lora-r", "9"])
    #expect(wrong.code == 2 && wrong.errors.contains("lora_r"), "\(wrong.errors)")
    let whole = try ShortJob.train(
      "whole", in: folder.url,
      [
        "--model", run.path + "/final", "--dataset", "arithmetic", "--eval-dataset",
        "arithmetic/eval",
      ])
    #expect(whole.code == 2 && whole.errors.contains("--use-peft"), "\(whole.errors)")
  }
}
