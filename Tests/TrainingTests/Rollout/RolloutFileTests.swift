import Foundation
import Rollouts
import Testing

@testable import Training
@testable import TrajectoryStore

@Suite("Files of rollouts")
struct RolloutFileTests {
  private func read(_ text: String) throws -> RolloutFile {
    let url = FileManager.default.temporaryDirectory
      .appendingPathComponent("rollouts-\(UUID().uuidString).jsonl")
    try Data(text.utf8).write(to: url)
    defer { try? FileManager.default.removeItem(at: url) }
    return try RolloutFile(reading: url.path)
  }

  @Test("Every member of a line is read")
  func wholeLine() throws {
    let line = try #require(
      try read(
        """
        {"group":"a","prompt":"1+2=","prompt_ids":[5,6],"completion_ids":[7,8],"completion":"3",
        """.replacing("\n", with: "")
          + """
          "reward":{"right":1,"short":null},"step":3,"advantage":[0.5,-1],"steps":{"right":[{"end":1,"score":0.25}]},
          """.replacing("\n", with: "")
            + """
            "columns":{"answer":"3"},"old_logprobs":[-0.5,-2],"finish":"stop","mood":1}
            """
      ).lines.first)
    #expect(line.group == "a")
    #expect(line.prompt == .text("1+2="))
    #expect(line.promptTokens == [5, 6])
    #expect(line.completion == "3")
    #expect(line.completionTokens == [7, 8])
    #expect(line.rewards?.map(\.name) == ["right", "short"])
    #expect(line.rewards?.map(\.value) == [1, nil])
    #expect(line.rewards?[0].steps == [StepScore(end: 1, score: 0.25)])
    #expect(line.step == 3)
    #expect(line.advantage == .tokens([0.5, -1]))
    #expect(line.columns == ["answer": "3"])
    #expect(line.oldLogProbabilities == [-0.5, -2])
    #expect(line.finish == .stop)
    #expect(line.others == ["mood": 1])
    #expect(line.place == .line(1))
  }

  @Test("A bare number is the one reward, null one that couldn't be given, nothing none")
  func rewards() throws {
    let lines = try read(
      """
      {"prompt_ids":[1],"completion_ids":[2],"reward":0.5}
      {"prompt_ids":[1],"completion_ids":[2],"reward":null}
      {"prompt_ids":[1],"completion_ids":[2]}
      """
    ).lines
    #expect(lines[0].rewards == [RolloutLine.Reward(name: "reward", value: 0.5)])
    #expect(lines[1].rewards == [RolloutLine.Reward(name: "reward", value: nil)])
    #expect(lines[2].rewards == nil)
  }

  @Test(
    "A wrong member is named with its line",
    arguments: [
      ("\"group\":[1]", "'group' must be"), ("\"step\":0", "'step' must be"),
      ("\"finish\":\"eos\"", "'finish' must be"), ("\"columns\":[]", "'columns' must be"),
      ("\"reward\":{}", "names no reward"), ("\"steps\":[]", "'steps' without 'reward'"),
      ("\"reward\":1,\"steps\":[{\"end\":0,\"score\":1}]", "rising ends"),
      ("\"reward\":{\"a\":1,\"b\":2},\"steps\":[]", "one list of 'steps' for 2 rewards"),
      ("\"reward\":{\"a\":1},\"steps\":{\"b\":[]}", "'steps' of 'b'"),
      ("\"advantage\":[1]", "'advantage' has 1 numbers"),
      ("\"segments\":[{\"origin\":\"sampled\",\"length\":3}]", "add up to the 2 tokens"),
      (
        "\"segments\":[{\"origin\":\"sampled\",\"length\":1},{\"origin\":\"observed\",\"length\":1}],\"old_logprobs\":[-1,-2]",
        "2 numbers for the 1 sampled tokens"
      ),
    ])
  func faults(_ member: String, _ part: String) throws {
    let error = #expect(throws: DatasetError.self) {
      _ = try read("\n{\"prompt_ids\":[1],\"completion_ids\":[2,3],\(member)}\n")
    }
    #expect(error?.place == .line(2))
    #expect(error?.reason.contains(part) == true, "\(error?.reason ?? "")")
  }
}
