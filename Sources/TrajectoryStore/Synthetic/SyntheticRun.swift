import Foundation
import Rollouts

/// A made-up run of any size, the same for the same seed: what benchmarks of the log write and ask.
///
/// Completions are sentences of a vocabulary whose words are as unevenly frequent as a language's
/// (Zipf's law), one token per word; rewards are 0 or 1, improving over the run, with a second reward
/// for brevity; policies drift, so that entropies fall and ratios leave 1 in the second update.
public struct SyntheticRun: Sendable {
  /// Groups per step.
  public var groups: Int
  /// Completions per group.
  public var groupSize: Int
  /// Tokens of the longest completions; the shortest have half as many.
  public var length: Int
  /// Steps of the whole run, over which it improves.
  public var steps: Int
  /// Rows of the dataset.
  public var problems: Int
  /// Updates per step; from the second on ratios differ from 1.
  public var updates: Int
  /// The seed.
  public var seed: UInt64

  private let words: [String]
  /// Cumulative frequencies of the words.
  private let frequencies: [Double]

  /// Makes a run.
  public init(
    groups: Int = 8, groupSize: Int = 8, length: Int = 64, steps: Int, problems: Int = 8192,
    updates: Int = 1, seed: UInt64 = 1
  ) {
    (self.groups, self.groupSize, self.length, self.steps) = (groups, groupSize, length, steps)
    (self.problems, self.updates, self.seed) = (max(1, problems), updates, seed)
    var random = SplitMix(state: 42)
    words = (0..<8192).map { _ in Self.word(&random) }
    var sum = 0.0
    var frequencies: [Double] = []
    for rank in 1...words.count {
      sum += 1 / Double(rank + 2)
      frequencies.append(sum)
    }
    self.frequencies = frequencies.map { $0 / sum }
  }

  private static func word(_ random: inout SplitMix) -> String {
    let consonants = Array("bcdfghjklmnprstvw")
    let vowels = Array("aeiou")
    return (0..<Int.random(in: 1...3, using: &random)).map { _ in
      "\(consonants[Int.random(in: 0..<consonants.count, using: &random)])"
        + "\(vowels[Int.random(in: 0..<vowels.count, using: &random)])"
    }.joined()
  }

  /// A word that is in about one completion of a hundred.
  public var uncommonWord: String { words[words.count / 3] }

  /// The run's record.
  public var record: RunRecord {
    RunRecord(
      name: "synthetic", kind: "synthetic", seed: Int(truncatingIfNeeded: seed),
      programVersion: "benchmark",
      configuration: [
        "prompts_per_step": .integer(Int64(groups)),
        "num_generations": .integer(Int64(groupSize)),
        "max_completion_length": .integer(Int64(length)),
      ],
      model: "synthetic", modelHash: "", dataset: "synthetic", datasetHash: "",
      rewards: [RewardRecord(name: "correct"), RewardRecord(name: "brief", weight: 0.2)])
  }

  /// A step's rollout.
  public func step(_ step: Int) -> StepRecord {
    var random = SplitMix(state: seed &+ UInt64(step) &* 0x2545_F491_4F6C_DD1D)
    let progress = Double(step) / Double(max(1, steps - 1))
    let records = (0..<groups).map { draw in
      group(draw: draw, problem: (step * groups + draw) % problems, progress, &random)
    }
    return StepRecord(
      step: step, policyStep: step * updates, groups: records,
      metrics: [
        "reward": progress, "entropy": 2 - progress, "kl": 0.01 * progress,
        "completions/mean_length": Double(length) * 0.75, "time/step": 1,
        "sampler/logp_difference_max": 0,
      ])
  }

