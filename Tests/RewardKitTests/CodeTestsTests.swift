import Foundation
import RewardKit
import TestSupport
import Testing

@Suite("Model-written code, isolated") struct CodeTestsTests {
  /// Whether this kernel lets a process isolate itself.
  static let canIsolate: Bool = {
    (try? suite(["use": "code_tests", "sandbox": "isolated"])) != nil
  }()

  static let row: JSONObject = [
    "test_list": ["assert f(2) == 4", "assert f(3) == 9"], "test_setup_code": "",
  ]

  static let attempts: [(String, Double)] = [
    ("def f(x): return x * x", 1),
    ("Here:\n```python\ndef f(x): return x * x\n```\nDone.", 1),
    ("def f(x): return 4", 0.5),
    ("def f(x): return 0", 0), ("", 0), ("def f(", 0),
    ("import os; os._exit(0)", 0), ("import sys; sys.exit(0)", 0),
    ("while True: pass", 0),
    ("import os\nos.kill(os.getppid(), 9)\ndef f(x): return x * x", 0),
    (
      "import os\nif os.fork() == 0:\n  os.setsid()\n  import time; time.sleep(600)\ndef f(x): return x * x",
      1
    ),
    ("open('/etc/grpo-was-here', 'w')\ndef f(x): return x * x", 0),
    ("import socket; socket.create_connection(('127.0.0.1', 22), 1)\ndef f(x): return x * x", 0),
    ("x = bytearray(4 << 30)\ndef f(x): return x * x", 0),
    (
      "import os\nfor fd in range(64):\n  try: os.write(fd, b'{\"id\": 1, \"score\": 1}\\n')\n  except OSError: pass",
      0
    ),
    ("print('{\"id\": 1, \"score\": 1}')\ndef f(x): return x * x", 1),
    ("def f(x): return x * x", 1),
  ]

  @Test("only code that passes its tests is rewarded", .enabled(if: canIsolate))
  func attempts() throws {
    let suite = try suite(
      [
        [
          "use": "code_tests", "parameters": ["partial": true, "test_time_limit": 1],
          "failure_limit": 1,
        ]
      ])
    #expect(suite.rewards[0].sandbox == .isolated)
    let scored = try suite.score(
      Self.attempts.enumerated().map { request($0, $1.0, columns: Self.row) })
    for (index, (code, expected)) in Self.attempts.enumerated() {
      #expect((scored[index].total ?? 0) == expected, "\(code): \(scored[index].outcomes)")
    }
    suite.shutDown()
    // Other suites may be running the same script at this moment: theirs go as well, only later.
    var left = processes(mentioning: "code_tests")
    for _ in 0..<600 where !left.isEmpty {
      usleep(100_000)
      left = processes(mentioning: "code_tests")
    }
    #expect(left.isEmpty)
  }

  @Test(
    "an isolated plugin sees no other process, no network and no root", .enabled(if: canIsolate))
  func isolation() throws {
    let folder = try PluginFolder()
    let path = try folder.plugin(
      """
      seen = [p for p in os.listdir("/proc") if p.isdigit()] if os.path.exists("/proc") else []
      def attempt(action):
          try: action(); return True
          except OSError: return False
      import socket
      reply(id=rid, score=1, parts={
        "processes": len(seen), "user": os.getuid(),
        "write": attempt(lambda: open(text, "w")),
        "scratch": attempt(lambda: open(os.environ["TMPDIR"] + "/x", "w")),
        "network": len(open("/proc/net/dev").readlines()) - 3 if seen else 0})
      """.replacing("attempt(lambda", with: "1.0 * attempt(lambda"))
    let suite = try suite([["use": .string(path), "sandbox": "isolated"]])
    let target = folder.url.appendingPathComponent("written").path
    let parts = try #require(try suite.score([request(0, target)]).first?.score?.parts)
    #expect(parts["processes"] ?? 0 <= 3)
    #expect(parts["user"] == 65534)
    #expect(parts["write"] == 0)
    #expect(parts["scratch"] == 1)
    #expect(parts["network"] ?? 0 <= 0)
    #expect(!FileManager.default.fileExists(atPath: target))
  }

  @Test(
    "reference solutions of MBPP and HumanEval pass",
    .enabled(if: canIsolate && SharedFiles.has("data/mbpp/mbpp.jsonl")),
    arguments: ["mbpp/mbpp.jsonl", "humaneval/HumanEval.jsonl"])
  func referenceSolutions(path: String) throws {
    let data = try Data(contentsOf: SharedFiles.url("data/" + path))
    let suite = try suite([
      [
        "use": "code_tests", "workers": 2, "time_limit": 60,
        "parameters": ["test_time_limit": 20],
      ]
    ])
    var requests: [RewardRequest] = []
    // A part of the rows: all of them take a minute (docs/rewards.md has the figure for all).
    let every = ProcessInfo.processInfo.environment["GRPO_ALL_ROWS"] == nil ? 12 : 1
    for (index, line) in data.split(separator: UInt8(ascii: "\n")).enumerated()
    where index % every == 0 {
      var row = try #require(JSONValue.parse(bytes: line).object)
      let prompt = row["prompt"]?.string ?? "?"
      row["prompt"] = nil
      let problem = Problem(index: index, prompt: .text(prompt), columns: row)
      let gold = try #require(suite.goldCompletion(for: problem, reward: 0))
      requests.append(
        RewardRequest(
          id: index, group: index, problem: problem,
          completion: Completion(text: gold, tokens: [], finish: .stop)))
    }
    let wrong = try suite.score(requests).filter { $0.total != 1 }
    #expect(Double(wrong.count) <= 0.01 * Double(requests.count), "\(wrong)")
    if every == 1 { print(path, requests.count, wrong.map { "\($0.id): \($0.outcomes[0])" }) }
  }
}
