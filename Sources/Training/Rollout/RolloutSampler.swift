import Foundation
import PolicyOptimization
import RewardKit
import Rollouts
import Tensors
import TrajectoryStore
import Transformer

/// The policy as the source of its rollouts: draws problems, samples their groups, and has them scored meanwhile.
final class RolloutSampler: RolloutSource {
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
  private let observer: TrainingObserver
  private var chooser: any ProblemChooser
  /// The problems that the step drew so far.
  private var taken: [Int] = []

  init(
    _ sampler: GroupSampler, rewards: RewardSuite, problems: [EncodedProblem],
    chooser: any ProblemChooser, settings: Settings, observer: TrainingObserver
  ) {
    self.sampler = sampler
    self.rewards = rewards
    self.problems = problems
    self.chooser = chooser
    self.settings = settings
    self.observer = observer
  }

  /// Draws as many problems as the step still needs: all at first, then as many as groups were dropped.
  func takeProblems(for rollout: inout StepRollout) throws -> Bool {
    let wanted = wanted(by: rollout)
    guard wanted > 0 else { return false }
    if rollout.rounds == 0 { taken = [] }
    let first = rollout.record.groups.count
    let chosen = try chooser.problems(
      for: ProblemRequest(
        step: rollout.record.step, ordinal: rollout.drawn + first, taken: taken, count: wanted))
    taken += chosen
    rollout.open(
      chosen.enumerated().map { place, index in
        let problem = problems[index]
        return GroupRecord(
          dataset: problem.dataset, problem: problem.problem, promptTokens: problem.tokens,
          draw: first + place, completions: [])
      })
    return true
  }

  private func wanted(by rollout: StepRollout) -> Int {
    guard rollout.rounds > 0 else { return settings.promptsPerStep }
    let decision = settings.replacement?.decision(
      kept: rollout.record.groups.count { !$0.isDropped }, wanted: settings.promptsPerStep,
      draws: rollout.rounds)
    return if case .draw(let prompts) = decision { prompts } else { 0 }
  }

  /// Samples the groups of the round; a completion goes to the rewards the moment it is done.
  func sampleGroups(of rollout: inout StepRollout) throws {
    let step = rollout.record.step
    let groups = Array(rollout.record.groups[rollout.open])
    let total = groups.count * settings.groupSize
    rewards.open(
      ScoringRound(
        groups: groups.flatMap { Array(repeating: $0.draw, count: settings.groupSize) },
        state: settings.calendar.state(finished: step - 1, drawn: rollout.drawn),
        isTraining: true))
    var done = 0
    let generated = sampler.generate(
      groups.map {
        GenerationRequest(prompt: $0.promptTokens, samples: settings.groupSize, draw: $0.draw)
      }, step: step, isCancelled: observer.isCancelled
    ) { [self] request, record in
      rewards.submit([
        RewardRequest(
          id: request * settings.groupSize + record.sample, group: groups[request].draw,
          problem: groups[request].problem, completion: record.completion)
      ])
      done += 1
      observer.observe(.sampling(step: step, done: done, of: total))
      CrashPoint.sampling.reach()
    }
    CrashPoint.scoring.reach()
    guard let generated else {
      rewards.abandon()
      throw Interruption()
    }
    for (group, completions) in zip(rollout.open, generated) {
      rollout.record.groups[group].completions = completions
    }
  }

  /// Waits for the scores of the round, and drops groups that teach nothing where they are to be replaced.
  func scoreGroups(of rollout: inout StepRollout) throws {
    guard let scored = try rewards.collect(unless: observer.isCancelled) else {
      rewards.abandon()
      throw Interruption()
    }
    let names = rewards.rewards.map(\.name)
    let byID = Dictionary(uniqueKeysWithValues: scored.map { ($0.id, $0) })
    for (place, group) in rollout.open.enumerated() {
      let ids = place * settings.groupSize..<(place + 1) * settings.groupSize
      for completion in rollout.record.groups[group].completions.indices {
        let sample = rollout.record.groups[group].completions[completion].sample
        guard let scored = byID[ids.lowerBound + sample] else { continue }
        rollout.record.groups[group].completions[completion].take(scored, rewards: names)
      }
      rollout.record.groups[group].isDropped =
        settings.replacement != nil && !rewards.haveSpread(ids.compactMap { byID[$0] })
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
