import Foundation
import Rollouts
import TestSupport
import Testing

@testable import Commands

@Suite("The commands around a model")
struct ModelCommandsTests {
  private let run: EverydayRun

  init() throws { run = try EverydayRun() }

  private func bytes(_ path: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: path))
  }

  @Test("The same words make the same model, another seed another")
  func initIsDeterministic() throws {
    let first = try bytes(run.smallModel("a") + "/model.safetensors")
    #expect(try bytes(run.smallModel("b") + "/model.safetensors") == first)
    #expect(try bytes(run.smallModel("c", seed: 2) + "/model.safetensors") != first)
  }

  @Test("A model in the shape of another has its tokenizer and layers as asked")
  func initLike() throws {
    let outcome = run.grpo("init", run.path("b"), "--like", run.smallModel("a"), "--layers", "1")
    #expect(outcome.code == .done, "\(outcome.errors)")
    let config = try JSONValue.parse(
      String(contentsOfFile: run.path("b/config.json"), encoding: .utf8))
    #expect(config["num_hidden_layers"] == 1)
    #expect(
      try bytes(run.path("a/tokenizer.json")) == (try bytes(run.path("b/tokenizer.json"))))
  }

  @Test("What is sampled is scored with the same bits, whatever stands beside it")
  func scoreEqualsSample() throws {
    let model = run.smallModel()
    let prompts = try run.file("p.jsonl", "{\"prompt\":\"1+2=\"}\n{\"prompt\":\"10+20=\"}\n")
    let sampled = run.grpo(
      "sample", "--model", model, "--input", prompts, "-n", "5", "--json", "--max-new-tokens", "20",
      "--temperature", "0.7")
    #expect(sampled.code == .done, "\(sampled.errors)")
    let rollouts = try run.file("r.jsonl", sampled.output)
    let scored = run.grpo("score", "--model", model, "--input", rollouts, "--temperature", "0.7")
    #expect(scored.code == .done, "\(scored.errors)")
    let drawn = try sampled.output.split(separator: "\n").map { try JSONValue.parse(String($0)) }
    let lines = try scored.output.split(separator: "\n").map { try JSONValue.parse(String($0)) }
    #expect(drawn.count == 10)
    #expect(drawn.map { $0["old_logprobs"] } == lines.map { $0["logprobs"] })
    #expect(drawn.map { $0["entropies"] } == lines.map { $0["entropies"] })
  }

  @Test("The number of completions asked for changes none of them")
  func samplesAreKeyed() {
    let model = run.smallModel()
    func sample(_ count: String, threads: String) -> [Substring] {
      run.grpo(
        "sample", "--model", model, "1+2=", "-n", count, "--json", "--threads", threads,
        "--max-new-tokens", "12"
      ).output.split(separator: "\n")
    }
    #expect(sample("3", threads: "1") == Array(sample("6", threads: "2").prefix(3)))
  }

  @Test("A single completion is the text alone, cut before a stop string")
  func streamedText() throws {
    let model = run.smallModel()
    let whole = run.grpo("sample", "--model", model, "1+2=", "--max-new-tokens", "30").output
    let text = whole.dropLast()
    let middle = text.index(text.startIndex, offsetBy: text.count / 2)
    let stop = String(text[middle...].prefix(2))
    let cut = run.grpo(
      "sample", "--model", model, "1+2=", "--max-new-tokens", "30", "--stop", stop
    ).output
    let expected = try #require(text.range(of: stop))
    #expect(cut == text[..<expected.lowerBound] + "\n")
  }

  @Test("An export in float32 has the same bytes, in bfloat16 half of them; damage is found")
  func exportAndVerify() throws {
    let model = run.smallModel()
    #expect(run.grpo("export", model, run.path("same")).code == .done)
    let weights = try bytes(model + "/model.safetensors")
    #expect(try bytes(run.path("same/model.safetensors")) == weights)
    #expect(run.grpo("export", model, run.path("half"), "--dtype", "bfloat16").code == .done)
    #expect(try bytes(run.path("half/model.safetensors")).count < weights.count * 2 / 3)
    #expect(run.grpo("doctor", "--verify", run.path("half")).code == .done)

    let damaged = URL(fileURLWithPath: run.path("half/config.json"))
    try (try Data(contentsOf: damaged) + Data(" ".utf8)).write(to: damaged)
    let verdict = run.grpo("doctor", "--verify", run.path("half"))
    #expect(verdict.code == .failed)
    #expect((verdict.output + verdict.errors).contains("config.json"))
  }

  @Test("A model is no better than itself")
  func evalAgainstItself() throws {
    let model = run.smallModel()
    let rows = (0..<20).map { "{\"prompt\":\"\($0)+1=\",\"answer\":\"\($0 + 1)\"}\n" }
    let data = try run.file("e.jsonl", rows.joined())
    let outcome = run.grpo(
      "eval", "--model", model, "--versus", model, "--dataset", data, "--reward", "exact_match",
      "-n", "4", "--max-new-tokens", "4", "--json")
    #expect(outcome.code == .done, "\(outcome.errors)")
    let report = try JSONValue.parse(outcome.output)
    #expect(report["comparison"]?["ties"] == 20)
    #expect(report["comparison"]?["p_value"]?.double == 1)
    #expect(report["models"]?.array?.first?["maj_at_k"]?["4"] != nil)
  }

  @Test("Supervised fine-tuning lowers the loss; stopped and resumed it ends in the same bytes")
  func sft() throws {
    let model = run.smallModel()
    let rows = (0..<40).map { "{\"prompt\":\"\($0)+1=\",\"completion\":\"\($0 + 1)\"}\n" }
    let data = try run.file("s.jsonl", rows.joined())
    func train(_ name: String, patience: Int?) -> EverydayRun.Outcome {
      run.grpo(
        "sft", "--model", model, "--sft-dataset", data, "--run", run.path(name), "--sft-steps",
        "30", "--sft-batch-size", "8", "--sft-learning-rate", "5e-3", "--eval-dataset", data,
        stoppingAfter: patience)
    }
    #expect(train("whole", patience: nil).code == .done)
    let stopped = train("parts", patience: 11)
    #expect(stopped.code == .interrupted)
    #expect(stopped.errors.contains("--resume"))
    #expect(run.grpo("sft", "--resume", run.path("parts")).code == .done)
    #expect(
      try bytes(run.path("whole/final/model.safetensors"))
        == (try bytes(run.path("parts/final/model.safetensors"))))
    let metrics = try String(contentsOfFile: run.path("whole/metrics.jsonl"), encoding: .utf8)
      .split(separator: "\n").map { try JSONValue.parse(String($0)) }
    let held = metrics.compactMap { $0["eval_loss"]?.double }
    #expect(held.count == 2)
    #expect(held[1] < 0.8 * held[0])
  }

  @Test("A benchmark says how fast each phase is")
  func bench() throws {
    let outcome = run.grpo(
      "bench", "--model", run.smallModel(), "--prompts", "2", "--group", "2", "--prompt-length",
      "5", "--completion-length", "3", "--repeats", "2", "--json")
    #expect(outcome.code == .done, "\(outcome.errors)")
    let report = try JSONValue.parse(outcome.output)
    #expect(report["phases"]?.object?.keys == ["prefill", "sampling", "update"])
    #expect(report["phases"]?["update"]?["tokens"] == 12)
    #expect((report["phases"]?["sampling"]?["best_tokens_per_second"]?.double ?? 0) > 0)
  }
}

