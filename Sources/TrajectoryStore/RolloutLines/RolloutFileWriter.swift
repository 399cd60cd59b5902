import Foundation
import Rollouts

/// Completions as lines of JSON that `grpo train --rollouts` reads, and any other program.
///
/// A line has the members `group, step, prompt, prompt_ids, completion, completion_ids, segments, reward,
/// rewards, advantage, old_logprobs, kept_sets, finish, columns`, of which those without a value are left out.
public struct RolloutFileWriter {
  private let reader: TrajectoryReader
  private let run: Int

  /// Opens a log; the last run where none is named.
  public init(readOnly url: URL, run: Int? = nil) throws(StoreError) {
    reader = try TrajectoryReader(readOnly: url)
    self.run = try reader.run(run)
  }

  /// Hands over the lines of the steps in a range, without line breaks; false ends the export.
  public func write(
    from first: Int? = nil, through last: Int? = nil, _ line: (String) -> Bool
  ) throws(StoreError) {
    for step in try reader.steps(run: run) where step >= first ?? .min && step <= last ?? .max {
      guard let record = try reader.step(step, run: run) else { continue }
      for group in record.groups where !group.isDropped {
        for completion in group.completions {
          if !line(Self.line(completion, group, step: step)) { return }
        }
      }
    }
  }

  private static func line(
    _ record: CompletionRecord, _ group: GroupRecord, step: Int
  ) -> String {
    var object: JSONObject = ["group": .string("\(step)-\(group.draw)")]
    object["step"] = .integer(Int64(step))
    let prompt = PromptText.text(of: group.problem.prompt)
    object["prompt"] =
      PromptText.form(of: group.problem.prompt) == "text"
      ? .string(prompt) : (try? JSONValue.parse(prompt)) ?? .string(prompt)
    object["prompt_ids"] = .array(group.promptTokens.map { .integer(Int64($0)) })
    object["completion"] = .string(record.completion.text)
    object["completion_ids"] = .array(record.completion.tokens.map { .integer(Int64($0)) })
    if !record.completion.segments.isEmpty {
      object["segments"] = record.completion.segments.json
    }
    var rewards = JSONObject()
    for score in record.scores {
      if case .scored(let value) = score.scoring {
        rewards[score.reward] = .number(value.value)
      } else {
        rewards[score.reward] = .null
      }
    }
    object["reward"] =
      rewards.isEmpty ? record.reward.map { .number($0) } ?? .null : .object(rewards)
    switch record.advantage {
    case .completion(let value): object["advantage"] = .number(value)
    case .tokens(let values): object["advantage"] = .array(values.map { .number($0) })
    case nil: break
    }
    object["old_logprobs"] = record.samplerLogProbabilities.map {
      .array($0.map { .number(Double($0)) })
    }
    object["kept_sets"] = record.keptSets.map { .array($0.map { $0?.json ?? .null }) }
    object["finish"] = .string(record.completion.finish.rawValue)
    if !group.problem.columns.isEmpty { object["columns"] = .object(group.problem.columns) }
    return JSONValue.object(object).jsonText
  }
}
