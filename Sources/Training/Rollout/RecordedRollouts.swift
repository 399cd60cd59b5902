import Foundation
import PolicyOptimization
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

  /// How many steps the run was planned to have, where a log says so.
  let planned: PlannedSteps?

  private let step: (Int) throws -> StepRecord?
  /// Advantages and foreign log-probabilities are a file's; a run's log has its own policy's.
  private let isForeign: Bool
  private var scoring: ScoringPass?
  private var vocabularySize: Int?
  private var temperature: Float = 1
  private var correctsSampler = true
  private var warnings: [String] = []
  private var hasWarned = false

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
    isForeign = false
    planned = try PlannedSteps(run, in: reader)
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
    isForeign = true
    planned = nil
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

  /// Lets a policy give the log-probabilities that the record lacks, and those that correct another
  /// engine's.
  func complete(with model: LanguageModel, temperature: Float, correctsSampler: Bool) {
    scoring = ScoringPass(model)
    vocabularySize = model.configuration.vocabularySize
    self.temperature = temperature
    self.correctsSampler = correctsSampler
  }

  func takeProblems(for rollout: inout StepRollout) throws -> Bool {
    guard rollout.rounds == 0 else { return false }
    let number = rollout.record.step
    guard var recorded = try step(number) else { throw MissingStep(step: number) }
    if let vocabularySize { try recorded.check(vocabularySize: vocabularySize) }
    recorded.step = number
    recorded.policyStep = rollout.record.policyStep
    rollout.open(recorded)
    return true
  }

  /// Gives completions that lack log-probabilities those of the policy, and a file's besides, where they are to be
  /// corrected.
  func sampleGroups(of rollout: inout StepRollout) throws {
    let completions = rollout.record.groups.flatMap(\.completions)
    let isMissing = completions.contains { $0.samplerLogProbabilities == nil }
    let isGiven = completions.contains { $0.samplerLogProbabilities != nil }
    let isCorrected = isForeign && isGiven && correctsSampler
    guard isMissing || isCorrected, let policy = fillIn(&rollout.record) else { return }
    if isForeign { compare(policy, with: completions, step: rollout.record.step) }
    if isCorrected { rollout.policyLogProbabilities = policy }
  }

  /// Takes a file's advantages, where it has any; the scores are in the record.
  func scoreGroups(of rollout: inout StepRollout) throws {
    guard isForeign else { return }
    let advantages = rollout.record.groups.flatMap(\.completions).map {
      $0.advantage.map(TokenAdvantages.init)
    }
    if advantages.contains(where: { $0 != nil }) { rollout.advantages = advantages }
  }

  /// What came up since the last call, a sentence each.
  func takeWarnings() -> [String] {
    defer { warnings = [] }
    return warnings
  }

  /// Nats per token by which given log-probabilities may differ from the policy's own before it is said: other
  /// engines and precisions stay well below, other weights, temperatures and truncation are well above.
  private static let expectedDifference = 0.05

  /// Says once where given log-probabilities are not those of this policy: their correction then weighs
  /// completions by what made the difference, as a rule an oversight.
  private func compare(_ policy: [[Float]], with given: [CompletionRecord], step: Int) {
    var (sum, count) = (0.0, 0)
    for (mine, completion) in zip(policy, given) {
      for (own, given) in zip(mine, completion.samplerLogProbabilities ?? []) {
        sum += abs(Double(own) - Double(given))
        count += 1
      }
    }
    let mean = sum / Double(max(1, count))
    guard !hasWarned, mean > Self.expectedDifference else { return }
    hasWarned = true
    let rounded = (mean * 1000).rounded() / 1000
    warnings.append(
      "old_logprobs differ from the policy's own by \(rounded) nats per token in step \(step), so that their "
        + "correction weights are far from 1: were the completions drawn by other weights, at a temperature "
        + "other than \(temperature), or with top_k, top_p, min_p or min_new_tokens and no kept_sets in the "
        + "lines? Draw them again with 'grpo sample --json', or leave old_logprobs out")
  }

  /// Scores every completion with the policy as it is, fills in what the record lacks, and gives all.
  private func fillIn(_ record: inout StepRecord) -> [[Float]]? {
    guard let scoring else { return nil }
    var all: [[Float]] = []
    for index in record.groups.indices {
      let group = record.groups[index]
      let batch = PackedBatch([
        TokenGroup(
          prompt: group.promptTokens, completions: group.completions.map(\.completion.tokens))
      ])
      let statistics = scoring.score(
        batch, under: .sampled(group.completions, temperature: temperature))
      for (place, targets) in batch.targetRanges.enumerated() {
        let logProbabilities = Array(statistics.logProbabilities[targets])
        all.append(logProbabilities)
        var completion = group.completions[place]
        completion.samplerLogProbabilities =
          completion.samplerLogProbabilities ?? logProbabilities
        completion.entropies = completion.entropies ?? Array(statistics.entropies[targets])
        record.groups[index].completions[place] = completion
      }
    }
    return all
  }
}

extension TokenAdvantages {
  /// What the log or a file says.
  fileprivate init(_ record: AdvantageRecord) {
    switch record {
    case .completion(let advantage): self = .uniform(advantage)
    case .tokens(let advantages): self = .perToken(advantages)
    }
  }
}

/// A record that can't be trained from.
struct RecordedRolloutsError: Error, CustomStringConvertible {
  var path: String
  var reason: String

  var description: String { "\(path): \(reason)" }
}
