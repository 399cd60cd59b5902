import Foundation
import Rollouts
import Testing

@testable import Commands

@Suite("grpo data profile, select, canary; grpo cost, grpo card")
struct DataToolsTests {
  /// Ten sums and ten words; of the sums the even rows are always solved, the odd ones now and then; of the words none.
  private func material(_ run: EverydayRun) throws -> (data: String, log: String) {
    func prompt(_ row: Int) -> String {
      row < 10 ? "\(row + 10)+\(row + 31)=" : "Translate the word \(row), please."
    }
    let rows = (0..<20).map {
      #"{"prompt": "\#(prompt($0))", "answer": "right", "side": "\#($0 % 2)"}"#
    }
    let data = try run.file("data.jsonl", rows.joined(separator: "\n"))
    let lines = (0..<16).flatMap { row in
      (0..<4).map { sample -> String in
        let isRight = row < 10 && (row % 2 == 0 || sample == 0)
        let answer = isRight ? "right" : row == 12 ? "agreed" : "wrong \(sample)"
        let line: JSONObject = [
          "group": .integer(Int64(row)), "prompt": .string(prompt(row)),
          "completion": .string(answer), "reward": .integer(isRight ? 1 : 0),
          "side": .string("\(row % 2)"),
        ]
        return JSONValue.object(line).jsonText
      }
    }
    let dump = try run.file("dump.jsonl", lines.joined(separator: "\n"))
    #expect(run.grpo("log", "import", dump, run.path("run.sqlite")).code == .done)
    return (data, run.path("run.sqlite"))
  }

  @Test("Kinds, difficulty, what is never solved, and a reward that looks wrong")
  func profile() throws {
    let run = try EverydayRun()
    let (data, log) = try material(run)
    let profile = run.grpo("data", "profile", data, "--run", log, "--kinds", "2", "--json")
    #expect(profile.code == .done, "\(profile.errors)")
    let parsed = try JSONValue.parse(profile.output)
    #expect(parsed["kinds"]?.array?.map { $0["rows"]?.integer } == [10, 10])
    #expect(parsed["kinds"]?.array?.compactMap { $0["solved"]?.double }.sorted() == [0, 25.0 / 40])
    #expect(parsed["never_solved"]?.array == [10, 11, 12, 13, 14, 15])
    #expect(parsed["always_solved"]?.array == [0, 2, 4, 6, 8])
    #expect(parsed["reward_looks_wrong"]?.array == [12])
    let shown = run.grpo("data", "profile", data, "--run", log)
    #expect(shown.code == .done && shown.output.contains("never solved: 6"))
    let other = try run.file("other.jsonl", #"{"prompt": "something else"}"#)
    #expect(run.grpo("data", "profile", other, "--run", log).code == .usage)
    #expect(run.grpo("data", "profile", data, "--solved-at", "1").code == .usage)
  }

  @Test("Rows by learning value, by kind, by novelty, by parity")
  func select() throws {
    let run = try EverydayRun()
    let (data, log) = try material(run)
    func rows(_ words: String...) throws -> [String] {
      let outcome = run.grpo(["data", "select", data, "--budget", "5"] + words)
      #expect(outcome.code == .done, "\(outcome.errors)")
      return try outcome.output.split(separator: "\n").map {
        try JSONValue.parse(String($0))["prompt"]?.string ?? ""
      }
    }
    // The odd sums, solved one time out of four, teach the most.
    #expect(try rows("--run", log) == [1, 3, 5, 7, 9].map { "\($0 + 10)+\($0 + 31)=" })
    let kinds = try rows("--run", log, "--by", "kind", "--kinds", "2")
    #expect(Set([2, 3]).contains(kinds.count { $0.contains("+") }))
    #expect(try rows("--by", "novelty").contains { $0.contains("Translate") })
    #expect(try rows("--by", "parity", "--group", "side", "--label", "answer").count == 5)
    for words in [
      [], ["--budget", "3"], ["--budget", "3", "--by", "parity", "--group", "side"],
      ["--budget", "3", "--by", "novelty", "--run", log],
      ["--budget", "3", "--by", "parity", "--group", "sied", "--label", "answer"],
    ] {
      #expect(run.grpo(["data", "select", data] + words).code == .usage, "\(words)")
    }
  }

  @Test("Canaries stand among the rows as often as they say; their file has the controls too")
  func canary() throws {
    let run = try EverydayRun()
    let (data, _) = try material(run)
    let (out, list) = (run.path("planted.jsonl"), run.path("canaries.jsonl"))
    let words = [
      "data", "canary", data, "-o", out, "--canaries", list, "--count", "6", "--copies", "0,1,3",
    ]
    let done = run.grpo(words)
    #expect(done.code == .done, "\(done.errors)")
    let rows = try String(contentsOfFile: out, encoding: .utf8).split(separator: "\n")
    let canaries = try String(contentsOfFile: list, encoding: .utf8).split(separator: "\n")
      .map { try JSONValue.parse(String($0)) }
    #expect(rows.count == 20 + 2 * (1 + 3) && canaries.count == 6)
    for canary in canaries {
      let secret = try #require(canary["secret"]?.string)
      #expect(rows.count { $0.contains(secret) } == canary["copies"]?.integer)
    }
    // The others keep their order.
    let others = rows.filter { !$0.contains("access code") }
    #expect(others.joined(separator: "\n").contains("10+31") && others.count == 20)
    #expect(run.grpo(words).code == .usage)
    #expect(run.grpo(words + ["--force", "--copies", "x"]).code == .usage)
    #expect(run.grpo(words + ["--force", "--template", "none"]).code == .usage)
  }

  @Test("DeepSeek-V3's pre-training, by the command")
  func projection() throws {
    let run = try EverydayRun()
    let outcome = run.grpo(
      "cost", "--parameters", "37e9", "--tokens", "14.8e12", "--hardware", "h800", "--utilization",
      "0.34627", "--price-per-hour", "2", "--ranks", "2048", "--json")
    #expect(outcome.code == .done, "\(outcome.errors)")
    let parsed = try JSONValue.parse(outcome.output)
    #expect(abs((parsed["device_hours"]?.double ?? 0) / 2.664e6 - 1) < 1e-3)
    #expect(abs((parsed["money"]?.double ?? 0) / 5.328e6 - 1) < 1e-3)
    #expect(run.grpo("cost", "--parameters", "1e9").code == .usage)
    #expect(run.grpo("cost", "--hardware", "h100").code == .usage)
    #expect(
      run.grpo("cost", "--parameters", "1e9", "--model", "m", "--hardware", "h100").code == .usage)
  }

