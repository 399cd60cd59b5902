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
    var seed: UInt64
    var promptsPerStep: Int
    var groupSize: Int
    var sampling: SamplingSettings
    /// How groups without spread are replaced; nil keeps them.
    var replacement: DynamicSampling?
  }

  private let engine: GenerationEngine
  private let encoder: PromptEncoder
  private let rewards: RewardSuite
  private let problems: [EncodedProblem]
  private let settings: Settings
  private var chooser: any ProblemChooser

  init(
    engine: GenerationEngine, encoder: PromptEncoder, rewards: RewardSuite,
    problems: [EncodedProblem], chooser: any ProblemChooser, settings: Settings
  ) {
    self.engine = engine
    self.encoder = encoder
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
    while wanted > 0 {
      let first = groups.count
      let chosen = try chooser.problems(
        for: ProblemRequest(step: step, ordinal: drawn + first, taken: taken, count: wanted))
      taken += chosen
      guard
        let round = try sample(
          chosen.map { problems[$0] }, firstDraw: first, step: step, isCancelled: isCancelled,
          progress: progress)
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
    _ chosen: [EncodedProblem], firstDraw: Int, step: Int, isCancelled: @escaping () -> Bool,
    progress: @escaping (Int, Int) -> Void
  ) throws -> [GroupRecord]? {
    let requests = chosen.enumerated().map { place, problem in
      GenerationRequest(
        prompt: problem.tokens, samples: settings.groupSize, draw: firstDraw + place)
    }
    var texts = requests.map { [String](repeating: "", count: $0.samples) }
    var done = 0
    let total = chosen.count * settings.groupSize
    var observer = GenerationObserver()
    observer.isCancelled = isCancelled
    if !encoder.stop.isEmpty {
      observer.endsCompletion = { [encoder] _, _, tokens in encoder.hasStopString(tokens) }
    }
    observer.completed = { [self] request, sample, completion in
      let text = encoder.text(of: completion.tokens)
      texts[request][sample] = text
      rewards.submit([
        RewardRequest(
          id: request * settings.groupSize + sample, group: firstDraw + request,
          problem: chosen[request].problem,
          completion: Completion(
            text: text, tokens: completion.tokens, finish: completion.finish))
      ])
      done += 1
      progress(done, total)
      CrashPoint.sampling.reach()
    }
    let generated = engine.generate(
      requests, settings: settings.sampling,
      key: GenerationKey(seed: settings.seed, purpose: .sampling, step: step), observer: observer)
    CrashPoint.scoring.reach()
    let scored = try rewards.collect()
    guard let generated, !isCancelled() else { return nil }
    let byID = Dictionary(uniqueKeysWithValues: scored.map { ($0.id, $0) })
    return chosen.enumerated().map { place, problem in
      let scored = (0..<settings.groupSize).map { byID[place * settings.groupSize + $0] }
      let completions = generated[place].enumerated().map { sample, completion in
        record(completion, text: texts[place][sample], sample: sample, scored: scored[sample])
      }
      return GroupRecord(
        dataset: problem.dataset, problem: problem.problem, promptTokens: problem.tokens,
        draw: firstDraw + place, isDropped: isDropped(scored), completions: completions)
    }
  }

  /// Whether a group is to be replaced: its rewards have no spread, and such groups are.
  private func isDropped(_ scored: [ScoredCompletion?]) -> Bool {
    guard settings.replacement != nil else { return false }
    return !DynamicSampling.hasSpread(
      scored.map { $0?.outcomes.map(\.value) ?? [] }, weights: rewards.rewards.map(\.weight))
  }

  private func record(
    _ completion: GeneratedCompletion, text: String, sample: Int, scored: ScoredCompletion?
  ) -> CompletionRecord {
    let scores = zip(rewards.rewards, scored?.outcomes ?? []).map { reward, outcome in
      ScoreRecord(
        reward: reward.name, scoring: outcome.scoring, seconds: outcome.seconds,
        standardError: outcome.standardError.isEmpty ? nil : outcome.standardError,
        isFromCache: outcome.isRemembered)
    }
    return CompletionRecord(
      sample: sample,
      completion: Completion(text: text, tokens: completion.tokens, finish: completion.finish),
      samplerLogProbabilities: completion.statistics.logProbabilities,
      entropies: completion.statistics.entropies,
      keptSets: completion.keptSets.isEmpty ? nil : completion.keptSets.map { $0?.encoded },
      scores: scores, reward: scored?.total)
  }
}

/// A problem with its prompt's tokens.
struct EncodedProblem {
  var problem: Problem
  var dataset: String
  var tokens: [TokenID]
}
