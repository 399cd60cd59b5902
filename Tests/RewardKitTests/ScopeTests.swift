import Foundation
import RewardKit
import Testing

/// A call's contents follow from the round, whatever the clock does.
@Suite("What a reward sees in one call") struct ScopeTests {
  /// A plugin that notes every line it gets, waits for a random time, and scores by all that the call holds.
  private static func comparing(_ folder: PluginFolder, scope: String) throws -> String {
    try folder.file(
      "\(scope).py",
      """
      #!/usr/bin/env python3
      import sys, json, os, time
      sys.stdin.readline()
      print(json.dumps({"grpo": 1, "name": "\(scope)", "scope": "\(scope)", "batch": 3}), flush=True)
      for line in sys.stdin:
          with open("\(folder.url.path)/\(scope).txt", "a") as f: f.write(line)
          time.sleep(os.urandom(1)[0] / 255 * 0.01)
          call = json.loads(line)
          total = sum(len(r["completion"]) for r in call)
          alone = "\(scope)" == "completion"
          replies = [{"id": r["id"], "score": len(r["completion"]) / (1 if alone else total),
            "parts": {} if alone else {"calls": len(call)}, "reason": r["completion"]} for r in call]
          if total % 2: replies.reverse()
          for r in replies: print(json.dumps(r), flush=True)
      """, executable: true)
  }

  /// Groups of 4, 1 and 5 completions, in the round's order.
  private static let groups = [7, 7, 7, 7, 2, 9, 9, 9, 9, 9]

  private static func requests() -> [RewardRequest] {
    groups.enumerated().map { row, group in
      request(
        row, String(repeating: "x", count: 1 + row * row % 7),
        columns: ["n": .integer(Int64(group))],
        group: group, prompt: .text("p\(group)"))
    }
  }

  /// Two rounds whose completions end in any order, at any time.
  private static func scoreInDisorder(_ suite: RewardSuite) throws -> [[Scoring]] {
    var results: [[Scoring]] = []
    for step in 0..<2 {
      suite.open(ScoringRound(groups: groups, state: TrainerState(globalStep: step)))
      for request in requests().shuffled() {
        suite.submit([request])
        usleep(UInt32.random(in: 0...2000))
      }
      results += try suite.collect().map { $0.outcomes.map(\.scoring) }
    }
    return results
  }

  @Test("each kind of reward gives equal bytes twice, whatever the order and the delays")
  func order() throws {
    let folder = try PluginFolder()
    let scopes = RewardScope.allCases
    let specifications = try scopes.map { scope -> JSONValue in
      ["use": .string(try Self.comparing(folder, scope: scope.rawValue)), "workers": 2]
    }
    var results: [[[Scoring]]] = []
    var calls: [[[String]]] = []
    for _ in 0..<3 {
      let suite = try suite(.array(specifications))
      #expect(suite.rewards.map(\.scope) == scopes)
      results.append(try Self.scoreInDisorder(suite))
      calls.append(
        try scopes.map { scope in
          let file = folder.url.appendingPathComponent("\(scope.rawValue).txt")
          defer { try? FileManager.default.removeItem(at: file) }
          return try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
            .map(String.init).sorted()
        })
    }
    #expect(results[0] == results[1] && results[0] == results[2])
    // What went over the pipe is equal too, to the byte: two workers may take groups in either order.
    #expect(calls[0][1] == calls[1][1] && calls[0][1] == calls[2][1])
    #expect(calls[0][2] == calls[1][2] && calls[0][2] == calls[2][2])
    #expect(calls[0][1].count == 6 && calls[0][2].count == 2)
    for (scoring, size) in zip(results[0], [4, 4, 4, 4, 1, 5, 5, 5, 5, 5]) {
      guard case .scored(let group) = scoring[1], case .scored(let step) = scoring[2] else {
        Issue.record("not scored: \(scoring)")
        continue
      }
      #expect(group.parts == ["calls": Double(size)] && step.parts == ["calls": 10])
      #expect(group.reason?.allSatisfy { $0 == "x" } == true)
    }
  }

