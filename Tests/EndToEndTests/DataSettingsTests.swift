import Foundation
import Rollouts
import TestSupport
import Testing

/// What `grpo data` makes and finds, and what a run does with several files.
@Suite("Data from making to training")
struct DataSettingsTests {
  private func run(_ words: [String], in folder: TemporaryFolder) throws -> String {
    let ended = try BuiltCommand.run(words, in: folder.url)
    try #require(ended.code == 0, "\(words.joined(separator: " ")): \(ended.errors)")
    return ended.output
  }

  private func rows(_ url: URL) throws -> [JSONObject] {
    try String(contentsOf: url, encoding: .utf8).split(separator: "\n").map {
      try #require(try JSONValue.parse(String($0)).object)
    }
  }

  @Test(
    "every task is made, the same twice, inspected, and has nothing in common with what is held out",
    arguments: ["arithmetic", "countdown", "char-count", "reverse-text", "sort"])
  func tasks(task: String) throws {
    let folder = try TemporaryFolder()
    for place in ["a", "b"] {
      _ = try run(
        ["data", "make", task, "--rows", "60", "--eval-rows", "20", "--seed", "3", "-o", place],
        in: folder)
    }
    let bytes = try Data(contentsOf: folder["a/train.jsonl"])
    let again = try Data(contentsOf: folder["b/train.jsonl"])
    #expect(bytes == again)
    let made = try rows(folder["a/train.jsonl"])
    #expect(made.count == 60)
    #expect(made.allSatisfy { $0["prompt"] != nil && $0["difficulty"]?.double != nil })
    let found = try JSONValue.parse(
      run(["data", "inspect", "a", "--against", "a", "--json"], in: folder))
    #expect(found["rows"]?.integer == 60)
    #expect(found["repeated_prompts"]?.integer == 0)
    #expect(found["against"]?["equal"]?.integer == 0)
  }

  @Test("files are mixed by weight, filtered by length, split by content, and drawn by difficulty")
  func training() throws {
    let folder = try TemporaryFolder()
    for (place, digits) in [("one", "1"), ("two", "2"), ("three", "3")] {
      _ = try run(
        [
          "data", "make", "arithmetic", "--digits", digits, "--rows", "30", "--eval-rows", "0",
          "-o", place,
        ], in: folder)
    }
    _ = try run(
      [
        "init", "./small", "--alphabet", "0123456789+-*=() ", "--hidden-size", "16", "--layers",
        "1", "--heads", "2", "--kv-heads", "1", "--intermediate-size", "16", "--context", "32",
      ], in: folder)
    _ = try run(
      [
        "train", "--run", "./run", "--model", "./small", "--dataset", "one", "--dataset", "two=2",
        "--dataset", "three", "--eval-fraction", "0.2", "--max-prompt-length", "6",
        "--overlong-prompts", "skip", "--curriculum", "difficulty", "--max-steps", "12",
        "--prompts-per-step", "5", "--num-generations", "2", "--max-completion-length", "4",
        "--reward", "exact_match", "--threads", "1",
      ], in: folder)
    let exported = try run(["log", "export", "./run"], in: folder).split(separator: "\n").map {
      try #require(try JSONValue.parse(String($0)).object)
    }
    let drawn = exported.enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
    #expect(drawn.count == 60)
    // "10+22=" has six characters: what is longer, all three-digit sums among them, was left out.
    #expect(drawn.allSatisfy { ($0["prompt_ids"]?.array?.count ?? 99) <= 6 })
    let difficulties = drawn.compactMap { $0["columns"]?["difficulty"]?.double }
    #expect(difficulties == difficulties.sorted())
    #expect(Set(difficulties).count > 1)
    let twice = Dictionary(grouping: drawn) { $0["prompt"]?.string ?? "" }.values.filter {
      $0.count == 2
    }
    #expect(!twice.isEmpty, "rows of weight 2 stand twice in a pass")
  }
}
