import Foundation
import RewardKit
import Rollouts
import TrajectoryStore

extension RecordedRollouts {
  /// Reads a file of rollouts (DESIGN: a JSON line per completion) into steps.
  ///
  /// Lines of one `group` belong together wherever they stand. With `step` a group belongs to that step; without
  /// it, groups in order of their first line fill steps of `promptsPerStep`.
  /// - Throws: `DatasetError` with the line, or `RecordedRolloutsError`.
  convenience init(
    file url: URL, policy: Policy, encoder: PromptEncoder?, promptsPerStep: Int
  ) throws {
    let file = try RolloutFile(reading: url.path)
    let tokens = RolloutEncoder(policy, encoder: encoder)
    var groups: [FileGroup] = []
    var places: [JSONValue: Int] = [:]
    for (index, line) in file.lines.enumerated() {
      let (prompt, completion) = try tokens.tokens(of: line, in: file)
      let key = line.group ?? .string("line \(index + 1)")
      if places[key] == nil {
        places[key] = groups.count
        groups.append(FileGroup(line, index: groups.count, prompt: prompt, dataset: file.name))
      }
      guard let place = places[key] else { continue }
      guard groups[place].record.promptTokens == prompt, groups[place].step == line.step else {
        throw DatasetError(
          path: file.name, at: line.place,
          reason:
            "belongs to group \(key.plainText) but has another prompt or step than its first line")
      }
      groups[place].append(line, completion, text: encoder?.text(of: completion))
    }
    let rewards = Self.rewards(of: file)
    self.init(steps: Self.steps(of: groups, promptsPerStep: promptsPerStep), rewards: rewards)
    guard stepCount > 0 else {
      throw RecordedRolloutsError(path: url.path, reason: "there is no rollout in the file")
    }
  }

  /// One group of the file while its lines are gathered.
  private struct FileGroup {
    var step: Int?
    var record: GroupRecord

    init(_ line: RolloutLine, index: Int, prompt: [TokenID], dataset: String) {
      step = line.step
      let words = line.prompt ?? .text("")
      record = GroupRecord(
        dataset: dataset, problem: Problem(index: index, prompt: words, columns: line.columns),
        promptTokens: prompt, draw: index, completions: [])
    }

    mutating func append(_ line: RolloutLine, _ tokens: [TokenID], text: String?) {
      let advantage: AdvantageRecord?
      switch line.advantage {
      case .completion(let value)?: advantage = .completion(value)
      case .tokens(let values)?: advantage = .tokens(values)
      case nil: advantage = nil
      }
      record.completions.append(
        CompletionRecord(
          sample: record.completions.count,
          completion: Completion(
            text: line.completion ?? text ?? "", tokens: tokens, finish: line.finish ?? .stop,
            segments: line.segments),
          samplerLogProbabilities: line.oldLogProbabilities, keptSets: line.keptSets,
          scores: (line.rewards ?? []).map { reward in
            ScoreRecord(
              reward: reward.name,
              scoring: reward.value.map { .scored(Score($0, steps: reward.steps)) }
                ?? .unscorable(reason: "the file says null"))
          }, advantage: advantage))
    }
  }

  private static func rewards(of file: RolloutFile) -> [Reward] {
    var names: [String] = []
    for line in file.lines {
      for reward in line.rewards ?? [] where !names.contains(reward.name) {
        names.append(reward.name)
      }
    }
    return names.map { Reward(name: $0, weight: 1) }
  }

  private static func steps(of groups: [FileGroup], promptsPerStep: Int) -> [StepRecord] {
    let named = Dictionary(grouping: groups.filter { $0.step != nil }) { $0.step ?? 0 }
    let unnamed = groups.filter { $0.step == nil }
    let runs =
      named.keys.sorted().map { named[$0] ?? [] }
      + stride(from: 0, to: unnamed.count, by: promptsPerStep).map {
        Array(unnamed[$0..<min($0 + promptsPerStep, unnamed.count)])
      }
    return runs.enumerated().map { index, members in
      let records = members.enumerated().map { draw, member in
        var record = member.record
        record.draw = draw
        return record
      }
      return StepRecord(step: index + 1, policyStep: 0, groups: records)
    }
  }
}
