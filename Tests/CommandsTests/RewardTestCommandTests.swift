import Foundation
import Rollouts
import Testing

@testable import Commands

@Suite("grpo reward test") struct RewardTestCommandTests {
  /// Scores rows with a plugin of group scope: the size of the call, but for what the text asks.
  private func run(_ rows: String, _ more: [String]) throws -> (
    code: ExitCode, output: String, errors: String
  ) {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("reward-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let plugin = folder.appendingPathComponent("plugin.py")
    try Data(
      """
      #!/usr/bin/env python3
      import json, sys
      sys.stdin.readline()
      print(json.dumps({"grpo": 1, "name": "size", "scope": "group"}), flush=True)
      for line in sys.stdin:
          call = json.loads(line)
          for r in call:
              text, reply = r["completion"], {"id": r["id"]}
              if text == "fail": reply["error"] = "TypeError: a very long explanation " + "x" * 300
              elif text == "none": reply["unscorable"] = "no answer known"
              else: reply.update(score=len(call), reason="a group of %d" % len(call), parts={"p": 1})
              assert "trainer_state" not in r
              print(json.dumps(reply), flush=True)
      """.utf8
    ).write(to: plugin)
    chmod(plugin.path, 0o755)
    let input = folder.appendingPathComponent("rows.jsonl")
    try Data(rows.utf8).write(to: input)
    let context = CommandContext.memory()
    let code = runCommandLine(
      ["reward", "test", plugin.path, "--input", input.path] + more, context: context)
    return (code, context.standardOutput.text, context.standardError.text)
  }

  private static let rows = """
    {"group": "b", "prompt": "1", "completion": "x"}
    {"group": 7, "prompt": "2", "completion": "fail"}
    {"group": "b", "prompt": "1", "completion": "y"}
    {"prompt": "3", "completion": "none"}
    {"prompt": "3", "completion": "z"}
    {"prompt": "3", "completion": "fail"}
    {"completion": "z"}
    {"completion": "z"}
    """

  @Test("a line of JSON per row, a score or null with its reason; groups by name, or by prompt")
  func json() throws {
    let ended = try run(Self.rows, ["--json"])
    #expect(ended.code == .failed)
    let lines = try ended.output.split(separator: "\n").map { try JSONValue.parse(String($0)) }
    #expect(lines.map { $0["row"]?.integer } == Array(1...8))
    #expect(lines.map { $0["score"]?.double } == [2, nil, 2, nil, 3, nil, 1, 1])
    #expect(lines.allSatisfy { $0["score"] != nil })
    #expect(lines[0]["reason"] == "a group of 2" && lines[0]["parts"]?["p"]?.double == 1)
    #expect(lines[1]["reason"] == lines[1]["error"] && lines[1]["error"] != nil)
    #expect(lines[3]["reason"] == "no answer known" && lines[3]["unscorable"] == "no answer known")
    #expect(lines.allSatisfy { $0["seconds"]?.double != nil })
  }

  @Test("the summary names every cause whole, with its count and its first row, on standard error")
  func causes() throws {
    let ended = try run(Self.rows, ["--json"])
    let long = "TypeError: a very long explanation " + String(repeating: "x", count: 300)
    #expect(ended.errors.contains("8 completions, 5 scored, mean 1.8000, 1 unscorable, 2 failed"))
    #expect(ended.errors.contains("\n  2 failed: \(long) (first in row 2)\n"))
    #expect(ended.errors.contains("\n  1 unscorable: no answer known (row 4)\n"))
  }

  @Test("rows without a score have no mean")
  func nothing() throws {
    let ended = try run("{\"completion\": \"none\"}\n", [])
    #expect(ended.code == .done)
    #expect(ended.errors.contains("0 scored, mean –, 1 unscorable, 0 failed"))
    #expect(ended.errors.contains("called once per group"))
  }
}