  @Test("A card of a log: head, numbers, no card twice")
  func card() throws {
    let run = try EverydayRun()
    let (_, log) = try material(run)
    let printed = run.grpo("card", log, "-o", "-", "--license", "mit")
    #expect(printed.code == .done, "\(printed.errors)")
    #expect(printed.output.hasPrefix("---\nlicense: \"mit\"\n"))
    #expect(printed.output.contains("64 completions"))
    let path = run.path("README.md")
    #expect(run.grpo("card", log, "-o", path).code == .done)
    #expect(run.grpo("card", log, "-o", path).code == .usage)
    #expect(run.grpo("card", log, "-o", path, "--force").code == .done)
    #expect(run.grpo("card", log).code == .usage)
  }
}

@Suite("grpo query --by")
struct SlicedReportTests {
  @Test("A report for each value of a column; a column that isn't there names the nearest")
  func slices() throws {
    let run = try EverydayRun()
    let lines = (0..<12).map { index -> String in
      let line: JSONObject = [
        "group": .integer(Int64(index / 2)), "prompt": .string("p\(index / 2)"),
        "completion": .string("c\(index)"), "completion_ids": [.integer(Int64(index))],
        "reward": .integer(Int64(index % 2)), "side": .string(index < 4 ? "left" : "right"),
      ]
      return JSONValue.object(line).jsonText
    }
    let dump = try run.file("dump.jsonl", lines.joined(separator: "\n"))
    #expect(run.grpo("log", "import", dump, run.path("run.sqlite")).code == .done)
    let log = run.path("run.sqlite")
    let sliced = run.grpo("query", log, "lengths", "--by", "side", "--json")
    #expect(sliced.code == .done, "\(sliced.errors)")
    let slices = try #require(try JSONValue.parse(sliced.output)["slices"]?.array)
    #expect(slices.map { $0["value"]?.string } == ["right", "left"])
    let counts = slices.map { $0["report"]?["lengths"]?.array?.last?["completions"]?.integer }
    #expect(counts == [8, 4])
    let csv = run.grpo("query", log, "best", "--by", "side", "--csv")
    #expect(csv.output.hasPrefix("side,") && csv.output.split(separator: "\n").count == 13)
    #expect(run.grpo("query", log, "rewards", "--by", "side").output.contains("side = left"))
    #expect(
      run.grpo("query", log, "lengths", "--by", "sied").errors.contains("did you mean 'side'?"))
    #expect(run.grpo("query", log, "steps", "--by", "side").code == .usage)
    #expect(run.grpo("query", log, "SELECT 1 AS x", "--by", "side").code == .usage)
  }
}
