import Rollouts
import Testing

@testable import PolicyOptimization

@Suite("Cases")
struct CaseTests {
  private static let text = """
    {"num_generations": 2, "policy_logps": [[-1, -2], [-1]], "rewards": {"a": [1, 0], "b": [null, 3]},
     "reward_weights": {"b": 0.5}, "mask": [[1, 0], [1]], "terminated": [true, false]}
    """

  private func parsed(_ change: (inout JSONObject) -> Void = { _ in }) throws -> ObjectiveCase {
    var object = try #require(try JSONValue.parse(Self.text).object)
    change(&object)
    return try ObjectiveCase(.object(object))
  }

  @Test("are read, ragged rows and weights by name included")
  func read() throws {
    let numbers = try parsed()
    #expect(numbers.policy == [[-1, -2], [-1]] && numbers.mask == [[true, false], [true]])
    #expect(numbers.rewardNames == ["a", "b"] && numbers.rewardWeights == [1, 0.5])
    #expect(numbers.rewards == [[1, 0], [nil, 3]] && numbers.isTruncated == [false, true])
    let result = try CaseRun(numbers, config: [:], over: .default).result()
    // r = 1 and 1.5.
    #expect(result["advantages"]?.array?.count == 2)
    #expect(result["num_items_in_batch"]?.integer == 2)
  }

  @Test(
    "name the place of a fault",
    arguments: [
      ("policy_logps", "3", "policy_logps is not a list of rows"),
      ("old_logps", "[[-1], [-1]]", "row 0 of old_logps has 1 numbers where policy_logps has 2"),
      ("entropies", "[[1, null], [1]]", "entropies[0][1] is not a number"),
      ("rewards", "[1]", "rewards has 1 entries for 2 completions"),
      ("rewards", "[1, \"x\"]", "rewards[1] is neither a number nor null"),
      ("reward_weights", "{\"c\": 1}", "reward_weights names c, but the rewards are a, b"),
      ("num_generations", "3", "num_generations is 3, but there are 2 completions"),
      ("num_generations", "0", "num_generations is 0"),
      ("mask", "[[1, 2], [1]]", "row 0 of mask needs 2 entries of 0 or 1"),
      ("terminated", "[true]", "terminated needs true or false for each of the 2 completions"),
      ("configs", "{}", "configs is not a list"),
    ])
  func faults(key: String, json: String, message: String) throws {
    do {
      _ = try parsed { $0[key] = try? JSONValue.parse(json) }
      Issue.record("no fault was found")
    } catch let error as CaseError {
      #expect(error.description.contains(message), "\(error)")
    }
  }

  @Test("configs name every unknown key and every bad value at once")
  func configFaults() throws {
    let config: JSONObject = [
      "epsilon": "wide", "loss_typ": "grpo", "max_completion_length": 0,
      "gradient_accumulation_steps": 3,
    ]
    do {
      _ = try CaseRun(parsed(), config: config, over: .default) { _ in "did you mean loss_type?" }
      Issue.record("no fault was found")
    } catch let error as CaseError {
      for part in [
        "epsilon is \"wide\": expected a number",
        "loss_typ is not a setting of the objective: did you mean loss_type?",
        "max_completion_length is 0", "gradient_accumulation_steps is 3, which does not divide 2",
      ] { #expect(error.description.contains(part), "\(error)") }
    }
  }

  @Test("steps give advantages by token")
  func steps() throws {
    let numbers = try parsed {
      $0["rewards"] = [0, 0]
      $0["reward_weights"] = nil
      $0["steps"] = [
        [["end": 1, "score": 1], ["end": 2, "score": 0]], [["end": 1, "score": 0.5]],
      ]
    }
    let result = try CaseRun(
      numbers, config: ["supervision": "process", "advantage_epsilon": 0], over: .default
    ).result()
    #expect(result["advantages"] == [[.number(0), .number(-1)], [.number(0)]])
  }
}
