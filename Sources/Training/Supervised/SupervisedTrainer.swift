import Rollouts
import Tensors
import Transformer

/// A text to imitate: tokens that are given, and tokens whose likelihood is raised.
public struct SupervisedExample: Sendable, Equatable {
  /// What is given; never empty.
  public var prompt: [TokenID]
  /// What follows.
  public var completion: [TokenID]
  /// Which tokens of the completion count; nil for all (a chat's user turns don't).
  public var mask: [Bool]?

  /// Makes an example.
  public init(prompt: [TokenID], completion: [TokenID], mask: [Bool]? = nil) {
    self.prompt = prompt
    self.completion = completion
    self.mask = mask
  }

  /// How many tokens count.
  var countedTokens: Int { mask?.count { $0 } ?? completion.count }
}

/// The settings of a supervised stage.
public struct SupervisedSettings: Sendable, Equatable {
  /// Optimiser updates.
  public var updates: Int
  /// Examples an update.
  public var batchSize: Int
  /// The course of the learning rate.
  public var learningRate: LearningRatePlan
  /// Rows that are run at once.
  public var rowLimit: Int
  /// Whether activations are computed again in the backward pass.
  public var recomputesActivations = false
  /// The seed of the order.
  public var seed: UInt64
}

/// Supervised training on completions: the cold start before reinforcement.
///
///     loss = −(1/N) Σ log π(token)          over the N counted tokens of the batch
///
/// Each epoch takes the examples in a permutation keyed by seed and epoch; what is done in update u is
/// a function of u alone.
public final class SupervisedTrainer {
  private let model: LanguageModel
  private let optimizer: ParameterOptimizer
  private let settings: SupervisedSettings
  private let pass: TrainingPass
  private var order: ProblemOrder
  private let examples: [SupervisedExample]

  /// Makes a trainer of a model.
  public init(
    _ model: LanguageModel, optimizer: ParameterOptimizer, examples: [SupervisedExample],
    settings: SupervisedSettings
  ) {
    self.model = model
    self.optimizer = optimizer
    self.examples = examples
    self.settings = settings
    pass = TrainingPass(model, recomputesActivations: settings.recomputesActivations)
    order = ProblemOrder(count: examples.count, seed: settings.seed, shuffles: true)
  }

  /// One update, from 0: its loss in nats a token, and how many tokens it counted.
  /// - Throws: `NonfiniteError` where the loss or the gradient isn't finite.
  public func update(_ index: Int) throws -> (loss: Double, tokens: Int, gradientNorm: Double) {
    let batch = (0..<settings.batchSize).map { place in
      examples[order.problem(at: index * settings.batchSize + place)]
    }
    let tokens = max(1, batch.reduce(0) { $0 + $1.countedTokens })
    let groups = batch.map { TokenGroup(prompt: $0.prompt, completions: [$0.completion]) }
    var loss = 0.0
    for range in PackedBatch.ranges(of: groups, rowLimit: settings.rowLimit) {
      let packed = PackedBatch(Array(groups[range]))
      let statistics = pass.forward(packed)
      var slope = [Float](repeating: 0, count: packed.targets.count)
      for (example, targets) in zip(batch[range], packed.targetRanges) {
        for (place, target) in targets.enumerated() where example.mask?[place] ?? true {
          loss -= Double(statistics.logProbabilities[target])
          slope[target] = -1 / Float(tokens)
        }
      }
      pass.backward(dLogProbability: slope)
    }
    loss /= Double(tokens)
    let report = optimizer.update(
      by: pass.gradients, learningRateFactor: settings.learningRate.factor(at: index))
    guard loss.isFinite, report.isApplied else {
      throw NonfiniteError(
        what: loss.isFinite ? "the gradient's norm" : "the loss",
        place: "update \(index + 1) of the supervised stage",
        remedy: "lower sft_learning_rate")
    }
    return (loss, tokens, report.gradientNorm)
  }
}

/// A number that is not finite where training needs one.
public struct NonfiniteError: Error, CustomStringConvertible {
  /// The quantity.
  public var what: String
  /// Where it arose.
  public var place: String
  /// What to do about it.
  public var remedy: String

  /// The sentence for the user.
  public var description: String { "\(finding); \(remedy)" }

  /// What is not finite and where, without what to do about it.
  var finding: String { "\(what) is not finite in \(place)" }
}
