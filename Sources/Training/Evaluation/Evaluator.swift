import Audits
import Foundation
import RewardKit
import Rollouts
import Tensors
import TrajectoryStore
import Transformer

/// What an evaluation came to.
public struct EvaluationReport: Sendable {
  /// The step after which the policy was evaluated.
  public var step: Int
  /// How many problems.
  public var problems: Int
  /// Completions per problem.
  public var samples: Int
  /// Problems whose first completion got the full reward, with its Wilson interval.
  public var accuracy: ProportionInterval
  /// The mean reward of the completions that were scored; nil where none was.
  public var meanReward: Double?
  /// pass@k by k.
  public var passAtK: [Int: Double]
  /// maj@k by k: problems whose most frequent answer is right, with the Wilson interval.
  public var majorityAtK: [Int: ProportionInterval]
  /// The share of completions in the wrong form, of those whose reward tells form from answer.
  public var wrongForm: Double?
  /// The share of completions in the right form with a wrong answer.
  public var wrongAnswer: Double?
  /// Completions that could not be scored.
  public var unscored: Int
  /// Mean tokens per completion.
  public var meanLength: Double
  /// What the rewards measured themselves, by name.
  public var ownMetrics: [String: Double]
  /// Seconds it took.
  public var seconds: Double
  /// The completions.
  public var completions: [EvaluationCompletionRecord]
  /// The right answer of each completion's problem, where its row has one.
  public var goldAnswers: [String?]

  /// The figures by name, as the log keeps them.
  public var metrics: [String: Double] {
    var metrics = ownMetrics
    metrics["unscored"] = Double(unscored)
    metrics["completions/mean_length"] = meanLength
    // Where nothing was scored there is nothing to say about the policy; it was not all wrong.
    guard let meanReward else { return metrics }
    metrics["reward"] = meanReward
    metrics["accuracy"] = accuracy.share
    metrics["accuracy_low"] = accuracy.lower
    metrics["accuracy_high"] = accuracy.upper
    for (k, share) in passAtK where k > 1 { metrics["pass@\(k)"] = share }
    for (k, share) in majorityAtK where k > 1 { metrics["maj@\(k)"] = share.share }
    if let wrongForm { metrics["wrong_form"] = wrongForm }
    if let wrongAnswer { metrics["wrong_answer"] = wrongAnswer }
    return metrics
  }

  /// The names that every evaluation has, or may have, but those with a number of completions in them.
  static let metricNames = [
    "eval_reward", "eval_accuracy", "eval_accuracy_low", "eval_accuracy_high", "eval_unscored",
    "eval_completions/mean_length", "eval_wrong_form", "eval_wrong_answer",
  ]

  /// Whether an evaluation may have a number of that name.
  static func isMetric(_ name: String) -> Bool {
    metricNames.contains(name)
      || ["eval_pass@", "eval_maj@"].contains { prefix in
        name.hasPrefix(prefix) && (Int(name.dropFirst(prefix.count)) ?? 0) > 1
      }
  }

  /// The names of `metrics.jsonl`: TRL's prefix before each.
  static func prefixed(_ metrics: [String: Double]) -> [String: Double] {
    Dictionary(uniqueKeysWithValues: metrics.map { ("eval_" + $0.key, $0.value) })
  }
}

/// Evaluates a policy on held-out problems with the run's own rewards.
///
/// Random numbers are keyed by purpose `evaluation` with the same step for every evaluation of a run,
/// so that two evaluations differ by the policy alone.
final class Evaluator {
  /// What an evaluator is told once.
  struct Settings {
    var seed: UInt64
    var samples: Int
    var sampling: SamplingSettings
    /// The total reward that counts as right.
    var fullReward: Double
  }

  /// The name of the part by which a reward tells whether the form was right: 1 or 0.
  static let formPart = "form"

  private let engine: GenerationEngine
  private let encoder: PromptEncoder
  private let rewards: RewardSuite
  private let problems: [EncodedProblem]
  private let settings: Settings

  init(
    engine: GenerationEngine, encoder: PromptEncoder, rewards: RewardSuite,
    problems: [EncodedProblem], settings: Settings
  ) {
    self.engine = engine
    self.encoder = encoder
    self.rewards = rewards
    self.problems = problems
    self.settings = settings
  }

