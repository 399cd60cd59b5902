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
    /// How groups without spread are replaced; nil keeps them.
    var replacement: DynamicSampling?
    var calendar: TrainerCalendar
  }

  private let sampler: GroupSampler
  private let rewards: RewardSuite
  private let problems: [EncodedProblem]
  private let settings: Settings
  private var chooser: any ProblemChooser

  init(
    _ sampler: GroupSampler, rewards: RewardSuite, problems: [EncodedProblem],
    chooser: any ProblemChooser, settings: Settings
  ) {
    self.sampler = sampler
    self.rewards = rewards
    self.problems = problems
    self.chooser = chooser
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
    var taken: [Int] = []
    var wanted = settings.promptsPerStep
    var draws = 0
    let state = settings.calendar.state(finished: step - 1, drawn: drawn)
    while wanted > 0 {
      let first = groups.count
      let chosen = try chooser.problems(
        for: ProblemRequest(step: step, ordinal: drawn + first, taken: taken, count: wanted))
      taken += chosen
      guard
        let round = try sample(
          chosen.map { problems[$0] }, firstDraw: first, step: step, state: state,
          isCancelled: isCancelled, progress: progress)
      else { return nil }
      groups += round
      draws += 1
      let decision = settings.replacement?.decision(
        kept: groups.count { !$0.isDropped }, wanted: settings.promptsPerStep, draws: draws)
      wanted = if case .draw(let prompts) = decision { prompts } else { 0 }
    }
    return SourcedRollout(StepRecord(step: step, policyStep: policyStep, groups: groups))
  }

  private func sample(
    _ chosen: [EncodedProblem], firstDraw: Int, step: Int, state: TrainerState,
    isCancelled: @escaping () -> Bool, progress: @escaping (Int, Int) -> Void
  ) throws -> [GroupRecord]? {
    let requests = chosen.enumerated().map { place, problem in
      GenerationRequest(
        prompt: problem.tokens, samples: settings.groupSize, draw: firstDraw + place)
    }
    var done = 0
    let total = chosen.count * settings.groupSize
    rewards.open(
      ScoringRound(
        groups: (0..<total).map { firstDraw + $0 / settings.groupSize }, state: state,
        isTraining: true))
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
    guard let generated, let scored = try rewards.collect(unless: isCancelled) else {
      rewards.abandon()
      return nil
    }
    let names = rewards.rewards.map(\.name)
    let byID = Dictionary(uniqueKeysWithValues: scored.map { ($0.id, $0) })
    return chosen.enumerated().map { place, problem in
      let ids = (0..<settings.groupSize).map { place * settings.groupSize + $0 }
      let completions = generated[place].map { record in
        var record = record
        if let scored = byID[ids[record.sample]] { record.take(scored, rewards: names) }
        return record
      }
      return GroupRecord(
        dataset: problem.dataset, problem: problem.problem, promptTokens: problem.tokens,
        draw: firstDraw + place,
        isDropped: settings.replacement != nil && !rewards.haveSpread(ids.compactMap { byID[$0] }),
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
        isFromCache: outcome.isRemembered, reason: outcome.reason)
    }
    reward = scored.total
  }
}

extension RewardSuite {
  /// Whether a group teaches something: its rewards differ by more than rounding.
  func haveSpread(_ group: [ScoredCompletion]) -> Bool {
    DynamicSampling.hasSpread(
      group.map { $0.outcomes.map(\.value) }, weights: rewards.map(\.weight))
  }
}

/// A problem with its prompt's tokens.
struct EncodedProblem {
  var problem: Problem
  var dataset: String
  var tokens: [TokenID]
}
