import Foundation
import RewardKit
import Testing

@Suite("TRL's and verl's Python functions, unchanged") struct PythonAdapterTests {
  @Test("TRL's functions get columns, chat prompts, loggers, and may be async")
  func trl() throws {
    let folder = try PluginFolder()
    let path = try folder.file(
      "my_rewards.py",
      """
      import asyncio
      print("imported")

      def accuracy(prompts, completions, completion_ids, answer, log_extra=None, log_metric=None, **kwargs):
          print("a stray line")
          assert len(prompts) == len(completions) == len(answer) == len(completion_ids)
          assert "trainer_state" in kwargs
          log_extra("answer", answer)
          log_metric("seen", len(prompts))
          return [None if a is None else float(c == a) for c, a in zip(completions, answer)]

      async def slow(completions, **kwargs):
          await asyncio.sleep(0.01)
          return [len(c) for c in completions]

      def chat(prompts, completions, **kwargs):
          assert prompts[0][0]["role"] == "user"
          return [float(c[0]["role"] == "assistant" and c[0]["content"] == "yes") for c in completions]

      def narrow(completions, answer):
          return [1.0 if a == c else 0.0 for a, c in zip(answer, completions)]

      """)
    let specifications: JSONValue = .array(
      ["accuracy", "slow", "narrow"].map { .string("\(path):\($0)") })
    let suite = try suite(specifications, columns: ["answer", "other"])
    #expect(suite.rewards.map(\.name) == ["accuracy", "slow", "narrow"])
    let scored = try suite.score([
      request(0, "a", columns: ["answer": "a", "other": 1], tokens: [5]),
      request(1, "bb", columns: ["answer": "a", "other": 1]),
      request(2, "", columns: ["answer": .null, "other": 1]),
    ])
    #expect(scored.map { $0.outcomes[0].value } == [1, 0, nil])
    #expect(scored[2].outcomes[0].scoring == .unscorable(reason: "the function returned None"))
    #expect(scored[0].score?.log["answer"] == "a")
    #expect(scored.map { $0.outcomes[1].value } == [1, 2, 0])
    #expect(scored.map { $0.outcomes[2].value } == [1, 0, 0])

    let chat = try PythonAdapterTests.one("\(path):chat")
    let messages = Prompt.messages([ChatMessage(role: "user", content: "well?")])
    #expect(try chat.score([request(0, "yes", prompt: messages)]).map(\.total) == [1])
  }