@Suite("Scores against PyTorch's")
struct GoldenScoreTests {
  private static let names = [
    "llama-gqa", "llama-tied", "llama3-rope", "mistral", "qwen2", "qwen3",
  ]

  @Test(
    "'grpo score' gives transformers' log-probabilities",
    .enabled(if: SharedFiles.has("golden/models")), arguments: names)
  func golden(_ name: String) throws {
    let folder = SharedFiles.url("golden/models/\(name)")
    let golden = try JSONValue.parse(
      String(contentsOf: folder.appendingPathComponent("golden.json"), encoding: .utf8))
    let prompts = golden["prompt_ids"]?.array ?? []
    let completions = golden["completion_ids"]?.array ?? []
    let lines = zip(prompts, completions).map { prompt, completion in
      JSONValue.object(["prompt_ids": prompt, "completion_ids": completion]).jsonText + "\n"
    }
    let run = try EverydayRun()
    let outcome = run.grpo(
      "score", "--model", folder.path, "--input", try run.file("r.jsonl", lines.joined()))
    #expect(outcome.code == .done, "\(outcome.errors)")
    let scored = try outcome.output.split(separator: "\n").map {
      try JSONValue.parse(String($0))["logprobs"]?.array?.compactMap(\.double) ?? []
    }
    let wanted = (golden["logprobs_float64"]?.array ?? []).map {
      $0.array?.compactMap(\.double) ?? []
    }
    #expect(scored.map(\.count) == wanted.map(\.count))
    let worst = zip(scored.joined(), wanted.joined()).map { abs($0 - $1) }.max() ?? .infinity
    // Float32 against float64 through a few layers; the golden folder's own float32 is as far.
    #expect(worst < 1e-5)
  }
}
