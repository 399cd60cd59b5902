import Foundation
import PolicyOptimization
import Rollouts
import Tensors
import TrajectoryStore
import Transformer

@testable import Training

/// A policy of a few thousand parameters, and rollouts that it sampled itself.
struct SmallPolicy {
  let model: LanguageModel
  let groupSize = 6

  init(seed: UInt64 = 1, threads: Int = 2, precision: Precision = .float32) throws {
    let configuration = try ModelConfiguration.llama(
      vocabularySize: 23, hiddenSize: 24, intermediateSize: 40, layerCount: 2, headCount: 3,
      keyValueHeadCount: 1, maximumPositions: 128, endTokenIDs: [0])
    model = LanguageModel(
      Parameters(initializing: configuration, seed: seed, deviation: 0.3),
      compute: Compute(threads: threads, precision: precision))
  }

  /// The weights' bits, tensor by tensor.
  var bits: [[UInt32]] { model.parameters.tensors.map { $0.values.map(\.bitPattern) } }

  /// A rollout that the policy draws, with rewards by a rule.
  func rollout(
    groups: Int = 4, step: Int = 1, sampling: SamplingSettings? = nil,
    reward: (_ group: Int, _ tokens: [TokenID]) -> Double = { Double($1.count { $0 % 2 == 0 }) }
  ) -> StepRecord {
    var prompts: [[TokenID]] = []
    for group in 0..<groups {
      let length = 3 + 7 * group
      prompts.append((0..<length).map { place in TokenID((place * 5 + group) % 23) })
    }
    let drawn = GenerationEngine(model).generate(
      prompts.enumerated().map {
        GenerationRequest(prompt: $1, samples: groupSize, draw: $0)
      },
      settings: sampling ?? SamplingSettings(maxNewTokens: 12, endTokens: [0]),
      key: GenerationKey(seed: 5, purpose: .sampling, step: step))
    let records = (drawn ?? []).enumerated().map { group, completions in
      GroupRecord(
        dataset: "data.jsonl", problem: Problem(index: group, prompt: .text("problem \(group)")),
        promptTokens: prompts[group], draw: group,
        completions: completions.enumerated().map { sample, completion in
          let value = reward(group, completion.tokens)
          return CompletionRecord(
            sample: sample,
            completion: Completion(
              text: "", tokens: completion.tokens, finish: completion.finish),
            samplerLogProbabilities: completion.statistics.logProbabilities,
            entropies: completion.statistics.entropies,
            keptSets: completion.keptSets.isEmpty
              ? nil : completion.keptSets,
            scores: [ScoreRecord(reward: "even", scoring: .scored(Score(value)))], reward: value)
        })
    }
    return StepRecord(step: step, policyStep: 0, groups: records)
  }

  /// A trainer of the policy.
  func trainer(
    learningRate: Double = 1e-2, updatesPerRollout: Int = 1,
    cut: UpdateCut = UpdateCut(rows: 4096), lossScale: LossScale? = nil,
    skipsNonfinite: Bool = false, temperature: Float = 1,
    objective change: (inout ObjectiveSettings) -> Void = { _ in }
  ) -> Trainer {
    var objective = ObjectiveSettings()
    change(&objective)
    return Trainer(
      model, tokenizer: nil,
      optimizer: ParameterOptimizer(
        model.parameters, compute: model.compute,
        settings: ParameterOptimizer.Settings(lossScale: lossScale),
        rules: ParameterRule.rules(
          for: model.parameters, base: ParameterRule(learningRate: learningRate, weightDecay: 0),
          exempt: .normsAndBiases, groups: [])),
      settings: UpdateSettings(
        objective: objective, updatesPerRollout: updatesPerRollout, maxCompletionLength: 12,
        temperature: temperature, cut: cut, baseLearningRate: learningRate,
        skipsNonfinite: skipsNonfinite, precision: model.compute.precision),
      rewards: [("even", 1)], planned: PlannedSteps(10),
      learningRate: { LearningRatePlan(.constant, warmupUpdates: 0, totalUpdates: $0) })
  }

  /// A step of training on a rollout, as a run does it.
  /// - Returns: What its updates saw and did.
  func update(
    by rollout: StepRecord, learningRate: Double = 1e-2, updatesPerRollout: Int = 1,
    cut: UpdateCut = UpdateCut(rows: 4096), lossScale: LossScale? = nil,
    skipsNonfinite: Bool = false, temperature: Float = 1,
    objective: (inout ObjectiveSettings) -> Void = { _ in },
    beforeMove: @escaping () throws -> Void = {}
  ) throws -> [UpdateRecord] {
    let journal = MemoryJournal(beforeMove: beforeMove)
    try trainer(
      learningRate: learningRate, updatesPerRollout: updatesPerRollout, cut: cut,
      lossScale: lossScale, skipsNonfinite: skipsNonfinite, temperature: temperature,
      objective: objective
    ).trainStep(rollout.step, from: GivenSteps([rollout]), into: journal)
    return journal.steps.flatMap(\.updates)
  }
}

/// Steps that are at hand.
final class GivenSteps: RolloutSource {
  private let steps: [Int: StepRecord]
  /// Whether they are taken for those of the run's own log.
  private let isOwnLog: Bool

  init(_ steps: [StepRecord], isOwnLog: Bool = false) {
    self.steps = Dictionary(uniqueKeysWithValues: steps.map { ($0.step, $0) })
    self.isOwnLog = isOwnLog
  }

  func takeProblems(for rollout: inout StepRollout) -> Bool {
    guard rollout.rounds == 0, let step = steps[rollout.record.step] else { return false }
    rollout.open(step)
    rollout.isFromOwnLog = isOwnLog
    return true
  }
}

/// Keeps what a run would record.
final class MemoryJournal: StepJournal {
  private(set) var committed: [StepRollout] = []
  private(set) var steps: [TrainedStep] = []
  private let beforeMove: () throws -> Void

  init(beforeMove: @escaping () throws -> Void = {}) { self.beforeMove = beforeMove }

  func commit(_ rollout: StepRollout) { committed.append(rollout) }
  func awaitCommit() throws { try beforeMove() }
  func record(_ step: TrainedStep) { steps.append(step) }
}
