import RewardKit
import Testing

@Suite("Rewards as a config asks for them") struct SpecificationTests {
  @Test(
    "the string form splits at the last = followed by a number",
    arguments: [
      ("numeric", "numeric", 1.0), ("numeric=0.5", "numeric", 0.5), ("a=b.py:f=2", "a=b.py:f", 2),
      ("a=b.py:f", "a=b.py:f", 1), ("x=-1e-1", "x", -0.1), ("./a:b.py:f=1", "./a:b.py:f", 1),
    ])
  func strings(text: String, use: String, weight: Double) throws {
    let specification = try RewardSpecification(text)
    #expect(specification.use == use)
    #expect(specification.weight == weight)
  }

  @Test("the object form, and back")
  func objects() throws {
    let json: JSONValue = [
      "use": "regex", "name": "format", "weight": 0.5, "parameters": ["pattern": "x"],
      "columns": ["answer": "target"], "time_limit": 5.0, "on_error": "zero", "workers": 2,
      "sandbox": "isolated", "memory_limit": 536_870_912, "environment": ["KEY"],
    ]
    let specification = try RewardSpecification.list(from: [json])[0]
    #expect(specification.json == json)
    var text = try #require(json.object)
    text["memory_limit"] = "512 MiB"
    #expect(try RewardSpecification.list(from: .object(text))[0] == specification)
  }

  @Test("every fault of the list is told, each with its place")
  func faults() {
    let list: JSONValue = [
      5, "=1", ["use": "x", "wieght": 2, "workers": 0, "on_error": "ignore"],
      ["name": "y", "memory_limit": "much", "columns": ["a": 1], "environment": ["A=b"]],
      ["use": "x", "time_limit": -1, "parameters": [], "cache": "no", "sandbox": true],
    ]
    do {
      _ = try RewardSpecification.list(from: list)
      Issue.record("no error")
    } catch {
      for expected in [
        "reward[0] is 5", "names no reward", "reward[2]: unknown key \"wieght\" (did you mean",
        "reward[2].workers is 0", "reward[2].on_error is \"ignore\"", "reward[3].use is missing",
        "reward[3].memory_limit is \"much\"", "reward[3].columns", "reward[3].environment",
        "reward[4].time_limit is -1", "reward[4].parameters", "reward[4].cache",
        "reward[4].sandbox",
      ] {
        #expect(error.faults.contains { $0.contains(expected) }, "\(expected)")
      }
      #expect(error.faults.count == 13)
    }
  }

  @Test("columns are renamed, through paths, and only those of the dataset")
  func columns() throws {
    let specification: JSONValue = [
      "use": "numeric", "columns": ["answer": "reward_model.ground_truth"],
    ]
    let suite = try suite([specification], columns: ["reward_model"])
    let row: JSONObject = ["reward_model": ["ground_truth": 18]]
    #expect(try suite.score([request(0, "#### 18", columns: row)])[0].total == 1)
    #expect(throws: RewardError.self) {
      try RewardKitTests.suite([specification], columns: ["answer"])
    }
  }

  @Test(
    "two rewards of one name are refused; weights make the sum, and what can't be scored is left out"
  )
  func sums() throws {
    #expect(throws: RewardError.self) {
      try RewardKitTests.suite(["numeric", "numeric"])
    }
    let suite = try suite([
      ["use": "numeric", "weight": 2],
      ["use": "numeric", "name": "other", "weight": 0.5, "columns": ["answer": "b"]],
    ])
    let scored = try suite.score([
      request(0, "#### 1", columns: ["answer": 1, "b": 1]),
      request(1, "#### 1", columns: ["answer": 2, "b": 1]),
      request(2, "#### 1", columns: ["answer": .null, "b": 1]),
      request(3, "#### 1", columns: ["answer": .null]),
    ])
    #expect(scored.map(\.total) == [2.5, 0.5, 0.5, nil])
  }
}

@Suite("Health of the rewards") struct HealthTests {
  /// Scores groups of four over several steps and returns the warnings.
  private func warnings(
    _ specifications: JSONValue, steps: Int = 5, texts: (Int, Int) -> String
  ) throws -> [String] {
    let suite = try suite(specifications)
    for step in 0..<steps {
      _ = try suite.score(
        (0..<16).map { index in
          request(index, texts(step, index), columns: ["answer": 1], group: index / 4)
        }, isTraining: true)
      // What is evaluated between two steps is no step.
      _ = try suite.score([request(0, "#### 1", columns: ["answer": 1])])
    }
    return suite.takeWarnings()
  }

  @Test("one constant, and every group tied")
  func constant() throws {
    let warnings = try warnings(["numeric"]) { _, _ in "#### 2" }
    #expect(warnings.contains { $0.contains("\"numeric\" gave 0 to all 80 completions") })
    #expect(warnings.contains { $0.contains("all 20 groups of the last 5 steps") })
    #expect(try self.warnings(["numeric"], steps: 4) { _, _ in "#### 2" }.isEmpty)
    #expect(try self.warnings(["numeric"]) { $1 % 2 == 0 ? "#### 1" : "#### \($0 + 2)" }.isEmpty)
  }

  @Test("one that drowns the others")
  func dominance() throws {
    let warnings = try warnings([
      "numeric", ["use": "word_list", "weight": 100, "parameters": ["words": ["a"], "full": 3]],
    ]) { step, index in (index % 2 == 0 ? "a a a" : "") + (index % 3 == 0 ? "\n#### 1" : "") }
    #expect(warnings.count == 1)
    #expect(warnings.first?.contains("\"word_list\" makes 99.99") == true)
  }

  @Test("form without answers")
  func form() throws {
    let warnings = try warnings([
      "numeric", ["use": "format", "parameters": ["tags": ["answer"]]],
    ]) { step, index in index == 0 ? "no" : "<answer>\(step + 5)</answer>" }
    #expect(warnings.contains { $0.contains("learnt the form without the answers") })
  }
}