  @Test(
    "a line holds what docs/rewards.md says: an array in order, also of one, with the trainer's state"
  )
  func lines() throws {
    let folder = try PluginFolder()
    let suite = try suite([
      .string(try Self.comparing(folder, scope: "group")),
      .string(try Self.comparing(folder, scope: "step")),
    ])
    suite.open(
      ScoringRound(
        groups: [3, 5], state: TrainerState(globalStep: 4, maxSteps: 9, epoch: 0.5, trainEpochs: 2))
    )
    suite.submit([request(1, "b", group: 5), request(0, "a", group: 3)])
    _ = try suite.collect()
    func member(_ id: Int, _ group: Int, _ text: String) -> String {
      "{\"id\":\(id),\"group\":\(group),\"prompt\":\"?\",\"completion\":\"\(text)\","
        + "\"completion_ids\":[],\"finish\":\"stop\",\"columns\":{},\"trainer_state\":"
        + "{\"global_step\":4,\"max_steps\":9,\"epoch\":0.5,\"num_train_epochs\":2}}"
    }
    func lines(_ name: String) throws -> [Substring] {
      try String(contentsOf: folder.url.appendingPathComponent("\(name).txt"), encoding: .utf8)
        .split(separator: "\n").sorted()
    }
    #expect(try lines("group") == ["[\(member(1, 3, "a"))]", "[\(member(2, 5, "b"))]"])
    #expect(try lines("step") == ["[\(member(1, 3, "a")),\(member(2, 5, "b"))]"])
    // Outside of training nothing is known, and nothing is said.
    _ = try suite.score([request(0, "c")])
    #expect(try !String(lines("step")[1]).contains("trainer_state"))
  }

  @Test("completions that never come block no group, and a round that is given up leaves nothing")
  func unfinished() throws {
    let folder = try PluginFolder()
    let suite = try suite([
      .string(try Self.comparing(folder, scope: "group")),
      .string(try Self.comparing(folder, scope: "step")),
    ])
    for _ in 0..<2 {
      suite.open(ScoringRound(groups: Self.groups))
      suite.submit(Array(Self.requests().prefix(3)))
      suite.abandon()
    }
    suite.open(ScoringRound(groups: Self.groups))
    suite.submit([Self.requests()[6], Self.requests()[4], Self.requests()[5]])
    let scored = try suite.collect()
    #expect(scored.map(\.id) == [4, 5, 6])
    #expect(scored.map { $0.outcomes.map(\.calls) } == [[1, 3], [2, 3], [2, 3]])
    suite.open(ScoringRound(groups: [1]))
    #expect(try suite.collect(unless: { true }) == nil)
  }

  @Test("a round that is given up while its call is under way leaves its replies to nobody")
  func late() throws {
    let folder = try PluginFolder()
    let path = try folder.file(
      "plugin.py",
      """
      #!/usr/bin/env python3
      import sys, json, time
      sys.stdin.readline()
      print(json.dumps({"grpo": 1, "name": "late", "scope": "step"}), flush=True)
      for line in sys.stdin:
          call = json.loads(line)
          open("\(folder.url.path)/called", "w").close()
          if len(call) == 3: time.sleep(0.4)
          for r in call: print(json.dumps({"id": r["id"], "score": len(call)}), flush=True)
      """, executable: true)
    let suite = try suite([.string(path)])
    suite.open(ScoringRound(groups: [0, 0, 0]))
    suite.submit((0..<3).map { request($0, "x", group: 0) })
    let called = folder.url.appendingPathComponent("called").path
    #expect(try suite.collect(unless: { FileManager.default.fileExists(atPath: called) }) == nil)
    suite.open(ScoringRound(groups: [0, 0]))
    suite.submit((0..<2).map { request($0, "x", group: 0) })
    #expect(try suite.collect().map(\.total) == [2, 2])
  }

