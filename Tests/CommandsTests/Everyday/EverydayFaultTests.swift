import Foundation
import Testing

@testable import Commands

@Suite("Bad words and bad files end in one clear sentence and exit 2")
struct EverydayFaultTests {
  private let run: EverydayRun

  init() throws { run = try EverydayRun() }

  private func expectRefusal(
    _ outcome: EverydayRun.Outcome, _ parts: String..., source: SourceLocation = #_sourceLocation
  ) {
    #expect(outcome.code == .usage, "\(outcome.errors)", sourceLocation: source)
    #expect(outcome.output.isEmpty, sourceLocation: source)
    for part in parts {
      #expect(
        outcome.errors.contains(part), "\(part) in: \(outcome.errors)", sourceLocation: source)
    }
  }

  @Test("A missing model, in each command")
  func missingModel() throws {
    let rows = try run.file("r.jsonl", "{\"prompt_ids\":[1],\"completion_ids\":[2]}\n")
    for command in ["score", "sample"] {
      expectRefusal(run.grpo(command, "--input", rows), "--model is missing")
      expectRefusal(
        run.grpo(command, "--input", rows, "--model", "Qwen/Qwen2.5-0.5B"), "hf download")
    }
    expectRefusal(run.grpo("eval"), "--model", "--dataset", "--reward")
    expectRefusal(run.grpo("export", run.path("nowhere"), run.path("x")), "there is no such folder")
    expectRefusal(run.grpo("sft", "--sft-dataset", rows), "model is missing", "grpo init")
  }

  @Test("A broken line of rollouts is named")
  func brokenLines() throws {
    let model = run.smallModel()
    let good = "{\"prompt_ids\":[3],\"completion_ids\":[4]}\n"
    for (line, part) in [
      ("{\"prompt_ids\":[3]", "line 3"),
      ("{\"completion_ids\":[3]}", "line 3: has neither 'prompt_ids' nor 'prompt'"),
      ("{\"prompt_ids\":[],\"completion_ids\":[3]}", "'prompt_ids' is empty"),
      ("{\"prompt_ids\":[3],\"completion_ids\":[3.5]}", "'completion_ids'"),
      ("{\"prompt_ids\":[3],\"completion_ids\":[99]}", "line 3: 'completion_ids' has the id 99"),
      ("{\"prompt_ids\":[3],\"completion_ids\":[4],\"reward\":\"x\"}", "'reward' must be"),
      (
        "{\"prompt_ids\":[3],\"completion_ids\":[4],\"old_logprobs\":[1,2]}",
        "'old_logprobs' has 2 numbers for the 1 sampled tokens"
      ),
      ("[1]", "line 3"), ("{\"prompt\":7,\"completion\":\"1\"}", "line 3: 'prompt'"),
    ] {
      let file = try run.file("bad.jsonl", good + good + line + "\n")
      expectRefusal(run.grpo("score", "--model", model, "--input", file), "bad.jsonl", part)
    }
    let long = String(repeating: "1,", count: 70) + "1"
    let file = try run.file("bad.jsonl", "{\"prompt_ids\":[3],\"completion_ids\":[\(long)]}\n")
    expectRefusal(run.grpo("score", "--model", model, "--input", file), "context is 64")
    expectRefusal(
      run.grpo("score", "--model", model, "--input", try run.file("none.jsonl", "")), "is empty")
    expectRefusal(
      run.grpo("score", "--model", model, "--input", run.path("nothing.jsonl")),
      "there is no such file")
  }

  @Test("What stands is never overwritten")
  func existing() throws {
    let model = run.smallModel()
    let before = try FileManager.default.contentsOfDirectory(atPath: model).sorted()
    expectRefusal(run.grpo("init", model), "is there already")
    expectRefusal(run.grpo("export", model, model), "is there already")
    let rows = try run.file("s.jsonl", "{\"prompt\":\"1\",\"completion\":\"2\"}\n")
    expectRefusal(
      run.grpo("sft", "--model", model, "--sft-dataset", rows, "--run", model), "is not empty")
    #expect(try FileManager.default.contentsOfDirectory(atPath: model).sorted() == before)
  }

  @Test("Sizes that don't fit together")
  func sizes() {
    expectRefusal(
      run.grpo("init", run.path("x"), "--hidden-size", "30", "--heads", "4"), "hidden_size")
    expectRefusal(run.grpo("init", run.path("x"), "--tokenizer", "none"), "--vocab-size is missing")
    expectRefusal(run.grpo("init", run.path("x"), "--vocab-size", "5"), "vocab_size is 5")
    expectRefusal(
      run.grpo("init", run.path("x"), "--hidden-size", "60000", "--layers", "900"),
      "at most 4096")
    #expect(!FileManager.default.fileExists(atPath: run.path("x")))
    #expect(!FileManager.default.fileExists(atPath: run.path("x.partial")))
    expectRefusal(run.grpo("bench", "--prompt-length", "3000"), "context of 2048")
  }

  @Test("Prompts that a model can't take")
  func prompts() throws {
    let model = run.smallModel()
    expectRefusal(run.grpo("sample", "--model", model, "--chat", "1"), "no chat template")
    expectRefusal(run.grpo("sample", "--model", model, ""), "the prompt has no tokens")
    expectRefusal(
      run.grpo("sample", "--model", model, String(repeating: "1", count: 80)), "context is 64")
    let rows = try run.file("p.jsonl", "{\"prompt\":\"1\"}\n{\"text\":\"2\"}\n")
    expectRefusal(run.grpo("sample", "--model", model, "--input", rows), "p.jsonl, line 2")
    expectRefusal(run.grpo("sample", "--model", model, "1", "--input", rows), "give one")
  }
}
