import Foundation
import Rollouts

/// Makes a log of lines of JSON: what `grpo log export` wrote, or another trainer's dump.
///
/// Of each line are read `step` (0 where there is none), `group` (the prompt where there is none),
/// `prompt` or `input`, `completion` or `output`, `prompt_ids`, `completion_ids`, `reward` (a
/// number, null, or an object of them by name) or `score`, `advantage`, `old_logprobs`, `finish`
/// and `columns`. Steps must not go back; within a step lines of a group need not be adjacent.
public struct RolloutImport {
  private let path: String
  private var step: Int?
  private var groups: [String: Int] = [:]
  private var record = StepRecord(step: 0, policyStep: 0, groups: [])
  private var problems: [String: Int] = [:]
  private var lines = 0

  /// Reads a file into a new log; returns how many completions it held.
  ///
  /// - Parameter weights: The rewards by name with their weights, for totals; a reward that the
  ///   lines name and this doesn't weighs 1.
  /// - Throws: `StoreError` naming file and line of what can't be read.
  public static func run(
    _ file: URL, into url: URL, weights: [String: Double] = [:]
  ) throws(StoreError) -> Int {
    let names = try rewardNames(in: file)
    let log = try TrajectoryLog(creating: url)
    try log.begin(
      run: RunRecord(
        name: file.deletingPathExtension().lastPathComponent, kind: "import", seed: 0,
        programVersion: "", configuration: [:], model: "", modelHash: "", dataset: file.path,
        datasetHash: "",
        rewards: names.map { RewardRecord(name: $0, weight: weights[$0] ?? 1, kind: "imported") }))
    var importer = RolloutImport(path: file.path)
    try eachLine(of: file) { (line, number) throws(StoreError) in
      try importer.add(line, number: number, weights: weights, to: log)
    }
    try importer.finishStep(log)
    try log.finish(outcome: "done")
    return importer.lines
  }

  private init(path: String) { self.path = path }

  /// The names of all rewards, in the order in which they first appear; `reward` for plain numbers.
  private static func rewardNames(in file: URL) throws(StoreError) -> [String] {
    var names: [String] = []
    try eachLine(of: file) { (line, number) throws(StoreError) in
      let object = try parse(line, file.path, number)
      let rewards = (object["reward"] ?? object["score"])
      for name in rewards?.object?.keys ?? ["reward"] where !names.contains(name) {
        guard names.count < 1000 else {
          throw fault(file.path, number, "names more than 1000 rewards in all")
        }
        names.append(name)
      }
    }
    return names
  }

  /// Calls a body with each line that isn't empty; memory for one line.
  private static func eachLine(
    of file: URL, _ body: (ArraySlice<UInt8>, Int) throws(StoreError) -> Void
  ) throws(StoreError) {
    guard let handle = try? FileHandle(forReadingFrom: file) else {
      throw StoreError(.unreachable, "The file \(file.path) can't be read.")
    }
    defer { try? handle.close() }
    var rest: [UInt8] = []
    var number = 0
    while true {
      let piece = (try? handle.read(upToCount: 1 << 20)) ?? nil
      let isLast = piece?.isEmpty ?? true
      rest += piece ?? Data()
      var start = 0
      while let end = rest[start...].firstIndex(of: UInt8(ascii: "\n"))
        ?? (isLast ? rest.count : nil),
        start < rest.count
      {
        number += 1
        let line = rest[start..<end]
        if line.contains(where: { $0 > 0x20 }) { try body(line, number) }
        start = min(end + 1, rest.count)
      }
      if isLast { return }
      rest.removeFirst(start)
    }
  }

  private static func fault(_ path: String, _ line: Int, _ what: String) -> StoreError {
    StoreError(.refused, "\(path), line \(line): \(what).")
  }

  private static func parse(
    _ line: ArraySlice<UInt8>, _ path: String, _ number: Int
  ) throws(StoreError) -> JSONObject {
    do throws(JSONError) {
      guard let object = try JSONValue.parse(bytes: Array(line)).object else {
        throw JSONError(reason: "expected an object", line: 1, column: 1)
      }
      return object
    } catch {
      throw fault(path, number, "column \(error.column): \(error.reason)")
    }
  }

