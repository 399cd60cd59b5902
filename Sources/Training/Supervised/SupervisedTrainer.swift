import Rollouts
import Tensors
import Transformer

/// An SFT example: tokens that are given, and tokens whose likelihood is raised.
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

  /// How many tokens there are, the prompt's included.
  var tokenCount: Int { prompt.count + completion.count }
}

/// The settings of a supervised stage.
public struct SupervisedSettings: Sendable, Equatable {
  /// Optimiser updates.
  public var updates: Int
  /// Examples per update.
  public var batchSize: Int
  /// The learning rate before the schedule.
  public var baseLearningRate: Double
  /// The schedule of the learning rate.
  public var learningRate: LearningRatePlan
  /// How an update is cut.
  public var cut: UpdateCut
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
  let optimizer: ParameterOptimizer
  let settings: SupervisedSettings
  private let pass: TrainingPass
  private var order: ProblemOrder
  private let examples: [SupervisedExample]

  /// Makes a trainer of a model.
  public init(
    _ model: LanguageModel, optimizer: ParameterOptimizer, examples: [SupervisedExample],
    settings: SupervisedSettings
  ) {
    self.optimizer = optimizer
    self.examples = examples
    self.settings = settings
    pass = TrainingPass(model, recomputesActivations: settings.cut.recomputesActivations)
    order = ProblemOrder(count: examples.count, seed: settings.seed, shuffles: true)
  }

  /// What one update did.
  public struct Report: Sendable {
    /// The mean loss over the counted tokens, in nats per token.
    public var loss: Double
    /// Tokens of the examples, prompts included.
    public var tokensSeen: Int
    /// The norm of the gradient before it was clipped.
    public var gradientNorm: Double
    /// The learning rate that the weights moved with.
    public var learningRate: Double
  }

  /// Tokens of all examples, prompts included, that the updates before one took.
  func tokens(before update: Int) -> Int {
    (0..<update).reduce(0) { sum, update in
      sum + batch(update).reduce(0) { $0 + $1.tokenCount }
    }
  }

  private func batch(_ update: Int) -> [SupervisedExample] {
    (0..<settings.batchSize).map { place in
      examples[order.problem(at: update * settings.batchSize + place)]
    }
  }

  /// One update, from 0.
  /// - Throws: `NonfiniteError` where the loss or the gradient isn't finite.
  public func update(_ index: Int) throws -> Report {
    let batch = batch(index)
    let tokens = max(1, batch.reduce(0) { $0 + $1.countedTokens })
    let groups = batch.map { TokenGroup(prompt: $0.prompt, completions: [$0.completion]) }
    var loss = 0.0
    for microBatch in MicroBatch.cut(groups.map(\.lengths), rowLimit: settings.cut.rows) {
      let packed = PackedBatch(microBatch, of: groups)
      let statistics = pass.forward(packed)
      var gradient = [Float](repeating: 0, count: packed.targets.count)
      for (slice, targets) in zip(microBatch.slices, packed.targetRanges) {
        let mask = batch[slice.group].mask
        for (place, target) in targets.enumerated() where mask?[place] ?? true {
          loss -= Double(statistics.logProbabilities[target])
          gradient[target] = -optimizer.gradientFactor / Float(tokens)
        }
      }
      pass.backward(dLogProbability: gradient)
    }
    loss /= Double(tokens)
    let factor = settings.learningRate.factor(at: index)
    let report = optimizer.update(
      by: pass.gradients, optimizer.clip(pass.gradients), learningRateFactor: factor)
    // In fp16 an update whose gradient overflows is left out, and the next is scaled down.
    let isOverflow = report.lossScale.map { $0 > LossScale.least } ?? false
    guard loss.isFinite, report.isApplied || isOverflow else {
      throw NonfiniteError(
        what: loss.isFinite ? "the gradient's norm" : "the loss",
        place: "update \(index + 1) of the supervised stage",
        remedy: "lower sft_learning_rate")
    }
    return Report(
      loss: loss, tokensSeen: batch.reduce(0) { $0 + $1.tokenCount },
      gradientNorm: report.gradientNorm, learningRate: settings.baseLearningRate * factor)
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
