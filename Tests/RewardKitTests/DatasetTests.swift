import BuiltInRewards
import Foundation
import RewardKit
import TestSupport
import Testing

/// The rows of a JSON or JSONL file below `shared/data`.
private func rows(_ path: String) throws -> [JSONObject] {
  let data = try Data(contentsOf: SharedFiles.url("data/" + path))
  if data.first == UInt8(ascii: "[") {
    return try #require(JSONValue.parse(bytes: data).array).compactMap(\.object)
  }
  return try data.split(separator: UInt8(ascii: "\n")).map {
    try #require(JSONValue.parse(bytes: $0).object)
  }
}

/// The share of rows whose gold completion gets the full score, and the first rows that don't.
private func goldShare(
  _ specification: JSONValue, _ path: String, prompt: String? = nil
) throws -> (share: Double, failures: [String]) {
  let rows = try rows(path)
  let columns = rows.first?.keys.filter { $0 != prompt } ?? []
  let suite = try suite([specification], columns: columns)
  var unknown: [String] = []
  var requests: [RewardRequest] = []
  for (index, row) in rows.enumerated() {
    var columns = row
    let text = prompt.flatMap { row[$0]?.string } ?? "?"
    if let prompt { columns[prompt] = nil }
    let problem = Problem(index: index, prompt: .text(text), columns: columns)
    guard let gold = suite.goldCompletion(for: problem, reward: 0) else {
      unknown.append("row \(index): no gold completion")
      continue
    }
    requests.append(
      RewardRequest(
        id: index, group: index, problem: problem,
        completion: Completion(text: gold, tokens: [], finish: .stop)))
  }
  let wrong = try suite.score(requests).filter { $0.total != 1 }
    .map { "row \($0.id): \($0.outcomes[0])" }
  return (1 - Double(wrong.count + unknown.count) / Double(rows.count), unknown + wrong)
}

@Suite("Rewards over real data sets") struct DatasetTests {
  @Test(
    "the numeric reward agrees with every label of GSM8K's example solutions",
    .enabled(if: SharedFiles.has("data/gsm8k/example_model_solutions.jsonl")),
    arguments: ["strict", "lenient"])
  func exampleSolutions(mode: String) throws {
    let reward = try builtIn("numeric", ["mode": .string(mode)])
    var disagreements: [String] = []
    var count = 0
    for (index, row) in try rows("gsm8k/example_model_solutions.jsonl").enumerated() {
      let problem = Problem(
        index: index, prompt: .text(""), columns: ["answer": row["ground_truth"] ?? .null])
      for (key, value) in row {
        guard let solution = value["solution"]?.string, let label = value["is_correct"]?.bool else {
          continue
        }
        count += 1
        let completion = Completion(text: solution, tokens: [], finish: .stop)
        let score = try reward.score(completion, for: problem).value
        if (score == 1) != label { disagreements.append("row \(index), \(key): \(label)") }
      }
    }
    #expect(count == 5276)
    #expect(disagreements == [])
  }

  static let cases: [(String, JSONValue, String?)] = [
    ("gsm8k/test.jsonl", ["use": "numeric"], nil),
    ("gsm_plus/gsmplus_testmini.jsonl", ["use": "numeric"], nil),
    ("gsm_hard/test.jsonl", ["use": "numeric", "columns": ["answer": "target"]], nil),
    ("mawps/test.jsonl", ["use": "numeric", "columns": ["answer": "target"]], nil),
    ("svamp/SVAMP.json", ["use": "numeric", "columns": ["answer": "Answer"]], nil),
    ("math/math500_test.jsonl", ["use": "math"], nil),
    ("math/math500_test_rasbt.json", ["use": "math"], nil),
    (
      "countdown/countdown_cd3_test.jsonl",
      ["use": "countdown", "columns": ["numbers": "input", "target": "output"]], nil
    ),
  ]

  @Test("gold answers get the full score", arguments: cases)
  func gold(path: String, specification: JSONValue, prompt: String?) throws {
    guard SharedFiles.has("data/" + path) else { return }
    let (share, failures) = try goldShare(specification, path, prompt: prompt)
    #expect(share >= 0.99, "\(failures.prefix(20).joined(separator: "\n"))")
    if share < 1 { print(path, share, failures) }
  }

  @Test(
    "MATH's worked solutions get the full score",
    .enabled(if: SharedFiles.has("data/math/math500_test.jsonl")))
  func mathSolutions() throws {
    let reward = try builtIn("math")
    var wrong: [String] = []
    for row in try rows("math/math500_test.jsonl") {
      let problem = Problem(index: 0, prompt: .text(""), columns: row)
      let completion = Completion(
        text: row["solution"]?.string ?? "", tokens: [], finish: .stop)
      if try reward.score(completion, for: problem).value != 1 {
        wrong.append(row["answer"]?.string ?? "")
      }
    }
    #expect(wrong.count <= 5, "\(wrong)")
  }
}