  private func group(
    draw: Int, problem: Int, _ progress: Double, _ random: inout SplitMix
  ) -> GroupRecord {
    var own = SplitMix(state: UInt64(problem))
    let question = (0..<12).map { _ in word(&own).text }.joined(separator: " ")
    // Some problems stay unsolved for ever, so that the report of those has something to say.
    let difficulty = problem % 50 == 0 ? 2 : Double.random(in: 0...1, using: &own)
    let completions = (0..<groupSize).map {
      completion(sample: $0, likelihood: 0.1 + 0.9 * progress - 0.4 * difficulty, &random)
    }
    return GroupRecord(
      problem: Problem(
        index: problem, prompt: .text(question + "?"), columns: ["answer": .integer(1)]),
      promptTokens: (0..<12).map { TokenID(clamping: $0 * 7 + problem % 97) }, draw: draw,
      completions: withAdvantages(completions))
  }

  private func word(_ random: inout SplitMix) -> (id: TokenID, text: String) {
    let share = Double.random(in: 0..<1, using: &random)
    var (low, high) = (0, frequencies.count - 1)
    while low < high {
      let middle = (low + high) / 2
      if frequencies[middle] < share { low = middle + 1 } else { high = middle }
    }
    return (TokenID(clamping: low), words[low])
  }

  private func completion(
    sample: Int, likelihood: Double, _ random: inout SplitMix
  ) -> CompletionRecord {
    let count = Int.random(in: length / 2...length, using: &random)
    var tokens: [TokenID] = []
    var text = ""
    for index in 0..<count {
      let (id, word) = word(&random)
      tokens.append(id)
      if index > 0 { text += " " }
      text += word
    }
    let isCorrect = Double.random(in: 0..<1, using: &random) < likelihood
    let brevity = 1 - Double(count) / Double(length)
    let value = isCorrect ? 1.0 : 0.0
    var record = CompletionRecord(
      sample: sample,
      completion: Completion(text: text, tokens: tokens, finish: count == length ? .length : .stop)
    )
    record.samplerLogProbabilities = tokens.map { _ in
      -Float.random(in: 0..<4, using: &random)
    }
    record.entropies = tokens.map { _ in Float.random(in: 0..<2, using: &random) }
    record.scores = [
      ScoreRecord(
        reward: "correct",
        scoring: sample == 5 && count % 31 == 0
          ? .unscorable(reason: "no answer found") : .scored(Score(value)), seconds: 1e-5),
      ScoreRecord(reward: "brief", scoring: .scored(Score(brevity)), seconds: 1e-5),
    ]
    record.reward = value + 0.2 * brevity
    return record
  }

  private func withAdvantages(_ completions: [CompletionRecord]) -> [CompletionRecord] {
    let spread = Spread(completions.compactMap(\.reward))
    return completions.map { record in
      var record = record
      if let reward = record.reward, let mean = spread.mean {
        record.advantage = .completion((reward - mean) / ((spread.standardDeviation ?? 0) + 1e-4))
      }
      return record
    }
  }

  /// An update of a step: on policy the first time, off it afterwards.
  public func update(_ update: Int, of step: StepRecord) -> UpdateRecord {
    var random = SplitMix(state: seed &+ UInt64(step.step) &* 31 &+ UInt64(update))
    var completions: [CompletionUpdateRecord] = []
    for group in step.groups {
      for record in group.completions {
        let sampler = record.samplerLogProbabilities ?? []
        let shifts = sampler.map { _ in
          update == 0 ? 0 : Float.random(in: -0.3...0.3, using: &random)
        }
        completions.append(
          CompletionUpdateRecord(
            draw: group.draw, sample: record.sample,
            trainerLogProbabilities: zip(sampler, shifts).map(+),
            ratios: shifts.map { Float(exp(Double($0))) },
            clips: shifts.map { $0 > 0.18 ? 1 : $0 < -0.22 ? -1 : 0 }))
      }
    }
    return UpdateRecord(
      step: step.step, update: update, policyStep: step.policyStep + update + 1,
      completions: completions, metrics: ["loss": 0.01, "grad_norm": 0.5],
      stepMetrics: ["loss": 0.01, "grad_norm": 0.5, "clip_ratio/region_mean": 0.02])
  }
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same everywhere.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
