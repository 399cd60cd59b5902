import Foundation
import Rollouts

@testable import TrajectoryStore

/// A folder of its own for one test, gone with it.
final class TemporaryFolder: Sendable {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory
      .appendingPathComponent("trajectory-store-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  var log: URL { url.appendingPathComponent("trajectories.sqlite") }
}

/// Records that use every field, with the values that are easy to lose.
enum Sample {
  static func run(name: String = "first", seed: Int = 7) -> RunRecord {
    RunRecord(
      name: name, seed: seed, programVersion: "1.0",
      configuration: ["learning_rate": 1e-6, "num_generations": 4, "reward": ["exact", "style"]],
      model: "models/tiny", modelHash: "ab12", dataset: "data/train.jsonl", datasetHash: "cd34",
      provenance: ["tokenizer_hash": "ef56"],
      rewards: [
        RewardRecord(name: "exact", weight: 1, contentHash: "11"),
        RewardRecord(
          name: "style", weight: 0.5, kind: "python", isDeterministic: false,
          specification: ["use": "style.py:f", "parameters": ["n": 3]]),
      ],
      host: ["cpu": "x86-64-v4", "threads": 2])
  }

  /// A rollout of some groups, drawn from a seed.
  static func step(
    _ step: Int, groups: Int = 3, completions: Int = 4, tokens: Int = 6, seed: UInt64 = 1,
    problems: Int = 5
  ) -> StepRecord {
    var random = SplitMix(state: seed &+ UInt64(step) &* 1000)
    let records = (0..<groups).map { draw in
      group(
        draw: draw, problem: (step * groups + draw) % problems, completions: completions,
        tokens: tokens, random: &random)
    }
    return StepRecord(
      step: step, policyStep: step * 2, groups: records,
      metrics: ["reward": 0.25, "time/step": 1.5, "kl": .infinity])
  }

  static func group(
    draw: Int, problem: Int, completions: Int, tokens: Int, random: inout SplitMix
  ) -> GroupRecord {
    let prompt: Prompt =
      problem % 2 == 0
      ? .text("What is \(problem) + \(problem)?")
      : .messages([
        ChatMessage(role: "system", content: "Be brief."),
        ChatMessage(role: "user", content: "What is \(problem)²?", extra: ["name": "Ada"]),
      ])
    let records = (0..<completions).map {
      completion(sample: $0, tokens: tokens, random: &random)
    }
    return GroupRecord(
      dataset: "train",
      problem: Problem(
        index: problem, prompt: prompt,
        columns: ["answer": .integer(Int64(problem * 2)), "ratio": 0.1, "tags": ["a", .null]]),
      promptTokens: [1, TokenID(problem), 42], draw: draw, isDropped: draw == 2,
      completions: records)
  }

  static func completion(
    sample: Int, tokens: Int, random: inout SplitMix
  ) -> CompletionRecord {
    let count = max(1, tokens - sample)
    func numbers() -> [Float] { (0..<count).map { _ in -Float.random(in: 0...9, using: &random) } }
    var record = CompletionRecord(
      sample: sample,
      completion: Completion(
        text: "answer \(sample) \"ünï\" 数\u{0}!",
        tokens: (0..<count).map { _ in TokenID.random(in: 0..<32000, using: &random) },
        finish: sample == 0 ? .length : .stop))
    record.samplerLogProbabilities = numbers()
    record.entropies = numbers()
    if sample != 1 { record.referenceLogProbabilities = numbers() }
    if sample == 2 { record.samplerLogProbabilities?[0] = Float(bitPattern: 0x7FC0_1234) }
    record.keptSets = (0..<count).map {
      [.only([3, 9, 700, 31999]), nil, .except([2, 5])][$0 % 3]
    }
    let value = sample == 3 ? -0.0 : Double.random(in: 0...1, using: &random)
    record.scores = scores(sample: sample, value: value)
    record.reward = sample == 1 ? nil : value
    record.advantage =
      sample == 1
      ? nil
      : sample == 2
        ? .tokens((0..<count).map { _ in Double.random(in: -1...1, using: &random) })
        : .completion(sample == 3 ? -0.0 : value - 0.3)
    return record
  }

  private static func scores(sample: Int, value: Double) -> [ScoreRecord] {
    let scored = Score(
      value, parts: ["digits": 0.1 + 0.2, "form": 1],
      steps: [StepScore(end: 3, score: 0.5), StepScore(end: 7, score: -1)],
      log: ["seen": "42", "list": [1, 2.5, .null]])
    let second: Scoring =
      sample == 1
      ? .unscorable(reason: "no answer")
      : sample == 2 ? .failed(error: "timed out after 5 s") : .scored(Score(0.5))
    return [
      ScoreRecord(
        reward: "exact", scoring: .scored(scored), seconds: 0.25, isFromCache: true,
        reason: "the digits agree"),
      ScoreRecord(reward: "style", scoring: second, seconds: 0.5, standardError: "warning\n"),
    ]
  }

  /// The first update of a step on policy, or a later one off it.
  static func update(_ update: Int, of step: StepRecord) -> UpdateRecord {
    var completions: [CompletionUpdateRecord] = []
    for group in step.groups where !group.isDropped {
      for record in group.completions {
        let count = record.completion.tokens.count
        let trainer = record.samplerLogProbabilities?.map { update == 0 ? $0 : $0 + 0.01 }
        completions.append(
          CompletionUpdateRecord(
            draw: group.draw, sample: record.sample, trainerLogProbabilities: trainer,
            ratios: (0..<count).map { update == 0 ? 1 : 1 + Float($0) / 4 },
            clips: (0..<count).map { update == 0 ? 0 : $0 % 3 == 0 ? -1 : 1 }, klMean: 0.01))
      }
    }
    return UpdateRecord(
      step: step.step, update: update, policyStep: step.policyStep + update + 1,
      completions: completions, metrics: ["loss": -0.125, "grad_norm": 0.5],
      stepMetrics: ["clip_ratio/high_mean": 0.25, "time/update": 3])
  }
}