  @Test("a call that fails fails all its rows, and no others", arguments: ["group", "step"])
  func failures(scope: String) throws {
    let folder = try PluginFolder()
    let path = try folder.file(
      "plugin.py",
      """
      #!/usr/bin/env python3
      import sys, json, os, time
      sys.stdin.readline()
      print(json.dumps({"grpo": 1, "name": "b", "scope": "\(scope)"}), flush=True)
      for line in sys.stdin:
          for r in json.loads(line):
              if r["completion"] == "crash": os._exit(9)
              if r["completion"] == "hang": time.sleep(600)
              if r["completion"] == "own": print(json.dumps({"id": r["id"], "error": "at 0x7f12ab34 no"}))
              else: print(json.dumps({"id": r["id"], "score": 1}))
              sys.stdout.flush()
      """, executable: true)
    let suite = try suite([["use": .string(path), "time_limit": 0.3, "failure_limit": 1]])
    let texts = ["a", "own", "b", "crash", "c", "d", "e", "hang", "f", "g"]
    let scored = try suite.score(texts.enumerated().map { request($0, $1, group: $0 / 2) })
    if scope == "step" {
      #expect(scored.allSatisfy { $0.error?.contains("status 9") == true })
    } else {
      let errors = scored.map(\.error)
      #expect(errors[0] == nil && errors[4] == nil && errors[5] == nil && errors[8] == nil)
      #expect(errors[1] == "at 0x… no")
      #expect(errors[2]?.contains("status 9") == true && errors[2] == errors[3])
      #expect(errors[6] == errors[7])
      #expect(
        errors[6]
          == "the plugin took longer than the 0.6 s of batch_time_limit for a call of 2 completions"
      )
    }
  }

  @Test("a long call has more time, and never more than its completions may take alone")
  func timeLimits() throws {
    let folder = try PluginFolder()
    let path = try folder.file(
      "plugin.py",
      """
      #!/usr/bin/env python3
      import sys, json, time
      sys.stdin.readline()
      print(json.dumps({"grpo": 1, "name": "b", "scope": "step"}), flush=True)
      for line in sys.stdin: time.sleep(600)
      """, executable: true)
    for (count, limit, more) in [
      (1, "0.1 s of time_limit", [:]), (2, "0.2 s of batch_time_limit", [:]),
      (16, "0.4 s of batch_time_limit", [:]), (32, "0.8 s of batch_time_limit", [:]),
      (32, "0.25 s of batch_time_limit", ["batch_time_limit": 0.25]),
    ] as [(Int, String, [String: JSONValue])] {
      var object: JSONObject = ["use": .string(path), "time_limit": 0.1, "failure_limit": 1]
      for (key, value) in more { object[key] = value }
      let suite = try suite([.object(object)])
      let scored = try suite.score((0..<count).map { request($0, "x") })
      #expect(scored[count - 1].error?.contains(limit) == true, "\(scored[count - 1].outcomes)")
    }
  }

  @Test("a start with another scope than the first, or with one that there isn't, is told")
  func otherScope() throws {
    let folder = try PluginFolder()
    let path = try folder.plugin("reply(id=rid, score=1)", greeting: ", scope=\"epoch\"")
    do {
      _ = try suite([.string(path)])
      Issue.record("no error")
    } catch let error as RewardError {
      #expect(
        error.description.contains(
          "greets with the scope \"epoch\", expected one of \"completion\", \"group\", \"step\""))
    }
    let changing = try folder.file(
      "changing.py",
      """
      #!/usr/bin/env python3
      import sys, json, os
      seen = os.path.exists(sys.argv[0] + ".seen")
      open(sys.argv[0] + ".seen", "w").close()
      sys.stdin.readline()
      print(json.dumps({"grpo": 1, "name": "c", "scope": "step" if seen else "group"}), flush=True)
      sys.stdin.readline()
      """, executable: true)
    let suite = try suite([["use": .string(changing), "failure_limit": 1, "restart_limit": 3]])
    let scored = try suite.score([request(0, "x", group: 0), request(1, "y", group: 1)])
    #expect(
      scored[1].error?.contains("greets with the scope step, and greeted before with group")
        == true,
      "\(scored[1].outcomes)")
  }
}

extension RewardOutcome {
  /// How many completions the call had, by the comparing plugin.
  fileprivate var calls: Double? {
    guard case .scored(let score) = scoring else { return nil }
    return score.parts["calls"]
  }
}
