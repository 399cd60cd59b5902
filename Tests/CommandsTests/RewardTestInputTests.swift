import Foundation
import Rollouts
import TestSupport
import Testing

@testable import Commands

/// `grpo reward test` hands a reward what training would: tokens, columns, integers of any size.
@Suite("grpo reward test: what a reward is handed") struct RewardTestInputTests {
  private static let tokenizer = SharedFiles.url("tokenizers/qwen2.5")

  private func lines(_ outcome: EverydayRun.Outcome) throws -> [JSONValue] {
    try outcome.output.split(separator: "\n").map { try JSONValue.parse(String($0)) }
  }

  @Test(
    "token ids by the given tokenizer; a row's own win; without either a length reward says so",
    .enabled(if: SharedFiles.has("tokenizers/qwen2.5"), "needs ../shared"))
  func tokens() throws {
    let run = try EverydayRun()
    let rows = try run.file(
      "rows.jsonl",
      """
      {"completion": "one two three"}
      {"completion": "one two three", "completion_ids": [5, 6]}
      {"completion": ""}
      """)
    let function = try run.file(
      "ids.py", "def f(completion_ids, **kw): return [len(ids) for ids in completion_ids]\n")
    let length = #"{use: "length", parameters: {target: 3, tolerance: 3}}"#
    let folder = Self.tokenizer.path
    for (reward, expected) in [(function, [3.0, 2, 0]), (length, [1, 1 - 1.0 / 3, 0])] {
      for option in ["--tokenizer", "--model"] {
        let with = run.grpo("reward", "test", reward, "--input", rows, "--json", option, folder)
        #expect(with.code == .done, "\(with.errors)")
        #expect(try lines(with).map { $0["score"]?.double } == expected)
      }
      let without = run.grpo("reward", "test", reward, "--input", rows, "--json")
      #expect(without.code == .failed)
      #expect(try lines(without)[0]["error"]?.string?.contains("--tokenizer MODEL") == true)
    }
    let both = run.grpo(
      "reward", "test", length, "--input", rows, "--tokenizer", folder, "--model", folder)
    #expect(both.code == .usage && both.errors.contains("give one of them"))
  }

  @Test("integers beyond 64 bits reach a function and come back, in columns and in parameters")
  func largeIntegers() throws {
    let run = try EverydayRun()
    let rows = try run.file(
      "rows.jsonl", #"{"completion": "x", "n": 123456789012345678901234567890}"# + "\n")
    let function = try run.file(
      "big.py",
      """
      def f(completions, n, m, log_extra, **kw):
          log_extra("n", [value + m for value in n])
          return [float(n == [123456789012345678901234567890] and m == 2**64)]
      """)
    let reward = #"{use: "\#(function):f", parameters: {m: 18446744073709551616}}"#
    let tested = run.grpo("reward", "test", reward, "--input", rows, "--json")
    #expect(tested.code == .done, "\(tested.errors)")
    #expect(tested.output.contains(#""score":1.0"#))
    #expect(tested.output.contains("123456789030792422974944119506"))
  }

  @Test("a column that a function needs and the rows lack ends the test before any call")
  func missingColumn() throws {
    let run = try EverydayRun()
    let rows = try run.file("rows.jsonl", #"{"completion": "x", "answer": "x"}"# + "\n")
    let function = try run.file(
      "score.py",
      "def compute_score(data_source, solution_str, ground_truth, extra_info=None):\n"
        + "    return float(solution_str == ground_truth)\n")
    let without = run.grpo("reward", "test", function, "--input", rows)
    #expect(without.code == .usage)
    #expect(
      without.errors.contains(
        "score.py:compute_score needs the column 'ground_truth' or "
          + "'reward_model.ground_truth', which \(rows) lacks (it has answer)"))
    let reward = #"{use: "\#(function)", columns: {ground_truth: "answer"}}"#
    let with = run.grpo("reward", "test", reward, "--input", rows, "--json")
    #expect(with.code == .done && with.output.contains(#""score":1.0"#), "\(with.errors)")
  }
}
