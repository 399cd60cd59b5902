import Foundation
import RewardKit
import Testing

/// What counts as a score, what as none, and what is remembered.
@Suite("The contract of a score") struct ScoreContractTests {
  @Test("a score outside of the declared range failed, but for rounding")
  func range() throws {
    let folder = try PluginFolder()
    let path = try folder.plugin("reply(id=rid, score=float(text))", greeting: ", range=[-1, 3]")
    let suite = try suite([["use": .string(path), "failure_limit": 1]])
    let texts = ["-1", "3", "3.0000000001", "-1.0000000001", "3.001", "100", "-1e9"]
    let scored = try suite.score(texts.enumerated().map { request($0, $1) })
    #expect(scored.map { $0.error == nil } == [true, true, true, true, false, false, false])
    #expect(
      scored[5].error
        == "the score is 100.0, outside of the range -1.0 to 3.0 that the reward declares")
  }

  @Test(
    "false and null say nothing; true and a text do",
    arguments: [
      ("unscorable=False, score=6", Scoring.scored(Score(6))),
      ("unscorable=None, error=None, score=6", .scored(Score(6))),
      ("error=False, score=6", .scored(Score(6))), ("error=\"\", score=6", .scored(Score(6))),
      ("unscorable=True, score=6", .unscorable(reason: "the plugin gives no reason")),
      ("unscorable=True, reason=\"why\"", .unscorable(reason: "why")),
      ("unscorable=\"why\", score=6", .unscorable(reason: "why")),
      ("unscorable=\"\"", .unscorable(reason: "the plugin gives no reason")),
      ("error=\"down\", score=6", .failed(error: "down")),
      ("score=None", .failed(error: "the score is null, which is not a number")),
      ("score=6, reason=\"as it is\"", .scored(Score(6, reason: "as it is"))),
      (
        "score=6, metrics={\"m\": 2}, log={\"a\": 1}",
        .scored(Score(6, log: ["a": 1, "metrics": ["m": 2]]))
      ),
      ("score=6, metrics=[1]", .failed(error: "the reply's metrics are not an object of numbers")),
      (
        "error=\"<function <lambda> at 0x7fb2c0d1e>\"", .failed(error: "<function <lambda> at 0x…>")
      ),
      ("unscorable=\"0x00007fb2c0d1e000 of 0xFFFF\"", .unscorable(reason: "0x… of 0xFFFF")),
    ] as [(String, Scoring)])
  func replies(reply: String, expected: Scoring) throws {
    let folder = try PluginFolder()
    let path = try folder.plugin("reply(id=rid, \(reply))")
    let suite = try suite([["use": .string(path), "failure_limit": 1]])
    #expect(try suite.score([request(0, "x")])[0].outcomes[0].scoring == expected)
  }

  @Test(
    "only what judges completions alone and says that it is deterministic is remembered, or what the user asks"
  )
  func memory() throws {
    for (greeting, more, isRemembered) in [
      ("", [:], false), (", deterministic=True", [:], true), (", deterministic=False", [:], false),
      (", deterministic=True", ["cache": false], false), ("", ["cache": true], true),
      (", deterministic=True, scope=\"group\"", ["cache": true], false),
      (", deterministic=True, scope=\"step\"", [:], false),
    ] as [(String, JSONObject, Bool)] {
      let folder = try PluginFolder()
      let path = try folder.file(
        "plugin.py",
        """
        #!/usr/bin/env python3
        import sys, json
        n = 0
        sys.stdin.readline()
        print(json.dumps(dict(grpo=1, name="n"\(greeting))), flush=True)
        for line in sys.stdin:
            call = json.loads(line)
            for r in call if isinstance(call, list) else [call]:
                n += 1
                print(json.dumps({"id": r["id"], "score": n}), flush=True)
        """, executable: true)
      var object: JSONObject = ["use": .string(path)]
      for (key, value) in more { object[key] = value }
      let suite = try suite([.object(object)])
      var totals: [Double?] = []
      for step in 0..<2 {
        suite.open(ScoringRound(groups: [0, 0], state: TrainerState(globalStep: step)))
        suite.submit([request(0, "a", group: 0), request(1, "a", group: 0)])
        totals += try suite.collect().map(\.total)
      }
      #expect(totals == (isRemembered ? [1, 1, 1, 1] : [1, 2, 3, 4]), "\(greeting) \(more)")
    }
  }

  @Test("a run without a single score is warned of at once, and stopped")
  func silence() throws {
    let folder = try PluginFolder()
    let path = try folder.plugin("reply(id=rid, unscorable=\"no answer known\")")
    func warnings(_ failureLimit: Double, steps: Int) throws -> [[String]] {
      let suite = try suite([["use": .string(path), "failure_limit": .number(failureLimit)]])
      return try (0..<steps).map { _ in
        suite.open(ScoringRound(groups: [0, 0, 1, 1, 2, 2, 3, 3], isTraining: true))
        suite.submit((0..<8).map { request($0, "x", group: $0 / 2) })
        _ = try suite.collect()
        return suite.takeWarnings()
      }
    }
    let before = try warnings(0.5, steps: 4)
    #expect(before.map(\.count) == [1, 0, 0, 0])
    #expect(before[0][0].contains("none of the step's 8 completions got a reward"))
    #expect(before[0][0].contains("\"plugin\" says: no answer known (8 of 8)"))
    do {
      _ = try warnings(0.5, steps: 5)
      Issue.record("not stopped")
    } catch let error as RewardError {
      #expect(error.kind == .stopped)
      #expect(error.description.contains("none of the 40 completions of the last 5 steps"))
    }
    #expect(try warnings(1, steps: 7).count == 7)
  }

  @Test("group and step rewards of Swift: a wrong number of scores fails the call")
  func swift() throws {
    struct Short: GroupReward {
      func score(_ completions: [Completion], for problem: Problem) throws -> [Score] {
        if completions[0].text == "throw" { throw Unscorable("cannot be compared") }
        return completions[0].text == "short" ? [Score(1)] : completions.map { _ in Score(.nan) }
      }
    }
    struct Steps: StepReward {
      func score(_ requests: [RewardRequest], at state: TrainerState?) throws -> [Scoring] {
        requests.map { .scored(Score(Double((state?.globalStep ?? 0) * 10 + $0.group))) }
      }
    }
    func received(_ texts: [String]) throws -> [ReceivedRequest] {
      try texts.enumerated().map { id, text in
        try ReceivedRequest([
          "id": .integer(Int64(id)), "group": 3, "prompt": "?", "completion": .string(text),
          "trainer_state": [
            "global_step": 2, "max_steps": .null, "epoch": 0, "num_train_epochs": .null,
          ],
        ])
      }
    }
    let short = Scoring.failed(error: "the reward returned 1 scores for 2 completions")
    #expect(Short().scorings(of: try received(["short", "b"])) == [short, short])
    let unscorable = Scoring.unscorable(reason: "cannot be compared")
    #expect(Short().scorings(of: try received(["throw", "b"])) == [unscorable, unscorable])
    guard case .failed = Short().scorings(of: try received(["nan"]))[0] else {
      Issue.record("NaN is a score")
      return
    }
    #expect(
      Steps().scorings(of: try received(["a", "b"])) == [.scored(Score(23)), .scored(Score(23))])
  }
}
