import Foundation
import Rollouts

/// Makes a log of lines of JSON: what `grpo log export` wrote, or another trainer's dump.
///
/// What is read of a line is said at `ImportedLine`. Steps must not go back; within a step lines of a group
/// need not be adjacent. The log is made aside and appears whole.
public struct RolloutImport {
  private let path: String
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
      var importer = RolloutImport(path: file.path, weights: weights)
      try eachLine(of: file) { (line) throws(StoreError) in try importer.add(line, to: log) }
      try importer.finishStep(log)
      try log.finish(outcome: "done")
      return importer.lines
    }
  }

  private init(path: String, weights: [String: Double]) {
    self.path = path
    self.weights = weights
  }

  /// The names of all rewards, in the order in which they first appear; `reward` for plain numbers.
  private static func rewardNames(in file: URL) throws(StoreError) -> [String] {
    var names: [String] = []
    var seen: Set<String> = []
    try eachLine(of: file) { (line) throws(StoreError) in
      for (name, _) in line.rewards where seen.insert(name).inserted {
        guard names.count < 1000 else { throw line.fault("names more than 1000 rewards in all") }
        names.append(name)
      }
    }
    return names
  }

  /// Calls a body with each line that isn't empty; memory for one line.
  private static func eachLine(
    of file: URL, _ body: (ImportedLine) throws(StoreError) -> Void
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
        try body(try ImportedLine(line, path: file.path, number: source.lineNumber))
      }
    }
  }

  private mutating func add(_ line: ImportedLine, to log: TrajectoryLog) throws(StoreError) {
    let step = try line.step ?? self.step ?? 0
    if step != self.step {
      if let current = self.step, step < current {
        throw line.fault("step \(step) comes after step \(current)")
      }
      try finishStep(log)
      self.step = step
      record = StepRecord(step: step, policyStep: step, groups: [])
    }
    let prompt = try line.prompt
    let key = line.group ?? prompt.key
    let known = groups[key]
    let place = if let known { known } else { try newGroup(key, prompt, line) }
    let sample = record.groups[place].completions.count
    record.groups[place].completions.append(try line.completion(sample: sample, weights: weights))
    others[place].append(line.others)
    lines += 1
  }

  private mutating func newGroup(
    _ key: String, _ prompt: ImportedLine.PromptText, _ line: ImportedLine
  ) throws(StoreError) -> Int {
    let index = problems[prompt.key] ?? problems.count
    problems[prompt.key] = index
    let place = record.groups.count
    groups[key] = place
    record.groups.append(
      GroupRecord(
        problem: Problem(index: index, prompt: prompt.prompt, columns: line.columns),
        promptTokens: try line.promptTokens, draw: place, completions: []))
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
