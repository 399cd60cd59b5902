import Foundation
import Rollouts

/// Makes a log of lines of JSON: what `grpo log export` wrote, or another trainer's dump.
///
/// A line is read as `RolloutLine.Reading.kept` says; without `step` it belongs to the step of the line before, without
/// `group` to the lines of its prompt. Steps must not go back; within a step lines of a group need not be adjacent. The
/// log is made aside and appears whole.
public struct RolloutImport {
  private let weights: [String: Double]
  private var step: Int?
  private var groups: [String: Int] = [:]
  private var record = StepRecord(step: 0, policyStep: 0, groups: [])
  /// The members of each completion's line that are not part of a rollout, beside `record.groups`.
  private var others: [[JSONObject]] = []
  private var problems: [String: Int] = [:]
  private var lines = 0

  /// Reads a file into a new log; returns how many completions it held.
  ///
  /// The file is read twice, since a log names its rewards before its completions.
  /// - Parameter weights: The rewards by name with their weights, for totals; a reward that the
  ///   lines name and this doesn't weighs 1.
  /// - Throws: `StoreError` naming file and line of what can't be read.
  /// - Complexity: linear in the file, with memory for a step of it.
  public static func run(
    _ file: URL, into url: URL, weights: [String: Double] = [:]
  ) throws(StoreError) -> Int {
    if let fault = RegularFile.fault(at: file.path) {
      throw StoreError(
        .unreachable, "\(file.path) \(fault).", remedy: "Write the lines to a file first.")
    }
    let names = try rewardNames(in: file)
    return try AsideLog.make(url) { (aside) throws(StoreError) in
      let log = try TrajectoryLog(creating: aside)
      try log.begin(
        run: RunRecord(
          name: file.deletingPathExtension().lastPathComponent, kind: "import", seed: 0,
          programVersion: "", configuration: [:], model: "", modelHash: "", dataset: file.path,
          datasetHash: "",
          rewards: names.map { RewardRecord(name: $0, weight: weights[$0] ?? 1, kind: "imported") }
        ))
      var importer = RolloutImport(weights: weights)
      try eachLine(of: file) { (line, number) throws(StoreError) in
        let rollout: RolloutLine
        do throws(RolloutLineError) {
          rollout = try RolloutLine(line, at: .line(number), .kept)
        } catch {
          throw fault(file, number, error.reason)
        }
        if let step = rollout.step, step < importer.step ?? 0 {
          throw fault(file, number, "step \(step) comes after step \(importer.step ?? 0)")
        }
        try importer.add(rollout, to: log)
      }
      try importer.finishStep(log)
      try log.finish(outcome: "done")
      return importer.lines
    }
  }

  private init(weights: [String: Double]) { self.weights = weights }

  /// The names of all rewards, in the order in which they first appear; `reward` for plain numbers.
  private static func rewardNames(in file: URL) throws(StoreError) -> [String] {
    var names: [String] = []
    var seen: Set<String> = []
    try eachLine(of: file) { (line, number) throws(StoreError) in
      let rewards: [RolloutLine.Reward]?
      do throws(RolloutLineError) {
        rewards = try RolloutLineReader(line, .kept).rewards()
      } catch { throw fault(file, number, error.reason) }
      for reward in rewards ?? [.unknown] where seen.insert(reward.name).inserted {
        guard names.count < 1000 else {
          throw fault(file, number, "names more than 1000 rewards in all")
        }
        names.append(reward.name)
      }
    }
    return names
  }

  /// What is wrong with a line, as a clause, with its place.
  private static func fault(_ file: URL, _ line: Int, _ reason: String) -> StoreError {
    StoreError(.refused, "\(file.path), line \(line): \(reason).")
  }

  /// Calls a body with each line that isn't empty; memory for one line.
  private static func eachLine(
    of file: URL, _ body: (JSONObject, Int) throws(StoreError) -> Void
  ) throws(StoreError) {
    var source: LineSource
    do throws(DatasetError) { source = try LineSource(file.path) } catch {
      throw StoreError(.unreachable, "\(error)")
    }
    while true {
      let line: [UInt8]?
      do throws(DatasetError) { line = try source.nextLine() } catch {
        throw StoreError(.refused, "\(error)")
      }
      guard let line else { return }
      if line.contains(where: { $0 > 0x20 }) {
        try body(try object(of: line, in: file, source.lineNumber), source.lineNumber)
      }
    }
  }

