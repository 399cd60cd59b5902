import Foundation
import PolicyOptimization
import Rollouts
import Tensors
import TrajectoryStore
import Transformer

/// Measures what a training step spends its time on, with random weights and prompts.
///
/// A repeat is one whole step: every prompt is run (prefill), completions of exactly the given length
/// are drawn (sampling, which runs the prompts again), and the policy is updated by made-up rewards, by
/// the parts of the trainer.
public final class Benchmark {
  /// What is measured.
  public enum Phase: String, CaseIterable, Sendable {
    case prefill, sampling, update
  }

  /// The times of one phase.
  public struct Times: Sendable {
    /// What was measured.
    public var phase: Phase
    /// Tokens of one repeat: the prompts' for prefill, else the completions'.
    public var tokens: Int
    /// Seconds of each repeat.
    public var seconds: [Double]

    /// Tokens per second of the quickest repeat.
    public var best: Double { Double(tokens) / (seconds.min() ?? .infinity) }

    /// Tokens per second of the median repeat.
    public var median: Double {
      let sorted = seconds.sorted()
      guard !sorted.isEmpty else { return 0 }
      let middle = (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
      return Double(tokens) / middle
    }
  }

  /// The model's shape.
  public let configuration: ModelConfiguration
  let workload: BenchmarkWorkload
  private let engine: GenerationEngine
  private let trainer: Trainer
  private let prompts: [[TokenID]]
  private static let seed: UInt64 = 42
  private static let endToken: TokenID = 1
  private static let reward = "made up"

  /// Makes the model.
  /// - Throws: `ModelError` where the shape is impossible, or `BenchmarkError` where it doesn't fit.
  public init(_ workload: BenchmarkWorkload, compute: Compute) throws {
    self.workload = workload
    let shape = try ModelConfiguration(
      json: workload.configuration, path: "the shape '\(workload.name)'")
    configuration = shape
    let length = workload.promptLength + workload.completionLength
    guard length <= shape.maximumPositions else {
      throw BenchmarkError(
        "prompts of \(workload.promptLength) tokens and completions of "
          + "\(workload.completionLength) don't fit into the context of \(shape.maximumPositions)")
    }
    var demand = Self.demand(workload, shape)
    demand.precision = compute.precision
    demand.keyValueElement = compute.keyValueElement
    // One that is far too large isn't planned completion by completion.
    let needed =
      demand.recordBytes > MachineMemory.total ?? .max
      ? demand.recordBytes : MemoryPlan(demand).peak
    if let available = MachineMemory.available, needed > available {
      throw BenchmarkError(
        "the benchmark needs \(needed >> 20) MiB and \(available >> 20) MiB are free; take a "
          + "smaller shape")
    }
    let model = LanguageModel(
      Parameters(initializing: shape, seed: Self.seed), compute: compute)
    engine = GenerationEngine(model)
    trainer = Trainer(
      model, tokenizer: nil,
      optimizer: ParameterOptimizer(
        model.parameters, compute: compute, settings: ParameterOptimizer.Settings(),
        rules: model.parameters.trained.map { _ in
          ParameterRule(learningRate: 1e-6, weightDecay: 0)
        }),
      settings: UpdateSettings(
        objective: ObjectiveSettings(), updatesPerRollout: 1,
        maxCompletionLength: workload.completionLength, temperature: 1,
        cut: UpdateCut(rows: Self.rows), baseLearningRate: 1e-6, skipsNonfinite: false),
      rewards: [(Self.reward, 1)], planned: PlannedSteps(1),
      learningRate: { LearningRatePlan(.constant, warmupUpdates: 0, totalUpdates: $0) })
    let stream = Philox(seed: Self.seed, purpose: .data)
    prompts = (0..<workload.prompts).map { prompt in
      (0..<workload.promptLength).map {
        TokenID(
          stream.integer(below: shape.vocabularySize, at: prompt * workload.promptLength + $0))
      }
    }
  }

  /// Rows of a micro-batch, as a run with memory enough has.
  private static let rows = 2048

