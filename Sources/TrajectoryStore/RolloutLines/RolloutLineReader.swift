import Rollouts

/// Reads the members of a rollout's row, each with its own form.
package struct RolloutLineReader {
  private let row: JSONObject
  private let reading: RolloutLine.Reading

  private static let keys: Set<String> = [
    "group", "prompt_ids", "prompt", "completion_ids", "completion", "reward", "step", "advantage",
    "steps", "columns", "segments", "old_logprobs", "kept_sets", "finish",
  ]

  /// What other trainers' dumps call a member.
  private static let otherNames = ["prompt": "input", "completion": "output", "reward": "score"]

  package init(_ row: JSONObject, _ reading: RolloutLine.Reading = .learned) {
    self.row = row
    self.reading = reading
  }

  /// The members that are not part of a rollout.
  package var others: JSONObject {
    var read = Self.keys
    if reading == .kept {
      read.remove("steps")
      for (name, other) in Self.otherNames where row[name] == nil { read.insert(other) }
    }
    return JSONObject(row.filter { !read.contains($0.key) }.map { ($0.key, $0.value) })
  }

  /// A member, which may be null.
  private func value(_ key: String) -> JSONValue? {
    row[key] ?? (reading == .kept ? Self.otherNames[key].flatMap { row[$0] } : nil)
  }

  /// A member that isn't null.
  private func member(_ key: String) -> JSONValue? {
    value(key).flatMap { $0.isNull ? nil : $0 }
  }

  private func wrong(_ key: String, _ expected: String, _ value: JSONValue) -> RolloutLineError {
    let text = value.jsonText
    let short = text.count <= 40 ? text : text.prefix(39) + "…"
    return RolloutLineError("'\(key)' must be \(expected), not \(short)")
  }

  // MARK: Tokens and text

  package func tokens(_ key: String) throws(RolloutLineError) -> [TokenID]? {
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

  package func prompt() throws(RolloutLineError) -> Prompt? {
    guard let value = member("prompt") else { return nil }
    do throws(PromptFormError) { return try Prompt(json: value) } catch {
      if reading == .kept { return .text(value.jsonText) }
      throw RolloutLineError("'prompt' \(error.reason)")
    }
  }

  /// A completion's text; TRL's conversational form is a list of one assistant message.
  func completion() throws(RolloutLineError) -> String? {
    guard let value = member("completion") else { return nil }
    if let text = value.string { return text }
    if reading == .kept { return value.jsonText }
    guard let elements = value.array, elements.count == 1 else {
      throw wrong("completion", "a text or a list of one message", value)
    }
    do throws(PromptFormError) { return try ChatMessage(json: elements[0]).content } catch {
      throw RolloutLineError("'completion' \(error.reason)")
    }
  }

  /// Who wrote which of the completion's tokens.
  func segments(of count: Int) throws(RolloutLineError) -> [Segment] {
    guard let value = member("segments") else { return [] }
    guard let segments = [Segment](json: value, of: count) else {
      throw wrong(
        "segments",
        "a list of {\"origin\": \"sampled\"|\"observed\", \"length\": int} that add up to the \(count) tokens "
          + "of 'completion_ids'", value)
    }
    return segments
  }

  // MARK: Rewards

  func rewards() throws(RolloutLineError) -> [RolloutLine.Reward]? {
    guard let value = value("reward") else {
      if reading == .learned, member("steps") != nil {
        throw RolloutLineError("has 'steps' without 'reward'")
      }
      return nil
    }
    var rewards: [RolloutLine.Reward] = []
    if let members = value.object {
      for (name, value) in members {
        rewards.append(.init(name: name, value: try reward(value, "reward.\(name)")))
      }
      if reading == .learned, rewards.isEmpty {
        throw RolloutLineError("'reward' names no reward")
      }
    } else {
      rewards.append(.init(name: RolloutLine.onlyReward, value: try reward(value, "reward")))
    }
    if reading == .learned { try addSteps(to: &rewards) }
    return rewards
  }

  private func reward(_ value: JSONValue, _ key: String) throws(RolloutLineError) -> Double? {
    if value.isNull { return nil }
    if let number = value.double, number.isFinite { return number }
    if reading == .kept { return nil }
    throw wrong(key, "a number, or null where it couldn't be scored", value)
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

  /// Which lines belong together: any scalar, of a dump any value.
  func group() throws(RolloutLineError) -> JSONValue? {
    guard let value = member("group") else { return nil }
    switch value {
    case .array, .object:
      if reading == .kept { return value }
      throw wrong("group", "a text or a number", value)
    default: return value
    }
  }

  func step() throws(RolloutLineError) -> Int? {
    guard let value = member("step") else { return nil }
    let least = reading == .kept ? 0 : 1
    guard let step = value.integer, step >= least else {
      throw wrong("step", "a whole number of at least \(least)", value)
    }
    return step
  }

  func columns() throws(RolloutLineError) -> JSONObject {
    guard let value = member("columns") else { return [:] }
    if let columns = value.object { return columns }
    if reading == .kept { return [:] }
    throw wrong("columns", "an object", value)
  }

  func numbers(_ key: String) throws(RolloutLineError) -> [Double]? {
    guard let value = member(key) else { return nil }
    guard let elements = value.array else { throw wrong(key, "a list of numbers", value) }
    var numbers: [Double] = []
    numbers.reserveCapacity(elements.count)
    for element in elements {
      if let number = element.double, number.isFinite {
        numbers.append(number)
      } else if reading == .kept, element.isNull {
        numbers.append(.nan)
      } else {
        throw wrong(key, "a list of finite numbers", element)
      }
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
    if let finish = value.string.flatMap(FinishReason.init(rawValue:)) { return finish }
    if reading == .kept { return .stop }
    throw wrong("finish", "\"stop\" or \"length\"", value)
  }
}
