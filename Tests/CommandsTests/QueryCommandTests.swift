import Foundation
import Rollouts
import Testing
import TrajectoryStore

@testable import Commands

/// A folder with the log of a small made-up run, gone with it.
private final class RunFixture: Sendable {
  let folder: URL

  init(steps: Int = 3) throws {
    folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("query-command-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let log = try TrajectoryLog(creating: folder.appendingPathComponent(LogLocation.fileName))
    let run = SyntheticRun(groups: 2, groupSize: 4, length: 8, steps: steps)
    try log.begin(run: run.record)
    for index in 0..<steps {
      let step = run.step(index)
      try log.append(step: step)
      try log.append(update: run.update(0, of: step))
    }
    try log.finish(outcome: "done")
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  /// What a command line gives.
  func run(_ words: String...) -> (code: ExitCode, output: String, errors: String) {
    let context = CommandContext.memory()
    let code = runCommandLine(words.map { $0 == "RUN" ? folder.path : $0 }, context: context)
    return (code, context.standardOutput.text, context.standardError.text)
  }
}

@Suite("grpo query, report and log")
struct QueryCommandTests {
  @Test func sqlComesInEveryFormat() throws {
    let run = try RunFixture()
    let sql = "SELECT step, 'a,\"b' AS text, NULL AS missing FROM steps ORDER BY step LIMIT 2"
    #expect(
      run.run("query", "RUN", sql, "--csv").output
        == "step,text,missing\n0,\"a,\"\"b\",\n1,\"a,\"\"b\",\n")
    #expect(
      run.run("query", "RUN", sql, "--jsonl").output
        == "{\"step\":0,\"text\":\"a,\\\"b\",\"missing\":null}\n"
        + "{\"step\":1,\"text\":\"a,\\\"b\",\"missing\":null}\n")
    let json = try JSONValue.parse(run.run("query", "RUN", sql, "--json").output)
    #expect(json.array?.count == 2)
    #expect(run.run("query", "RUN", sql, "--markdown").output.hasPrefix("| step | text"))
    #expect(run.run("query", "RUN", sql).output.hasPrefix("step  text"))
    #expect(run.run("query", "RUN", "SELECT 1 WHERE 0 = 1", "--json").output == "[]\n")
  }