  private static func demand(
    _ workload: BenchmarkWorkload, _ shape: ModelConfiguration
  ) -> MemoryDemand {
    MemoryDemand(
      model: shape, promptsPerStep: workload.prompts, promptLength: workload.promptLength,
      groupSize: workload.group, completionLength: workload.completionLength, concurrency: 128)
  }

  /// Measures `repeats` steps after `warmups` that don't count.
  /// - Parameter isCancelled: looked at between steps; the steps so far are returned.
  public func run(
    phases: Set<Phase>, warmups: Int, repeats: Int, isCancelled: () -> Bool
  ) throws -> [Times] {
    let wanted = Phase.allCases.filter(phases.contains)
    var times = wanted.map { Times(phase: $0, tokens: tokens(of: $0), seconds: []) }
    // An update needs a rollout, whether or not sampling is measured.
    var rollout: StepRecord?
    for step in 0..<warmups + repeats {
      if isCancelled() { break }
      for index in wanted.indices {
        if wanted[index] == .update, rollout == nil { rollout = sample(step) }
        let start = ContinuousClock.now
        switch wanted[index] {
        case .prefill: prefill(step)
        case .sampling: rollout = sample(step)
        case .update: if let rollout { try update(rollout) }
        }
        if step >= warmups { times[index].seconds.append((ContinuousClock.now - start).seconds) }
      }
    }
    return times
  }

  private func tokens(of phase: Phase) -> Int {
    switch phase {
    case .prefill: workload.prompts * workload.promptLength
    case .sampling, .update: workload.prompts * workload.group * workload.completionLength
    }
  }

  private func requests(samples: Int) -> [GenerationRequest] {
    prompts.enumerated().map { GenerationRequest(prompt: $1, samples: samples, draw: $0) }
  }

  private func prefill(_ step: Int) {
    let key = GenerationKey(seed: Self.seed, purpose: .sampling, step: step)
    _ = engine.generate(
      requests(samples: 1), settings: SamplingSettings(maxNewTokens: 1), key: key)
  }

  private func sample(_ step: Int) -> StepRecord {
    let length = workload.completionLength
    let settings = SamplingSettings(
      minNewTokens: length, maxNewTokens: length, endTokens: [Self.endToken])
    let key = GenerationKey(seed: Self.seed, purpose: .sampling, step: step)
    let drawn = engine.generate(requests(samples: workload.group), settings: settings, key: key)
    return StepRecord(
      step: step + 1, policyStep: step,
      groups: (drawn ?? []).enumerated().map { draw, completions in
        GroupRecord(
          problem: Problem(index: draw, prompt: .text("")), promptTokens: prompts[draw],
          draw: draw, completions: completions.enumerated().map(Self.record))
      })
  }

  /// A completion with a reward that differs within its group.
  private static func record(_ sample: Int, _ drawn: GeneratedCompletion) -> CompletionRecord {
    let value = Double(sample % 2)
    return CompletionRecord(
      sample: sample, completion: Completion(text: "", tokens: drawn.tokens, finish: drawn.finish),
      samplerLogProbabilities: drawn.statistics.logProbabilities,
      entropies: drawn.statistics.entropies,
      keptSets: drawn.keptSets.isEmpty ? nil : drawn.keptSets,
      scores: [ScoreRecord(reward: reward, scoring: .scored(Score(value)))], reward: value)
  }

  private func update(_ rollout: StepRecord) throws {
    try trainer.trainStep(rollout.step, from: GivenRollout(rollout), into: NoJournal())
  }
}

/// A rollout that is at hand.
private final class GivenRollout: RolloutSource {
  private let record: StepRecord

  init(_ record: StepRecord) { self.record = record }

  func takeProblems(for rollout: inout StepRollout) -> Bool {
    guard rollout.rounds == 0 else { return false }
    rollout.open(record)
    return true
  }
}

/// Nothing is recorded.
private final class NoJournal: StepJournal {
  func commit(_ rollout: StepRollout) {}
  func awaitCommit() {}
  func record(_ step: TrainedStep) {}
}

/// A benchmark that can't be run.
public struct BenchmarkError: Error, CustomStringConvertible {
  /// The sentence for the user.
  public let description: String

  init(_ description: String) { self.description = description }
}
