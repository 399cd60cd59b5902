import BuiltInRewards
import Foundation
import RewardKit
import Rollouts
import Tensors
import TrajectoryStore
import Transformer

/// Judges models outside of a run, by the rewards that training would use.
public final class ModelEvaluation {
  /// How completions are drawn.
  public struct Settings: Sendable {
    /// What the draws are keyed by.
    public var seed: UInt64
    /// Completions per problem.
    public var samples: Int
    /// How tokens are drawn; end tokens are the policy's.
    public var sampling: SamplingSettings

    /// Makes settings.
    public init(seed: UInt64, samples: Int, sampling: SamplingSettings) {
      self.seed = seed
      self.samples = samples
      self.sampling = sampling
    }
  }

  /// The problems.
  public let dataset: Dataset
  private let rewards: RewardSuite
  private let settings: Settings

  /// Starts the rewards.
  /// - Throws: `RewardError` with every fault of the specifications.
  public init(_ dataset: Dataset, rewards: [JSONValue], settings: Settings) throws {
    self.dataset = dataset
    self.settings = settings
    self.rewards = try RewardSuite(
      RewardSpecification.list(from: .array(rewards)), columns: dataset.columns,
      of: dataset.name, catalogue: .shipped)
  }

  /// Reads problems; `arithmetic/eval` are the embedded job's.
  /// - Throws: `DatasetError` with file, line and remedy.
  public static func problems(
    _ name: String, mapping: ColumnMapping, limit: Int?
  ) throws -> Dataset {
    if var dataset = try EmbeddedJob.dataset([name]) {
      dataset.problems = Array(dataset.problems.prefix(limit ?? .max))
      return dataset
    }
    return try Dataset.read([name], mapping: mapping, split: .evaluation, limit: limit)
  }

  /// The names of the rewards.
  public var rewardNames: [String] { rewards.rewards.map(\.name) }

  /// Encodes the problems for a policy.
  /// - Throws: `PromptError` naming the row that doesn't fit.
  public func encode(_ encoder: PromptEncoder) throws -> EncodedDataset {
    EncodedDataset(
      encoder: encoder,
      problems: try dataset.problems.compactMap { problem in
        try encoder.encode(problem, dataset: dataset.name).map {
          EncodedProblem(problem: problem, dataset: dataset.name, tokens: $0)
        }
      })
  }

  /// Problems in a policy's tokens.
  public struct EncodedDataset {
    let encoder: PromptEncoder
    let problems: [EncodedProblem]
  }

  /// Samples and scores every problem; nil where the caller gave up.
  public func evaluate(
    _ policy: Policy, on encoded: EncodedDataset, isCancelled: @escaping () -> Bool
  ) throws -> EvaluationReport? {
    var sampling = settings.sampling
    sampling.endTokens = policy.endTokens(with: encoded.encoder)
    let evaluator = Evaluator(
      engine: GenerationEngine(policy.model), encoder: encoded.encoder, rewards: rewards,
      problems: encoded.problems,
      settings: Evaluator.Settings(
        seed: settings.seed, samples: settings.samples, sampling: sampling,
        fullReward: rewards.fullReward))
    return try evaluator.evaluate(step: 0, state: nil, isCancelled: isCancelled)
  }

  /// Ends the rewards' processes.
  public func shutDown() { rewards.shutDown() }
}

extension EvaluationReport {
  /// The mean reward of each problem's scored completions, in order; nil where none was scored.
  public var rewardByProblem: [Double?] {
    stride(from: 0, to: completions.count, by: max(1, samples)).map { start in
      let part = completions[start..<min(start + samples, completions.count)]
      let known = part.compactMap(\.reward)
      return known.isEmpty ? nil : known.reduce(0, +) / Double(known.count)
    }
  }
}