  @Test(arguments: ["-9223372036854775807 - 1", "9223372036854775807", "1e999", "-0.0", "1e308"])
  func extremeNumbersArePrinted(_ number: String) throws {
    let run = try RunFixture()
    for format in [nil, "--full", "--csv", "--json", "--jsonl", "--markdown"] as [String?] {
      let words = ["query", run.folder.path, "SELECT \(number) AS n"] + (format.map { [$0] } ?? [])
      let context = CommandContext.memory()
      #expect(runCommandLine(words, context: context) == .done)
    }
    #expect(
      run.run("query", "RUN", "SELECT -9223372036854775807 - 1 AS n").output
        == "                         n\n-9,223,372,036,854,775,808\n")
  }

  @Test func namesOfColumnsDiffer() throws {
    let run = try RunFixture()
    #expect(
      run.run("query", "RUN", "SELECT 1 AS a, 2 AS a, 3 AS a", "--csv").output
        == "a,a_2,a_3\n1,2,3\n")
  }

  @Test func parametersAndLimitsAreObeyed() throws {
    let run = try RunFixture()
    let sql = "SELECT step FROM steps WHERE step >= :from ORDER BY step"
    #expect(run.run("query", "RUN", sql, "--param", "from=1", "--csv").output == "step\n1\n2\n")
    #expect(
      run.run("query", "RUN", sql, "--param", "from=0", "--limit", "1", "--csv").output
        == "step\n0\n")
    #expect(run.run("query", "RUN", sql).code == .usage)
  }

  @Test(arguments: Report.all.filter { $0.arguments.isEmpty }.map(\.name))
  func reportsComeForPeopleAndPrograms(_ name: String) throws {
    let run = try RunFixture()
    let text = run.run("query", "RUN", name)
    #expect(text.code == .done, "\(text.errors)")
    #expect(!text.output.isEmpty)
    #expect(!text.output.contains("\u{1B}"))
    let json = try JSONValue.parse(run.run("query", "RUN", name, "--json").output)
    #expect(json["title"]?.string?.hasPrefix("synthetic") == true)
  }

  @Test func faultsAreUsageErrorsThatHelp() throws {
    let run = try RunFixture()
    let cases: [([String], String)] = [
      (["query", "RUN", "bset"], "did you mean 'best'"),
      (["query", "RUN", "completion"], "needs ID"),
      (["query", "RUN", "completion", "999999"], "no completion 999999"),
      (["query", "RUN", "summary", "extra"], "unexpected word 'extra'"),
      (["query", "RUN", "DELETE FROM steps"], "may only read"),
      (["query", "RUN", "SELECT x FROM steps"], "no such column"),
      (["query", "RUN", "SELECT 1 AS a", "--json", "--csv"], "exclude each other"),
      (["query", "/nowhere/at/all", "summary"], "no run at"),
      (["query", "RUN", "best", "--step", "9..1"], "ends before it begins"),
      (["query", "RUN", "best", "--where", "nonsense ="], "syntax error"),
      (["query", "RUN", "best", "--match", "\"open"], "unterminated string"),
      (["query", "RUN", "best", "--where", "1) OR (1"], "closes a parenthesis"),
      (["query", "RUN", "best", "--where", "1); DELETE FROM steps; --"], "parenthesis"),
      (["query", "RUN", "best", "--order", "reward; SELECT 1"], "semicolon"),
      (["query", "RUN", "best", "--order", "reward LIMIT 3 --"], "syntax error"),
      (["query", "RUN", "best", "--where", "reward > :x"], "no value for :x"),
      (["query", "RUN", "best", "--where", "reward > 0", "--param", "x=1"], "parameter :x"),
      (["query", "RUN", "summary", "--match", "apple"], "has no use for --match; it takes --step"),
      (["query", "RUN", "completion", "1", "--limit", "3"], "has no use for --limit"),
      (["query", "RUN", "best", "--tied"], "has no use for --tied"),
      (["query", "RUN", "SELECT 1 AS a", "--step", "1"], "SQL has no use for --step"),
    ]
    for (words, expected) in cases {
      let context = CommandContext.memory()
      let code = runCommandLine(
        words.map { $0 == "RUN" ? run.folder.path : $0 }, context: context)
      #expect(code == .usage, "\(words)")
      #expect(context.standardError.text.contains(expected), "\(context.standardError.text)")
      #expect(context.standardOutput.text.isEmpty)
    }
  }

  @Test func filtersCombineAndTakeParameters() throws {
    let run = try RunFixture()
    func count(_ words: String...) throws -> Int {
      let context = CommandContext.memory()
      let code = runCommandLine(
        ["query", run.folder.path, "best", "--limit", "100", "--jsonl"] + words, context: context)
      try #require(code == .done, "\(context.standardError.text)")
      return context.standardOutput.text.split(separator: "\n").count
    }
    #expect(try count() == 24)
    #expect(try count("--where", "sample = :s", "--param", "s=2") == 6)
    #expect(try count("--where", "sample = :s OR 0", "--param", "s=2", "--step", "1..2") == 4)
    #expect(try count("--where", "text <> ');' -- no end", "--order", "length -- nor here") == 24)
    let whole = run.run("query", "RUN", "ratio-tails", "--json").output
    let half = run.run("query", "RUN", "ratio-tails", "--where", "sample < 2", "--json").output
    func rows(_ text: String) throws -> Int? {
      try JSONValue.parse(text)["shares"]?["completions_×_updates"]?.integer
    }
    #expect(try rows(whole) == 24)
    #expect(try rows(half) == 12)
  }

  @Test func aPageIsWritten() throws {
    let run = try RunFixture()
    let file = run.folder.appendingPathComponent("page.html")
    #expect(run.run("report", "RUN", "-o", file.path).code == .done)
    #expect(try String(contentsOf: file, encoding: .utf8).hasPrefix("<!doctype html>"))
    #expect(run.run("report", "RUN", "-o", "/nowhere/page.html").code == .failed)
  }

  @Test func logsAreExportedMergedAndPruned() throws {
    let (a, b) = (try RunFixture(), try RunFixture())
    let first = a.run("log", "export", "RUN", "--canonical").output
    #expect(first == b.run("log", "export", "RUN", "--canonical").output)
    #expect(first.split(separator: "\n").count > 100)
    let lines = a.run("log", "export", "RUN", "--step", "1..2").output.split(separator: "\n")
    #expect(lines.count == 16)
    #expect(a.run("log", "export", "RUN", "--csv").output.split(separator: "\n").count == 25)
    let merged = a.folder.appendingPathComponent("merged/both.sqlite")
    try FileManager.default.createDirectory(
      at: merged.deletingLastPathComponent(), withIntermediateDirectories: true)
    #expect(a.run("log", "merge", "RUN", b.folder.path, "-o", merged.path).code == .done)
    #expect(
      a.run("query", merged.path, "SELECT count(*) AS n FROM runs", "--csv").output == "n\n2\n")
    let told = a.run("log", "prune", "RUN", "--before", "2")
    #expect(told.errors.contains("would drop") && told.errors.contains("16 completions"))
    #expect(a.run("log", "prune", "RUN", "--before", "2", "--yes").errors.contains("dropped"))
    #expect(a.run("log", "prune", "RUN").code == .usage)
    #expect(a.run("log", "schema").output.contains("CREATE TABLE completions"))
  }

  @Test func tabCompletesNames() {
    let names = ["SELECT", "steps", "step", "summary"]
    #expect(QueryShell.completions(of: "ste", among: names) == ["steps", "step"])
    #expect(QueryShell.completions(of: "sel", among: names) == ["SELECT"])
    #expect(QueryShell.completions(of: "x", among: names).isEmpty)
  }

  @Test func wordsOfAPromptMayBeQuoted() {
    #expect(
      QueryShell.words(#"best --match 'in a row' --where "reward > 0.5" ''"#)
        == ["best", "--match", "in a row", "--where", "reward > 0.5", ""])
  }
}
