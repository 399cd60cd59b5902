import Foundation
import Rollouts
import TrajectoryStore
import Transformer

/// Rollouts that were made before: by a run, whose log is trained from again, or by whatever wrote a file.
///
/// Nothing is sampled or scored. Where a completion has no log-probabilities, the policy at the start of its
/// step gives them.
final class RecordedRollouts: RolloutSource {
  /// A reward's name and its weight where the record was made.
  struct Reward {
    var name: String
    var weight: Double
  }

  /// The rewards of the record, in a fixed order.
  let rewards: [Reward]
  /// How many steps there are.
  let stepCount: Int
  /// How many groups of problems there are.
  let groupCount: Int
  /// The longest prompt and completion, in tokens.
  let longest: (prompt: Int, completion: Int)

  private let step: (Int) throws -> StepRecord?
  private var scoring: ScoringPass?
  private var distribution: (temperature: Float, rowLimit: Int) = (1, 2048)

  /// Reads a run's log.
  /// - Throws: `StoreError`, or `RecordedRolloutsError` where it has no steps.
  init(log url: URL) throws {
    let reader = try TrajectoryReader(readOnly: url)
    let steps = try reader.steps()
    guard let run = try reader.runs().last, !steps.isEmpty else {
      throw RecordedRolloutsError(path: url.path, reason: "the log has no steps to train on")
    }
    rewards = run.record.rewards.map { Reward(name: $0.name, weight: $0.weight) }
    stepCount = steps.count
    var groups = 0
    var longest = (prompt: 1, completion: 1)
    for number in steps {
      guard let step = try reader.step(number) else { continue }
      groups += step.groups.count
      Self.measure(step, into: &longest)
    }
    groupCount = groups
    self.longest = longest
    step = { index in
      guard steps.indices.contains(index - 1) else { return nil }
      return try reader.step(steps[index - 1])
    }
  }

  /// Takes steps that are at hand.
  init(steps: [StepRecord], rewards: [Reward]) {
    self.rewards = rewards
    stepCount = steps.count
    groupCount = steps.reduce(0) { $0 + $1.groups.count }
    var longest = (prompt: 1, completion: 1)
    for step in steps { Self.measure(step, into: &longest) }
    self.longest = longest
    step = { index in steps.indices.contains(index - 1) ? steps[index - 1] : nil }
  }

  private static func measure(
    _ step: StepRecord, into longest: inout (prompt: Int, completion: Int)
  ) {
    for group in step.groups {
      longest.prompt = max(longest.prompt, group.promptTokens.count)
      for completion in group.completions {
        longest.completion = max(longest.completion, completion.completion.tokens.count)
      }
    }
  }

  /// Lets a policy give the log-probabilities that the record lacks.
  func complete(with model: LanguageModel, temperature: Float, rowLimit: Int) {
    scoring = ScoringPass(model)
    distribution = (temperature, rowLimit)
  }

  func rollout(
    step number: Int, policyStep: Int, drawn: Int, isCancelled: @escaping () -> Bool,
    progress: @escaping (Int, Int) -> Void
  ) throws -> StepRecord? {
    guard !isCancelled(), var record = try step(number) else { return nil }
    record.step = number
    record.policyStep = policyStep
    addLogProbabilities(to: &record)
    return record
  }

  private func addLogProbabilities(to record: inout StepRecord) {
    guard let scoring else { return }
    for index in record.groups.indices {
      let group = record.groups[index]
      guard group.completions.contains(where: { $0.samplerLogProbabilities == nil }) else {
        continue
      }
      let batch = PackedBatch([
        TokenGroup(
          prompt: group.promptTokens, completions: group.completions.map(\.completion.tokens))
      ])
      let statistics = scoring.score(
        batch,
        under: .sampled(group.completions, temperature: distribution.temperature))
      for (place, targets) in batch.targetRanges.enumerated()
      where group.completions[place].samplerLogProbabilities == nil {
        record.groups[index].completions[place].samplerLogProbabilities = Array(
          statistics.logProbabilities[targets])
        record.groups[index].completions[place].entropies = Array(statistics.entropies[targets])
      }
    }
  }
}

/// A record that can't be trained from.
struct RecordedRolloutsError: Error, CustomStringConvertible {
  var path: String
  var reason: String

  var description: String { "\(path): \(reason)" }
}

extension RecordedRollouts {
  convenience init(file: URL, encoder: PromptEncoder?, promptsPerStep: Int) throws {
    throw RecordedRolloutsError(path: file.path, reason: "files of rollouts are not read yet")
  }
}
