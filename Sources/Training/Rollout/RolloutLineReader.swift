import Rollouts
import TrajectoryStore

/// Reads the members of a rollout's row, each with its own form.
struct RolloutLineReader {
  private let row: JSONObject

  private static let keys: Set<String> = [
    "group", "prompt_ids", "prompt", "completion_ids", "completion", "reward", "step", "advantage",
    "steps", "columns", "old_logprobs", "kept_sets", "finish",
  ]

  init(_ row: JSONObject) { self.row = row }

  var unknownKeys: [String] { row.keys.filter { !Self.keys.contains($0) } }

  /// A member that isn't null.
  private func member(_ key: String) -> JSONValue? {
    row[key].flatMap { $0.isNull ? nil : $0 }
  }

  private func wrong(_ key: String, _ expected: String, _ value: JSONValue) -> RolloutLineError {
    let text = value.jsonText
    let short = text.count <= 40 ? text : text.prefix(39) + "…"
    return RolloutLineError("'\(key)' must be \(expected), not \(short)")
  }

  // MARK: Tokens and text

  func tokens(_ key: String) throws(RolloutLineError) -> [TokenID]? {
    guard let value = member(key) else { return nil }
    guard let elements = value.array else { throw wrong(key, "a list of token ids", value) }
    var tokens: [TokenID] = []
    tokens.reserveCapacity(elements.count)
    for element in elements {
      guard let id = element.integer.flatMap(TokenID.init(exactly:)), id >= 0 else {
        throw RolloutLineError("'\(key)' must hold token ids, not \(element.jsonText.prefix(40))")
      }
      tokens.append(id)
    }
    return tokens
  }

  func prompt() throws(RolloutLineError) -> Prompt? {
    guard let value = member("prompt") else { return nil }
    do throws(PromptFormError) { return try Prompt(json: value) } catch {
      throw RolloutLineError("'prompt' \(error.reason)")
    }
  }

  /// A completion's text; TRL's conversational form is a list of one assistant message.
  func completion() throws(RolloutLineError) -> String? {
    guard let value = member("completion") else { return nil }
    if let text = value.string { return text }
    guard let elements = value.array, elements.count == 1 else {
      throw wrong("completion", "a text or a list of one message", value)
    }
    do throws(PromptFormError) { return try ChatMessage(json: elements[0]).content } catch {
      throw RolloutLineError("'completion' \(error.reason)")
    }
  }

  // MARK: Rewards

  func rewards() throws(RolloutLineError) -> [RolloutLine.Reward]? {
    guard let value = row["reward"] else {
      if member("steps") != nil { throw RolloutLineError("has 'steps' without 'reward'") }
      return nil
    }
    var rewards: [RolloutLine.Reward] = []
    if let members = value.object {
      for (name, value) in members {
        rewards.append(.init(name: name, value: try reward(value, "reward.\(name)")))
      }
      if rewards.isEmpty { throw RolloutLineError("'reward' names no reward") }
    } else {
      rewards.append(.init(name: RolloutLine.onlyReward, value: try reward(value, "reward")))
    }
    try addSteps(to: &rewards)
    return rewards
  }

  private func reward(_ value: JSONValue, _ key: String) throws(RolloutLineError) -> Double? {
    if value.isNull { return nil }
    guard let number = value.double, number.isFinite else {
      throw wrong(key, "a number, or null where it couldn't be scored", value)
    }
    return number
  }

  private func addSteps(to rewards: inout [RolloutLine.Reward]) throws(RolloutLineError) {
    guard let value = member("steps") else { return }
    if let members = value.object {
      for (name, list) in members {
        guard let index = rewards.firstIndex(where: { $0.name == name }) else {
          throw RolloutLineError("has 'steps' of '\(name)', which 'reward' doesn't name")
        }
        rewards[index].steps = try steps(list)
      }
    } else if rewards.count == 1 {
      rewards[0].steps = try steps(value)
    } else {
      throw RolloutLineError(
        "has one list of 'steps' for \(rewards.count) rewards; give {name: list}")
    }
  }

  private func steps(_ value: JSONValue) throws(RolloutLineError) -> [StepScore] {
    guard let elements = value.array else {
      throw wrong("steps", "a list of {\"end\": …, \"score\": …}", value)
    }
    var steps: [StepScore] = []
    for element in elements {
      guard let end = element["end"]?.integer, end > steps.last?.end ?? 0,
        let score = element["score"]?.double, score.isFinite
      else {
        throw wrong("steps", "objects {\"end\": …, \"score\": …} with rising ends", element)
      }
      steps.append(StepScore(end: end, score: score))
    }
    return steps
  }

  func advantage() throws(RolloutLineError) -> RolloutLine.Advantage? {
    guard let value = member("advantage") else { return nil }
    if let number = value.double, number.isFinite { return .completion(number) }
    return try numbers("advantage").map { .tokens($0) }
  }

  // MARK: The rest

  func scalar(_ key: String) throws(RolloutLineError) -> JSONValue? {
    guard let value = member(key) else { return nil }
    switch value {
    case .array, .object: throw wrong(key, "a text or a number", value)
    default: return value
    }
  }

  func step() throws(RolloutLineError) -> Int? {
    guard let value = member("step") else { return nil }
    guard let step = value.integer, step >= 1 else {
      throw wrong("step", "a whole number of at least 1", value)
    }
    return step
  }

  func columns() throws(RolloutLineError) -> JSONObject {
    guard let value = member("columns") else { return [:] }
    guard let columns = value.object else { throw wrong("columns", "an object", value) }
    return columns
  }

  func numbers(_ key: String) throws(RolloutLineError) -> [Double]? {
    guard let value = member(key) else { return nil }
    guard let elements = value.array else { throw wrong(key, "a list of numbers", value) }
    var numbers: [Double] = []
    numbers.reserveCapacity(elements.count)
    for element in elements {
      guard let number = element.double, number.isFinite else {
        throw wrong(key, "finite numbers", element)
      }
      numbers.append(number)
    }
    return numbers
  }

  /// What truncated sampling left at each token.
  func keptSets() throws(RolloutLineError) -> [KeptSet?]? {
    guard let value = member("kept_sets") else { return nil }
    guard let elements = value.array else { throw wrong("kept_sets", "a list of sets", value) }
    var sets: [KeptSet?] = []
    for element in elements {
      do throws(KeptSet.Malformed) { sets.append(try KeptSet.read(element)) } catch {
        throw wrong(
          "kept_sets", "null, ascending token ids or {\"except\": [ids]} for each token", element)
      }
    }
    return sets
  }

  func finish() throws(RolloutLineError) -> FinishReason? {
    guard let value = member("finish") else { return nil }
    guard let finish = value.string.flatMap(FinishReason.init(rawValue:)) else {
      throw wrong("finish", "\"stop\" or \"length\"", value)
    }
    return finish
  }
}