  /// Samples and scores every problem; nil where the caller gave up.
  /// - Parameter state: Where training stands; nil outside of it.
  func evaluate(
    step: Int, state: TrainerState?, isCancelled: @escaping () -> Bool
  ) throws -> EvaluationReport? {
    let clock = ContinuousClock()
    let start = clock.now
    let requests = problems.enumerated().map { index, problem in
      GenerationRequest(prompt: problem.tokens, samples: settings.samples, draw: index)
    }
    var observer = GenerationObserver()
    observer.isCancelled = isCancelled
    if !encoder.stop.isEmpty {
      observer.endsCompletion = { [encoder] _, _, tokens in encoder.hasStopString(tokens) }
    }
    guard
      let generated = engine.generate(
        requests, settings: settings.sampling,
        key: GenerationKey(seed: settings.seed, purpose: .evaluation, step: 0), observer: observer)
    else { return nil }
    var wire: [RewardRequest] = []
    for (index, completions) in generated.enumerated() {
      for completion in completions {
        wire.append(
          RewardRequest(
            id: wire.count, group: index, problem: problems[index].problem,
            completion: Completion(
              text: encoder.text(of: completion.tokens), tokens: completion.tokens,
              finish: completion.finish)))
      }
    }
    rewards.open(ScoringRound(groups: wire.map(\.group), state: state))
    rewards.submit(wire)
    guard let scored = try rewards.collect(unless: isCancelled) else { return nil }
    let seconds = (clock.now - start).seconds
    return report(step: step, wire: wire, scored: scored, seconds: seconds)
  }

  private func report(
    step: Int, wire: [RewardRequest], scored: [ScoredCompletion], seconds: Double
  ) -> EvaluationReport {
    let samples = settings.samples
    let totals = scored.map(\.total)
    let isRight = totals.map { ($0 ?? -.infinity) >= settings.fullReward - 1e-9 }
    let firsts = stride(from: 0, to: isRight.count, by: samples).count { isRight[$0] }
    let answers = zip(wire, scored).map(Self.answer)
    var passAtK: [Int: Double] = [:]
    var majorityAtK: [Int: ProportionInterval] = [:]
    for k in Set([1, 2, 4, 8, 16, 32, 64, samples].filter { $0 <= samples }) {
      let shares = problems.indices.map { problem in
        let right = isRight[problem * samples..<(problem + 1) * samples].count { $0 }
        return Audits.passAtK(k, correct: right, of: samples)
      }
      passAtK[k] = shares.reduce(0, +) / Double(max(1, shares.count))
      let votes = problems.indices.count { problem in
        let range = problem * samples..<problem * samples + k
        return majorityIsRight(answers: answers[range], isRight: isRight[range])
      }
      majorityAtK[k] = ProportionInterval(successes: votes, trials: problems.count)
    }
    let forms = zip(scored, isRight).compactMap { scored, isRight in
      Self.form(of: scored).map { (form: $0, isRight: isRight) }
    }
    let count = Double(max(1, forms.count))
    let known = totals.compactMap { $0 }
    return EvaluationReport(
      step: step, problems: problems.count, samples: samples,
      accuracy: ProportionInterval(successes: firsts, trials: problems.count),
      meanReward: known.isEmpty ? nil : known.reduce(0, +) / Double(known.count),
      passAtK: passAtK,
      majorityAtK: majorityAtK,
      wrongForm: forms.isEmpty ? nil : Double(forms.count { !$0.form && !$0.isRight }) / count,
      wrongAnswer: forms.isEmpty ? nil : Double(forms.count { $0.form && !$0.isRight }) / count,
      unscored: totals.count { $0 == nil },
      meanLength: Double(wire.reduce(0) { $0 + $1.completion.tokens.count })
        / Double(max(1, wire.count)),
      ownMetrics: RewardOwnMetrics(scored.lazy.flatMap(\.outcomes).map(\.scoring)).means,
      seconds: seconds, completions: records(wire, scored),
      goldAnswers: wire.map(\.problem.goldAnswer))
  }

  /// The answer a completion votes for: what a reward says that it found, otherwise the whole text.
  private static func answer(_ request: RewardRequest, _ scored: ScoredCompletion) -> String {
    for outcome in scored.outcomes {
      if case .scored(let score) = outcome.scoring,
        let found = score.log["found"] ?? score.log["expression"] ?? score.log["answer"]
      {
        return found.string ?? found.jsonText
      }
    }
    return request.completion.text.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  private static func form(of scored: ScoredCompletion) -> Bool? {
    for outcome in scored.outcomes {
      if case .scored(let score) = outcome.scoring, let form = score.parts[formPart] {
        return form > 0
      }
    }
    return nil
  }

  private func records(
    _ wire: [RewardRequest], _ scored: [ScoredCompletion]
  ) -> [EvaluationCompletionRecord] {
    zip(wire, scored).map { request, scored in
      let scores = zip(rewards.rewards, scored.outcomes).map { ($0.name, $1.value) }
      return EvaluationCompletionRecord(
        problemIndex: request.problem.index, sample: request.id % settings.samples,
        prompt: request.problem.prompt, completion: request.completion, reward: scored.total,
        scores: Dictionary(uniqueKeysWithValues: scores), columns: request.problem.columns)
    }
  }
}

extension Duration {
  /// The duration in seconds.
  var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}
