import Foundation
import PolicyOptimization
import RewardKit
import Rollouts
import Tensors
import TrajectoryStore
import Transformer

/// Makes the rollout of a step: draws problems, samples their groups, and has them scored meanwhile.
final class RolloutSampler {
  /// What a sampler is told once.
  struct Settings {
    var promptsPerStep: Int
    var groupSize: Int
    /// How many times as many groups as wanted may be drawn to replace those without spread; 1 never does.
    var drawLimit: Int
  }

  private let sampler: GroupSampler
  private let rewards: RewardSuite
  private let problems: [EncodedProblem]
  private let settings: Settings
  private var order: ProblemOrder

  init(
    _ sampler: GroupSampler, rewards: RewardSuite, problems: [EncodedProblem],
    order: ProblemOrder, settings: Settings
  ) {
    self.sampler = sampler
    self.rewards = rewards
    self.problems = problems
    self.order = order
    self.settings = settings
  }

  /// The rollout of a step, or nil where the caller gave up.
  /// - Parameters:
  ///   - drawn: How many problems the steps before drew.
  ///   - progress: How many completions of how many are done.
  func rollout(
    step: Int, policyStep: Int, drawn: Int, isCancelled: @escaping () -> Bool,
    progress: @escaping (Int, Int) -> Void
  ) throws -> SourcedRollout? {
    var groups: [GroupRecord] = []
    var wanted = settings.promptsPerStep
    let limit = settings.promptsPerStep * settings.drawLimit
    while wanted > 0, groups.count < limit {
      let first = groups.count
      let count = min(wanted, limit - first)
      let chosen = (first..<first + count).map { problems[order.problem(at: drawn + $0)] }
      guard
        let round = try sample(
          chosen, firstDraw: first, step: step, isCancelled: isCancelled, progress: progress)
      else { return nil }
      groups += round
      guard settings.drawLimit > 1 else { break }
      wanted = settings.promptsPerStep - groups.count { !$0.isDropped }
    }
    return SourcedRollout(StepRecord(step: step, policyStep: policyStep, groups: groups))
  }

  private func sample(
    _ chosen: [EncodedProblem], firstDraw: Int, step: Int, isCancelled: @escaping () -> Bool,
    progress: @escaping (Int, Int) -> Void
  ) throws -> [GroupRecord]? {
    let requests = chosen.enumerated().map { place, problem in
      GenerationRequest(
        prompt: problem.tokens, samples: settings.groupSize, draw: firstDraw + place)
    }
    var done = 0
    let total = chosen.count * settings.groupSize
    let generated = sampler.generate(requests, step: step, isCancelled: isCancelled) {
      [self] request, record in
      rewards.submit([
        RewardRequest(
          id: request * settings.groupSize + record.sample, group: firstDraw + request,
          problem: chosen[request].problem, completion: record.completion)
      ])
      done += 1
      progress(done, total)
      CrashPoint.sampling.reach()
    }
    CrashPoint.scoring.reach()
    let scored = try rewards.collect()
    guard let generated, !isCancelled() else { return nil }
    let names = rewards.rewards.map(\.name)
    let byID = Dictionary(uniqueKeysWithValues: scored.map { ($0.id, $0) })
    return chosen.enumerated().map { place, problem in
      let completions = generated[place].map { record in
        var record = record
        let id = place * settings.groupSize + record.sample
        if let scored = byID[id] { record.take(scored, rewards: names) }
        return record
      }
      return GroupRecord(
        dataset: problem.dataset, problem: problem.problem, promptTokens: problem.tokens,
        draw: firstDraw + place,
        isDropped: settings.drawLimit > 1 && CompletionRecord.areTied(completions),
        completions: completions)
    }
  }
}

extension CompletionRecord {
  /// Takes in what rewards said; `rewards` are their names in order.
  mutating func take(_ scored: ScoredCompletion, rewards: [String]) {
    scores = zip(rewards, scored.outcomes).map { name, outcome in
      ScoreRecord(
        reward: name, scoring: outcome.scoring, seconds: outcome.seconds,
        standardError: outcome.standardError.isEmpty ? nil : outcome.standardError,
        isFromCache: outcome.isRemembered)
    }
    reward = scored.total
  }

  /// Whether a group teaches nothing: fewer than two scorable rewards, or all equal up to rounding.
  static func areTied(_ completions: [CompletionRecord]) -> Bool {
    let rewards = completions.compactMap(\.reward)
    guard let least = rewards.min(), let greatest = rewards.max(), rewards.count > 1 else {
      return true
    }
    return greatest - least <= 1e-12 * max(abs(least), abs(greatest))
  }
}

/// A problem with its prompt's tokens.
struct EncodedProblem {
  var problem: Problem
  var dataset: String
  var tokens: [TokenID]
}