  private static func object(
    of line: [UInt8], in file: URL, _ number: Int
  ) throws(StoreError) -> JSONObject {
    do throws(JSONError) {
      if let object = try JSONValue.parse(bytes: line).object { return object }
      throw JSONError(reason: "expected an object", line: 1, column: 1)
    } catch {
      throw fault(file, number, "column \(error.column): \(error.reason)")
    }
  }

  private mutating func add(_ line: RolloutLine, to log: TrajectoryLog) throws(StoreError) {
    let step = line.step ?? self.step ?? 0
    if step != self.step {
      try finishStep(log)
      self.step = step
      record = StepRecord(step: step, policyStep: step, groups: [])
    }
    let prompt = line.promptOrIDs
    let key = line.group?.jsonText ?? PromptText.text(of: prompt)
    let place = groups[key] ?? newGroup(key, prompt, line)
    let sample = record.groups[place].completions.count
    record.groups[place].completions.append(line.record(sample: sample, weights: weights))
    others[place].append(line.others)
    lines += 1
  }

  private mutating func newGroup(_ key: String, _ prompt: Prompt, _ line: RolloutLine) -> Int {
    let index = problems[PromptText.text(of: prompt), default: problems.count]
    problems[PromptText.text(of: prompt)] = index
    let place = record.groups.count
    groups[key] = place
    record.groups.append(
      GroupRecord(
        problem: Problem(index: index, prompt: prompt, columns: line.columns),
        promptTokens: line.promptTokens ?? [], draw: place, completions: []))
    others.append([])
    return place
  }

  /// Sorts the members that are not part of a rollout: what all lines of a group agree on is a column of its
  /// problem, the rest is kept with each completion's first score.
  private mutating func placeOthers() {
    for (place, lines) in others.enumerated() {
      guard let first = lines.first else { continue }
      let shared = Set(first.keys.filter { name in lines.allSatisfy { $0[name] == first[name] } })
      for name in first.keys
      where shared.contains(name) && record.groups[place].problem.columns[name] == nil {
        record.groups[place].problem.columns[name] = first[name]
      }
      for (sample, line) in lines.enumerated() {
        let own = JSONObject(
          line.filter { !shared.contains($0.key) }.map { ($0.key, $0.value) })
        guard !own.isEmpty else { continue }
        record.groups[place].completions[sample].keep(own)
      }
    }
  }

  private mutating func finishStep(_ log: TrajectoryLog) throws(StoreError) {
    guard step != nil, !record.groups.isEmpty else { return }
    placeOthers()
    try log.append(step: record)
    groups.removeAll()
    record.groups.removeAll()
    others.removeAll()
  }
}

extension RolloutLine.Reward {
  /// Of a line that has no reward.
  fileprivate static let unknown = RolloutLine.Reward(name: RolloutLine.onlyReward, value: nil)
}

extension RolloutLine {
  /// The prompt, or the list of its ids where the line has no other.
  fileprivate var promptOrIDs: Prompt { prompt ?? .text(Self.text(of: promptTokens ?? [])) }

  private static func text(of ids: [TokenID]) -> String {
    JSONValue.array(ids.map { .integer(Int64($0)) }).jsonText
  }

  /// The completion as the log keeps it, its total the sum of weight · reward over those that are numbers.
  fileprivate func record(sample: Int, weights: [String: Double]) -> CompletionRecord {
    let tokens = completionTokens ?? []
    var record = CompletionRecord(
      sample: sample,
      completion: Completion(
        text: completion ?? Self.text(of: tokens), tokens: tokens, finish: finish ?? .stop,
        segments: segments),
      samplerLogProbabilities: oldLogProbabilities, keptSets: keptSets)
    for reward in rewards ?? [.unknown] {
      if let value = reward.value {
        record.scores.append(ScoreRecord(reward: reward.name, scoring: .scored(Score(value))))
        record.reward = (record.reward ?? 0) + value * (weights[reward.name] ?? 1)
      } else {
        record.scores.append(
          ScoreRecord(reward: reward.name, scoring: .unscorable(reason: "no number in the file")))
      }
    }
    switch advantage {
    case .completion(let value)?: record.advantage = .completion(value)
    case .tokens(let values)?: record.advantage = .tokens(values)
    case nil: break
    }
    return record
  }
}

extension CompletionRecord {
  /// Keeps members of a line in the log of the first score that is one.
  fileprivate mutating func keep(_ members: JSONObject) {
    for index in scores.indices {
      guard case .scored(var score) = scores[index].scoring else { continue }
      for (name, value) in members { score.log[name] = value }
      scores[index].scoring = .scored(score)
      return
    }
  }
}
