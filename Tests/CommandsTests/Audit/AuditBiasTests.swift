import Foundation
import Rollouts
import Testing

@testable import Commands

@Suite("grpo audit bias")
struct AuditBiasTests {
  /// Rows of two groups; `offset` is taken from the second's scores.
  private func scores(_ count: Int, offset: Double, more: String = "") -> String {
    (0..<count).map { index in
      let isRight = index % 2 == 0
      let group = index % 4 < 2 ? "north" : "south"
      let score = (isRight ? 1.0 : 0) - (group == "south" ? offset : 0)
      return #"{"region": "\#(group)", "right": \#(isRight), "score": \#(score)\#(more)}"#
    }.joined(separator: "\n")
  }

  @Test("Exit 0 for a fair reward, 1 for a planted bias of 0.25, 1 for too few rows")
  func verdicts() throws {
    let run = try EverydayRun()
    let fair = try run.file("fair.jsonl", scores(2000, offset: 0))
    let unfair = try run.file("unfair.jsonl", scores(2000, offset: 0.25))
    let few = try run.file("few.jsonl", scores(12, offset: 0))
    func audit(_ file: String) -> EverydayRun.Outcome {
      run.grpo(
        "audit", "bias", file, "--group", "region", "--label", "right", "--resamples", "20",
        "--json")
    }
    let passed = audit(fair)
    #expect(passed.code == .done, "\(passed.errors)\(passed.output)")
    let failed = audit(unfair)
    #expect(failed.code == .failed)
    let figures = try JSONValue.parse(failed.output)["groupings"]?.array?[0]["figures"]
    #expect(figures?["score_difference_given_label"]?["value"]?.double == 0.25)
    #expect(try JSONValue.parse(failed.output)["verdict"]?.string == "failed")
    let unknown = audit(few)
    #expect(unknown.code == .failed)
    #expect(try JSONValue.parse(unknown.output)["verdict"]?.string == "too_few_rows")
    let said = run.grpo("audit", "bias", few, "--group", "region", "--resamples", "20")
    #expect(said.output.contains("too few rows") && said.output.contains("not judged"))
  }

  @Test("CSV, several columns, a privileged value, words that are nearly right")
  func words() throws {
    let run = try EverydayRun()
    let rows = (0..<400).map {
      "\($0 % 2 == 0 ? "a" : "b"),\($0 % 4 < 2 ? "x" : "y"),\($0 % 3 == 0 ? 1 : 0)"
    }
    let file = try run.file(
      "s.csv", "gender,age,prediction\n" + rows.joined(separator: "\n") + "\n")
    let both = run.grpo(
      "audit", "bias", file, "--group", "gender", "--group", "age", "--privileged", "gender=a",
      "--resamples", "20", "--json")
    let parsed = try JSONValue.parse(both.output)
    #expect(parsed["groupings"]?.array?.count == 3)
    #expect(parsed["groupings"]?.array?[0]["privileged"]?.array == ["a"])
    func refusal(_ words: String...) -> String {
      let outcome = run.grpo(["audit", "bias", file] + words)
      #expect(outcome.code == .usage, "\(words)")
      return outcome.errors
    }
    #expect(refusal("--group", "gendr").contains("did you mean 'gender'?"))
    #expect(refusal("--group", "gender", "--label", "agee").contains("did you mean 'age'?"))
    #expect(refusal("--group", "gender", "--label", "age").contains("--positive"))
    #expect(refusal("--group", "gender", "--outcome", "age").contains("must be a number"))
    #expect(refusal("--group", "gender", "--privileged", "c").contains("no row of 'gender'"))
    #expect(refusal().contains("--group is missing"))
    #expect(refusal("--group", "gender", "--step", "1..2").contains("belongs to runs"))
    #expect(run.grpo("audit", "bias").code == .usage)
    #expect(run.grpo("audit", "bias", file, "--model", "m", "--group", "age").code == .usage)
    #expect(run.grpo("audit", "bias", "missing.jsonl", "--group", "age").code == .usage)
  }

  @Test("The same prompt with words exchanged, in a file")
  func pairs() throws {
    let run = try EverydayRun()
    let table = try run.file("words.csv", "male,female\nhe,she\n")
    let rows = (0..<40).flatMap { index in
      ["he", "she"].map { word in
        #"{"prompt": "Can \#(word) do \#(index)?", "g": "\#(index % 2)", "score": \#(word == "he" ? 1 : 0)}"#
      }
    }
    let file = try run.file("rows.jsonl", rows.joined(separator: "\n"))
    let audit = run.grpo(
      "audit", "bias", file, "--group", "g", "--pairs", table, "--resamples", "50", "--json")
    #expect(audit.code == .failed)
    let pair = try #require(try JSONValue.parse(audit.output)["pairs"]?.array?.first)
    #expect(pair["pairs"]?.integer == 40 && pair["mean_difference"]?.double == 1)
    #expect((pair["p_value"]?.double ?? 1) < 1e-9)
  }

  @Test("A run's rollouts by the columns of its problems: rewards, refusals, lengths")
  func log() throws {
    let run = try EverydayRun()
    let lines = (0..<400).flatMap { problem in
      (0..<2).map { sample in
        let isNorth = problem % 2 == 0
        let text = !isNorth && sample == 1 ? "I'm sorry, but I can't help" : "42"
        return #"{"group": \#(problem), "prompt": "p\#(problem)", "completion": "\#(text)", "#
          + #""reward": \#(isNorth || sample == 0 ? 1 : 0), "region": "\#(isNorth ? "north" : "south")"}"#
      }
    }
    let dump = try run.file("dump.jsonl", lines.joined(separator: "\n"))
    #expect(run.grpo("log", "import", dump, run.path("run.sqlite")).code == .done)
    let audit = run.grpo(
      "audit", "bias", run.path("run.sqlite"), "--group", "region", "--resamples", "20", "--json")
    #expect(audit.code == .failed, "\(audit.errors)")
    let grouping = try #require(try JSONValue.parse(audit.output)["groupings"]?.array?.first)
    #expect(grouping["groups"]?.array?.map { $0["units"]?.integer } == [200, 200])
    #expect(grouping["figures"]?["refusal_difference"]?["value"]?.double == 0.5)
    #expect(grouping["figures"]?["demographic_parity_difference"]?["value"]?.double == 0.5)
    let recorded = run.grpo(
      "audit", "bias", run.path("run.sqlite"), "--group", "region", "--resamples", "0", "--record")
    #expect(recorded.code == .failed, "\(recorded.errors)")
    let card = run.grpo("card", run.path("run.sqlite"), "-o", "-")
    #expect(card.output.contains("refusal_difference 0.500"))
    let file = run.grpo("audit", "bias", dump, "--group", "region", "--record")
    #expect(file.code == .usage && file.errors.contains("not a run"))
    let wrong = run.grpo("audit", "bias", run.path("run.sqlite"), "--group", "regoin")
    #expect(wrong.code == .usage && wrong.errors.contains("did you mean 'region'?"))
  }
}