  @Test("a call that fails is made once, and fails for every completion of the step")
  func failingCall() throws {
    let folder = try PluginFolder()
    let path = try folder.file(
      "fails.py",
      """
      def culprit(completions, **kwargs):
          print("called")
          return [1.0 / len(c) for c in completions]
      def short(completions, **kwargs):
          return [1.0]
      """)
    let requests = ["a", "bb", ""].enumerated().map { request($0, $1) }
    let culprit = try PythonAdapterTests.one("\(path):culprit").score(requests)
    #expect(
      culprit.map(\.error)
        == Array(repeating: "ZeroDivisionError: float division by zero", count: 3))
    #expect(culprit[0].outcomes[0].standardError.contains("Traceback"))
    #expect(culprit[0].outcomes[0].standardError.ranges(of: "called").count == 1)
    let short = try PythonAdapterTests.one("\(path):short").score(requests)
    #expect(short[2].error?.contains("returned 1 scores, but 3 were expected") == true)
    #expect(short.map(\.total) == [nil, nil, nil])
  }

  @Test("functions of one completion are remembered where the user asks, and else asked again")
  func cache() throws {
    let folder = try PluginFolder()
    let path = try folder.file(
      "counts.py",
      """
      calls = 0
      def alone(completion, **kwargs):
          global calls
          calls += 1
          return calls
      """)
    func totals(_ more: JSONObject) throws -> [Double?] {
      var words: JSONObject = ["use": .string(path + ":alone")]
      for (key, value) in more { words[key] = value }
      let suite = try suite(.array([.object(words)]))
      return try (0..<3).map { try suite.score([request($0, "x", group: 0)])[0].total }
    }
    #expect(try totals([:]) == [1, 2, 3])
    #expect(try totals(["cache": true]) == [1, 1, 1])
  }

  @Test("cache: true of a reward that remembers nothing is told at the start, once")
  func uselessCache() throws {
    let folder = try PluginFolder()
    let path = try folder.file(
      "both.py",
      """
      def together(completions, **kwargs): return [1.0 for _ in completions]
      def grouped(completions, states): return [1.0 for _ in completions]
      def alone(completion, **kwargs): return 1.0
      """)
    func warnings(_ function: String, _ cache: JSONValue?) throws -> [String] {
      var words: JSONObject = ["use": .string("\(path):\(function)")]
      words["cache"] = cache
      let suite = try suite(.array([.object(words)]))
      let warnings = suite.takeWarnings()
      #expect(suite.takeWarnings().isEmpty)
      return warnings
    }
    let step = try warnings("together", true)
    #expect(step.count == 1 && step[0].contains("judges a whole step in a call"), "\(step)")
    #expect(try warnings("grouped", true).count == 1)
    #expect(try warnings("alone", true).isEmpty)
    #expect(try warnings("together", false).isEmpty)
    #expect(try warnings("together", nil).isEmpty)
  }

  private static func one(_ use: String) throws -> RewardSuite {
    try suite([["use": .string(use), "failure_limit": 1]])
  }

  @Test("verl's compute_score, nested columns, a dict with a score")
  func verl() throws {
    let folder = try PluginFolder()
    let path = try folder.file(
      "verl_reward.py",
      """
      def compute_score(data_source, solution_str, ground_truth, extra_info=None):
          if solution_str == "dict":
              return {"score": 0.5, "acc": True, "pred": "x"}
          if solution_str == "boom":
              raise RuntimeError("boom")
          return data_source == "gsm" and solution_str == ground_truth and extra_info["k"] == 1
      """)
    let suite = try PythonAdapterTests.one(path)
    let columns: JSONObject = [
      "data_source": "gsm", "reward_model": ["ground_truth": "4"], "extra_info": ["k": 1],
    ]
    let scored = try suite.score(
      ["4", "5", "dict", "boom"].enumerated().map { request($0, $1, columns: columns) })
    #expect(scored.map { $0.outcomes[0].value } == [1, 0, 0.5, nil])
    #expect(scored[2].score?.parts == ["acc": 1])
    #expect(scored[2].score?.log == ["pred": "x"])
    #expect(scored[3].error == "RuntimeError: boom")
  }

  @Test("an import error is shown as Python prints it, and every fault at once")
  func importError() throws {
    let folder = try PluginFolder()
    let path = try folder.file("broken.py", "import nonexistent_module_of_nobody\ndef f(): pass\n")
    let two = try folder.file("two.py", "def f(): pass\ndef g(): pass\n")
    do {
      _ = try suite([
        .string(path + ":f"), .string(two), .string(two + ":h"), "nmeric", "./absent.py:f",
        .string(two + "=nan"),
      ])
      Issue.record("no error")
    } catch let error as RewardError {
      #expect(error.description.contains("must be a finite number"))
    }
    do {
      _ = try suite([.string(path + ":f"), ["use": .string(two), "name": "two"]])
      Issue.record("no error")
    } catch let error as RewardError {
      #expect(error.kind == .configuration)
      #expect(error.faults.count == 2)
      #expect(error.faults[0].contains("ModuleNotFoundError: No module named 'nonexistent_module"))
      #expect(error.faults[0].contains("Traceback"))
      #expect(error.faults[1].contains("has 2 functions (f, g): say which is the reward"))
    }
    do {
      _ = try suite(["nmeric", "./absent.py:f", "numeric"], columns: ["question"])
      Issue.record("no error")
    } catch let error as RewardError {
      #expect(error.faults.count == 3)
      #expect(error.faults[0].contains("did you mean \"numeric\""))
      #expect(error.faults[1].contains("there is no file"))
      #expect(error.faults[2].contains("reads the column \"answer\""))
    }
  }

  @Test("10,000 completions through one plugin")
  func throughput() throws {
    let folder = try PluginFolder()
    let function = try folder.file(
      "length.py",
      "def length(completions, **kwargs):\n  return [float(len(c)) for c in completions]\n")
    let loop = try folder.plugin("reply(id=rid, score=len(text))")
    for use in [function, loop] {
      let suite = try PythonAdapterTests.one(use)
      let requests = (0..<10_000).map {
        request(
          $0, "\($0) " + String(repeating: "so it goes ", count: 20),
          columns: ["answer": .string("\($0)")],
          group: $0 / 8, prompt: .text(String(repeating: "what now? ", count: 20)),
          tokens: (0..<64).map { TokenID($0) })
      }
      let clock = ContinuousClock()
      var scored: [ScoredCompletion] = []
      let elapsed = try clock.measure { scored = try suite.score(requests) }
      #expect(scored.map(\.total) == requests.map { Double($0.completion.text.count) })
      print(
        "10,000 completions through \(use.hasSuffix("plugin.py") ? "a loop" : "the adapter"):",
        elapsed / 10_000, "each")
    }
  }
}
