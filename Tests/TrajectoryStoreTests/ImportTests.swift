import Foundation
import Rollouts
import Testing

@testable import TrajectoryStore

@Suite("Lines of other trainers become a log")
struct ImportTests {
  private func imported(_ text: String) throws -> TrajectoryReader {
    let folder = try TemporaryFolder()
    let file = folder.url.appendingPathComponent("dump.jsonl")
    try Data(text.utf8).write(to: file)
    _ = try RolloutImport.run(file, into: folder.log)
    return try TrajectoryReader(readOnly: folder.log)
  }

  @Test func noMemberOfALineIsLost() throws {
    let reader = try imported(
      """
      {"prompt":"1+1=","completion":"2","reward":1,"answer":"2","level":3,"id":"x7","columns":{"level":1}}
      {"prompt":"1+1=","completion":"3","reward":0,"answer":"2","level":3,"id":"x8"}
      {"prompt":"2+2=","output":"4","score":1,"answer":"4","input":"not the prompt"}
      """)
    let groups = try #require(try reader.step(0)).groups
    // A column that is given as one wins over a member of that name.
    #expect(groups[0].problem.columns == ["level": 1, "answer": "2"])
    #expect(groups[1].problem.columns == ["answer": "4", "input": "not the prompt"])
    let logs = groups[0].completions.map { completion -> JSONObject? in
      guard case .scored(let score) = completion.scores[0].scoring else { return nil }
      return score.log
    }
    #expect(logs == [["id": "x7"], ["id": "x8"]])
  }

  @Test func keptSetsComeBack() throws {
    let reader = try imported(
      """
      {"prompt":"a","completion_ids":[5,7,1],"old_logprobs":[-1,-2,-3],"kept_sets":[[2,5],null,{"except":[0,3]}],"reward":1}
      """)
    let completion = try #require(try reader.step(0)).groups[0].completions[0]
    #expect(completion.keptSets == [.only([2, 5]), nil, .except([0, 3])])
  }

  @Test(arguments: [
    (#""step":-1"#, "'step' must be"), (#""step":"two""#, "'step' must be"),
    (#""completion_ids":[1,-2]"#, "token ids"), (#""completion_ids":[1,4294967296]"#, "token ids"),
    (#""completion_ids":[1],"old_logprobs":[-1,-2]"#, "2 numbers for the 1 sampled tokens"),
    (#""completion_ids":[1],"old_logprobs":["x"]"#, "list of finite numbers"),
    (#""old_logprobs":[-1]"#, "1 numbers for the 0 sampled tokens"),
    (#""completion_ids":[1],"kept_sets":[[]]"#, "'kept_sets' must be"),
    (#""completion_ids":[1],"kept_sets":[[3,2]]"#, "'kept_sets' must be"),
    (#""completion_ids":[1],"kept_sets":[null,null]"#, "2 sets for the 1 sampled tokens"),
    (#""completion_ids":[1],"advantage":[1,2]"#, "2 numbers for the 1 sampled tokens"),
  ])
  func whatCantBeRightIsRefused(_ member: String, _ reason: String) throws {
    let error = #expect(throws: StoreError.self) {
      _ = try imported("\n{\"prompt\":\"a\",\"completion\":\"b\",\(member)}\n")
    }
    #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
    #expect(error?.description.contains("line 2") == true)
  }

  @Test func aRefusedFileLeavesNoLogBehind() throws {
    let folder = try TemporaryFolder()
    let file = folder.url.appendingPathComponent("dump.jsonl")
    try Data("{\"prompt\":\"a\",\"completion\":\"b\"}\n{\"prompt\":\"a\"}\n".utf8).write(to: file)
    #expect(throws: StoreError.self) { _ = try RolloutImport.run(file, into: folder.log) }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["dump.jsonl"])
    // Nothing is written over.
    try Data("mine".utf8).write(to: folder.log)
    #expect(throws: StoreError.self) { _ = try RolloutImport.run(file, into: folder.log) }
    #expect(try String(contentsOf: folder.log, encoding: .utf8) == "mine")
  }

  @Test func aPipeIsRefusedAtOnce() throws {
    let folder = try TemporaryFolder()
    let pipe = folder.url.appendingPathComponent("pipe")
    #expect(mkfifo(pipe.path, 0o600) == 0)
    for attempt in [
      { _ = try RolloutImport.run(pipe, into: folder.log) },
      { _ = try TrajectoryReader(readOnly: pipe) }, { _ = try QuerySession(readOnly: pipe) },
      { _ = try TrajectoryLog(opening: pipe) },
    ] as [() throws -> Void] {
      let error = #expect(throws: StoreError.self) { try attempt() }
      #expect(error?.description.contains("is a named pipe") == true)
    }
  }
}