  private mutating func add(
    _ line: ArraySlice<UInt8>, number: Int, weights: [String: Double], to log: TrajectoryLog
  ) throws(StoreError) {
    let object = try Self.parse(line, path, number)
    let step = object["step"]?.integer ?? self.step ?? 0
    if step != self.step {
      if let current = self.step, step < current {
        throw Self.fault(path, number, "step \(step) comes after step \(current)")
      }
      try finishStep(log)
      self.step = step
      record = StepRecord(step: step, policyStep: step, groups: [])
    }
    guard let promptValue = object["prompt"] ?? object["input"] ?? object["prompt_ids"] else {
      throw Self.fault(path, number, "there is no prompt")
    }
    let prompt = promptValue.string ?? promptValue.jsonText
    let key = object["group"]?.jsonText ?? prompt
    let place = groups[key] ?? newGroup(key, prompt, promptValue, object)
    record.groups[place].completions.append(
      try completion(
        object, sample: record.groups[place].completions.count, number: number, weights: weights))
    lines += 1
  }

  private mutating func newGroup(
    _ key: String, _ text: String, _ value: JSONValue, _ object: JSONObject
  ) -> Int {
    let index = problems[text] ?? problems.count
    problems[text] = index
    let isMessages = value.array != nil && object["prompt_ids"] != value
    let prompt =
      isMessages
      ? PromptText.prompt(form: "messages", text: value.jsonText) ?? .text(text) : .text(text)
    groups[key] = record.groups.count
    record.groups.append(
      GroupRecord(
        problem: Problem(index: index, prompt: prompt, columns: object["columns"]?.object ?? [:]),
        promptTokens: Self.tokens(object["prompt_ids"]) ?? [], draw: record.groups.count,
        completions: []))
    return record.groups.count - 1
  }

  private func completion(
    _ object: JSONObject, sample: Int, number: Int, weights: [String: Double]
  ) throws(StoreError) -> CompletionRecord {
    let answer = object["completion"] ?? object["output"]
    guard let text = answer.map({ $0.string ?? $0.jsonText }) ?? object["completion_ids"]?.jsonText
    else { throw Self.fault(path, number, "there is no completion") }
    let tokens = Self.tokens(object["completion_ids"]) ?? []
    var record = CompletionRecord(
      sample: sample,
      completion: Completion(
        text: text, tokens: tokens,
        finish: object["finish"]?.string.flatMap(FinishReason.init) ?? .stop))
    if let numbers = object["old_logprobs"]?.array, numbers.count == tokens.count {
      record.samplerLogProbabilities = numbers.map { Float($0.double ?? .nan) }
    }
    let reward = object["reward"] ?? object["score"]
    var total: Double?
    for (name, value) in reward?.object ?? ["reward": reward ?? .null] {
      if let value = value.double {
        record.scores.append(ScoreRecord(reward: name, scoring: .scored(Score(value))))
        total = (total ?? 0) + value * (weights[name] ?? 1)
      } else {
        record.scores.append(
          ScoreRecord(reward: name, scoring: .unscorable(reason: "no number in the file")))
      }
    }
    record.reward = total
    if let advantage = object["advantage"]?.double { record.advantage = .completion(advantage) }
    if let values = object["advantage"]?.array, values.count == tokens.count {
      record.advantage = .tokens(values.map { $0.double ?? 0 })
    }
    return record
  }

  private static func tokens(_ value: JSONValue?) -> [TokenID]? {
    value?.array?.compactMap { $0.integer.flatMap { TokenID(exactly: $0) } }
  }

  private mutating func finishStep(_ log: TrajectoryLog) throws(StoreError) {
    guard step != nil, !record.groups.isEmpty else { return }
    try log.append(step: record)
    groups.removeAll()
    record.groups.removeAll()
  }
}
