import Rollouts

/// A line of another trainer's dump, or of `grpo log export`.
///
/// Of each line are read `step` (that of the line before where there is none), `group` (the prompt where there
/// is none), `prompt` or `input`, `completion` or `output`, `prompt_ids`, `completion_ids`, `reward` (a number,
/// null, or an object of them by name) or `score`, `segments`, `advantage`, `old_logprobs`, `kept_sets`, `finish` and
/// `columns`. Every other member is kept too.
struct ImportedLine {
  private let object: JSONObject
  private let path: String
  private let number: Int

  /// A prompt, and what tells it from others.
  struct PromptText {
    var prompt: Prompt
    var key: String
  }

  init(_ bytes: [UInt8], path: String, number: Int) throws(StoreError) {
    (self.path, self.number) = (path, number)
    do throws(JSONError) {
      guard let object = try JSONValue.parse(bytes: bytes).object else {
        throw JSONError(reason: "expected an object", line: 1, column: 1)
      }
      self.object = object
    } catch {
      throw StoreError(
        .refused, "\(path), line \(number): column \(error.column): \(error.reason).")
    }
  }

  /// What is wrong with the line, as a clause, with its place.
  func fault(_ what: String) -> StoreError {
    StoreError(.refused, "\(path), line \(number): \(what).")
  }

  private func wrong(_ name: String, _ expected: String) -> StoreError {
    let text = object[name]?.jsonText ?? ""
    return fault("'\(name)' must be \(expected), not \(text.prefix(40))")
  }

  /// A member that isn't null.
  private func member(_ name: String) -> JSONValue? {
    object[name].flatMap { $0.isNull ? nil : $0 }
  }

  /// The first of two names that the line has.
  private func either(_ name: String, or other: String) -> (name: String, value: JSONValue)? {
    object[name].map { (name, $0) } ?? object[other].map { (other, $0) }
  }

  // MARK: Where it belongs

  var step: Int? {
    get throws(StoreError) {
      guard let value = member("step") else { return nil }
      guard let step = value.integer, step >= 0 else {
        throw wrong("step", "a whole number of at least 0")
      }
      return step
    }
  }

  var group: String? { member("group")?.jsonText }

  var prompt: PromptText {
    get throws(StoreError) {
      guard let value = either("prompt", or: "input")?.value ?? object["prompt_ids"] else {
        throw fault("there is no prompt")
      }
      let key = value.string ?? value.jsonText
      let isMessages = value.array != nil && object["prompt_ids"] != value
      let messages =
        isMessages ? TrajectoryStore.PromptText.prompt(form: "messages", text: key) : nil
      return PromptText(prompt: messages ?? .text(key), key: key)
    }
  }

  var promptTokens: [TokenID] {
    get throws(StoreError) { try tokens("prompt_ids") ?? [] }
  }

  // MARK: What else it says

  var columns: JSONObject { object["columns"]?.object ?? [:] }

  /// The members that are not part of a rollout.
  var others: JSONObject {
    var read: Set<String> = [
      "step", "group", "prompt_ids", "completion_ids", "advantage", "old_logprobs", "kept_sets",
      "finish", "columns", "segments",
    ]
    for names in [("prompt", "input"), ("completion", "output"), ("reward", "score")] {
      if let found = either(names.0, or: names.1) { read.insert(found.name) }
    }
    return JSONObject(object.filter { !read.contains($0.key) }.map { ($0.key, $0.value) })
  }

  /// What each reward gave; nil where it gave no number.
  var rewards: [(name: String, value: Double?)] {
    let reward = either("reward", or: "score")?.value ?? .null
    guard let named = reward.object else { return [("reward", reward.double)] }
    return named.map { ($0.key, $0.value.double) }
  }

  // MARK: The completion

  func completion(
    sample: Int, weights: [String: Double]
  ) throws(StoreError) -> CompletionRecord {
    let answer = either("completion", or: "output")?.value
    guard let text = answer.map({ $0.string ?? $0.jsonText }) ?? object["completion_ids"]?.jsonText
    else { throw fault("there is no completion") }
    let tokens = try tokens("completion_ids") ?? []
    var record = CompletionRecord(
      sample: sample,
      completion: Completion(
        text: text, tokens: tokens,
        finish: object["finish"]?.string.flatMap(FinishReason.init) ?? .stop,
        segments: try segments(count: tokens.count)))
    let count = record.completion.sampledCount
    record.samplerLogProbabilities = try numbers("old_logprobs", count: count)
      .map { $0.map { Float($0) } }
    record.keptSets = try keptSets(count: count)
    var total: Double?
    for (name, value) in rewards {
      if let value {
        record.scores.append(ScoreRecord(reward: name, scoring: .scored(Score(value))))
        total = (total ?? 0) + value * (weights[name] ?? 1)
      } else {
        record.scores.append(
          ScoreRecord(reward: name, scoring: .unscorable(reason: "no number in the file")))
      }
    }
    record.reward = total
    if let advantage = member("advantage")?.double {
      record.advantage = .completion(advantage)
    } else if let values = try numbers("advantage", count: count) {
      record.advantage = .tokens(values)
    }
    return record
  }

  private func tokens(_ name: String) throws(StoreError) -> [TokenID]? {
    guard let value = member(name) else { return nil }
    guard let elements = value.array else { throw wrong(name, "a list of token ids") }
    var ids: [TokenID] = []
    ids.reserveCapacity(elements.count)
    for element in elements {
      guard let id = element.integer.flatMap({ TokenID(exactly: $0) }), id >= 0 else {
        throw fault("'\(name)' must hold token ids, not \(element.jsonText.prefix(40))")
      }
      ids.append(id)
    }
    return ids
  }

  /// Who wrote which of the tokens.
  private func segments(count: Int) throws(StoreError) -> [Segment] {
    guard let value = member("segments") else { return [] }
    guard let segments = [Segment](json: value, of: count) else {
      throw wrong(
        "segments",
        "a list of {\"origin\": \"sampled\"|\"observed\", \"length\": int} that add up to the \(count) "
          + "tokens of 'completion_ids'")
    }
    return segments
  }

  /// A number per token; null is one that was not finite.
  private func numbers(_ name: String, count: Int) throws(StoreError) -> [Double]? {
    guard let value = member(name) else { return nil }
    guard let elements = value.array, elements.allSatisfy({ $0.isNull || $0.double != nil }) else {
      throw wrong(name, "a list of numbers")
    }
    try check(elements.count, of: name, count)
    return elements.map { $0.double ?? .nan }
  }

  private func keptSets(count: Int) throws(StoreError) -> [KeptSet?]? {
    guard let value = member("kept_sets") else { return nil }
    guard let elements = value.array else { throw wrong("kept_sets", "a list of sets") }
    try check(elements.count, of: "kept_sets", count)
    var sets: [KeptSet?] = []
    for element in elements {
      do throws(KeptSet.Malformed) { sets.append(try KeptSet.read(element)) } catch {
        throw fault(
          "'kept_sets' must hold null, ascending token ids or {\"except\": [ids]}, not "
            + "\(element.jsonText.prefix(40))")
      }
    }
    return sets
  }

  private func check(_ found: Int, of name: String, _ count: Int) throws(StoreError) {
    guard found == count else {
      throw fault(
        "'\(name)' has \(found) elements for the \(count) sampled tokens of 'completion_ids'")
    }
  }
}
