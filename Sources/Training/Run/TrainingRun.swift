import BuiltInRewards
import Foundation
import PolicyOptimization
import RewardKit
import Rollouts
import Tensors
import TrajectoryStore
import Transformer

/// A run from its first file to its last: made new, or taken up where it stopped.
public final class TrainingRun {
  private let preparation: RunPreparation
  private let observer: TrainingObserver
  private let log: TrajectoryLog
  private let isNew: Bool

  private var settings: RunConfiguration { preparation.settings }
  private var folder: RunFolder { preparation.folder }

  /// Makes a run's folder and log.
  /// - Throws: `RunFolderError` where the folder is taken, `StoreError` where the log can't be made.
  public init(starting preparation: RunPreparation, observer: TrainingObserver) throws {
    self.preparation = preparation
    self.observer = observer
    isNew = true
    let folder = preparation.folder
    guard !folder.isTaken else { throw RunFolderError.taken(folder) }
    try FileManager.default.createDirectory(at: folder.url, withIntermediateDirectories: true)
    try AtomicFile.write(
      preparation.resolved.json.prettyJSONText + "\n", to: folder.configuration)
    log = try TrajectoryLog(creating: folder.log)
  }

  /// Opens a run that stopped.
  /// - Throws: `StoreError` where there is no log, or another process trains the run.
  public init(resuming preparation: RunPreparation, observer: TrainingObserver) throws {
    self.preparation = preparation
    self.observer = observer
    isNew = false
    log = try TrajectoryLog(opening: preparation.folder.log)
  }

  /// Trains until the last step, or until the observer stops it.
  public func train() throws -> TrainingOutcome {
    let policy = try loadPolicy()
    let encoder = try makeEncoder(policy)
    let problems = try encode(preparation.train, encoder, policy)
    let rewards = try RewardSuite(
      preparation.specifications, columns: preparation.train.columns,
      catalogue: .shipped)
    defer { rewards.shutDown() }
    try beginIfNew(policy: policy, rewards: rewards)
    var parts = try assemble(policy, encoder: encoder, problems: problems, rewards: rewards)
    let position = try takeUp(&parts)
    for warning in preparation.resolved.warnings where isNew { observer.observe(.warning(warning)) }
    return try Trainer(parts, from: position, observer: observer).run()
  }

  // MARK: Policy and prompts

  private func loadPolicy() throws -> Policy {
    let source: URL
    if let modelFolder = preparation.modelFolder {
      source = modelFolder
    } else {
      source = folder.initial
      if !FileManager.default.fileExists(atPath: source.path) {
        try EmbeddedJob.writeModel(seed: UInt64(settings.seed), to: source)
      }
    }
    return try Policy(folder: source, compute: preparation.compute)
  }

  private func makeEncoder(_ policy: Policy) throws -> PromptEncoder {
    let template = try settings.chatTemplate.map { path in
      try ChatTemplateFile.read(path)
    }
    return PromptEncoder(
      tokenizer: try policy.requireTokenizer(), chatTemplate: template, system: settings.system,
      maxPromptLength: settings.maxPromptLength,
      contextLength: policy.model.configuration.maximumPositions,
      overlong: settings.overlongPrompts, stop: settings.stop)
  }

  private func encode(
    _ dataset: Dataset, _ encoder: PromptEncoder, _ policy: Policy
  ) throws -> [EncodedProblem] {
    try dataset.problems.compactMap { problem in
      guard let tokens = try encoder.encode(problem, dataset: dataset.name),
        tokens.count >= settings.minPromptLength
      else { return nil }
      return EncodedProblem(problem: problem, dataset: dataset.name, tokens: tokens)
    }
  }

  // MARK: The record of the run

  private func beginIfNew(policy: Policy, rewards: RewardSuite) throws {
    let reader = try TrajectoryReader(readOnly: folder.log)
    guard try reader.runs().isEmpty else { return }
    _ = try log.begin(
      run: RunRecord(
        name: folder.url.lastPathComponent, seed: settings.seed,
        programVersion: ProgramVersion.current, configuration: preparation.resolved.json.object ?? [:],
        model: settings.model ?? "made from nothing", modelHash: try weightsHash(of: policy.folder),
        dataset: preparation.train.name, datasetHash: preparation.train.contentHash,
        provenance: provenance,
        rewards: rewards.rewards.map { reward in
          RewardRecord(
            name: reward.name, weight: reward.weight, kind: reward.kind.rawValue,
            contentHash: reward.contentHash, isDeterministic: reward.isDeterministic)
        },
        host: [
          "threads": .integer(Int64(preparation.compute.threads)),
          "compute": .string(preparation.compute.description),
        ]))
  }

  private func weightsHash(of folder: URL) throws -> String {
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      .filter { $0.hasSuffix(".safetensors") }.sorted()
    var hash = SHA256()
    for file in files {
      let digest = try SHA256.digest(ofFile: folder.appendingPathComponent(file).path).hexadecimal
      hash.update(Array(digest.utf8))
    }
    return hash.finalize().hexadecimal
  }

  private var provenance: JSONObject {
    [
      "program": .string("grpo \(ProgramVersion.current)"),
      "seed": .integer(Int64(settings.seed)),
      "parent_model": .string(settings.model ?? "made from nothing"),
      "dataset": .string(preparation.train.name),
      "dataset_sha256": .string(preparation.train.contentHash),
      "configuration": preparation.resolved.json,
    ]
  }

  // MARK: Assembly

  private func assemble(
    _ policy: Policy, encoder: PromptEncoder, problems: [EncodedProblem], rewards: RewardSuite
  ) throws -> Trainer.Parts {
    guard !problems.isEmpty else {
      throw RunFolderError.nothingToTrainOn(preparation.train.name)
    }
    let epoch = preparation.train.epoch.count
    let steps = settings.stepCount(problems: problems.count)
    let plan = try RunPlan(
      preparation, model: policy.model.configuration,
      promptLength: problems.map(\.tokens.count).max() ?? 1)
    let objective = settings.objective
    let optimizer = makeOptimizer(policy, settings.learningRate)
    let updater = PolicyUpdater(
      policy.model, optimizer: optimizer,
      settings: PolicyUpdater.Settings(
        objective: objective, updatesPerRollout: settings.updatesPerRollout,
        maxCompletionLength: settings.maxCompletionLength,
        temperature: Float(settings.temperature), microBatchTokens: plan.microBatchTokens,
        learningRate: LearningRatePlan(
          settings.lrSchedulerType, warmupUpdates: settings.warmupSteps,
          totalUpdates: steps * objective.iterations * settings.updatesPerRollout),
        baseLearningRate: settings.learningRate, skipsNonfinite: settings.onNonfinite == .skip))
    let engine = GenerationEngine(policy.model)
    let sampler = RolloutSampler(
      engine: engine, encoder: encoder, rewards: rewards, problems: problems,
      order: ProblemOrder(
        count: problems.count, seed: UInt64(settings.seed), shuffles: settings.shuffleDataset),
      settings: RolloutSampler.Settings(
        seed: UInt64(settings.seed), promptsPerStep: settings.promptsPerStep,
        groupSize: settings.numGenerations, sampling: settings.sampling(policy.endTokens),
        drawLimit: settings.dynamicSampling ? settings.dynamicSamplingLimit : 1))
    let evaluator = try preparation.evaluation.map { dataset in
      Evaluator(
        engine: engine, encoder: encoder, rewards: rewards,
        problems: try encode(dataset, encoder, policy),
        settings: Evaluator.Settings(
          seed: UInt64(settings.seed), samples: settings.numGenerationsEval ?? 1,
          sampling: settings.evaluationSampling(policy.endTokens),
          fullReward: rewards.rewards.reduce(0) { $0 + $1.weight * ($1.range?.upperBound ?? 1) }))
    }
    return Trainer.Parts(
      folder: folder, log: log, policy: policy, optimizer: optimizer, updater: updater,
      source: sampler,
      estimator: AdvantageEstimator(objective, rewardWeights: rewards.rewards.map(\.weight)),
      rewardNames: rewards.rewards.map(\.name), reference: nil, evaluator: evaluator,
      checkpoints: CheckpointFiles(
        tokenizerFolder: policy.folder, elementType: settings.saveDtype.elementType),
      schedule: Trainer.Schedule(
        steps: steps, evaluationSteps: settings.evalSteps, evaluatesFirst: settings.evalOnStart,
        checkpointSteps: settings.saveSteps, checkpointLimit: settings.saveTotalLimit,
        problemCount: epoch,
        bestMetric: settings.metricForBestModel.map { ($0, settings.greaterIsBetter) },
        microBatchTokens: plan.microBatchTokens),
      provenance: provenance,
      configurationHash: SHA256.digest(of: preparation.resolved.json.jsonText).hexadecimal,
      warnings: { rewards.takeWarnings() })
  }

  private func makeOptimizer(_ policy: Policy, _ learningRate: Double) -> ParameterOptimizer {
    ParameterOptimizer(
      policy.model.parameters, compute: preparation.compute,
      settings: ParameterOptimizer.Settings(
        beta1: settings.adamBeta1, beta2: settings.adamBeta2, epsilon: settings.adamEpsilon,
        maxGradientNorm: settings.maxGradNorm),
      rules: ParameterRule.rules(
        for: policy.model.parameters,
        base: ParameterRule(learningRate: learningRate, weightDecay: settings.weightDecay),
        groups: settings.parameterGroups.map { ($0.match, $0.learningRate, $0.weightDecay) }))
  }

  // MARK: Where it stands

  /// Brings the parts to where the run stands: the newest whole checkpoint, or the beginning.
  private func takeUp(_ parts: inout Trainer.Parts) throws -> Trainer.Position {
    var position = Trainer.Position()
    let reader = try TrajectoryReader(readOnly: folder.log)
    position.lastCommitted = try reader.lastCommittedStep() ?? 0
    for evaluation in try reader.evaluations() { position.evaluations[evaluation.step] = evaluation }
    let needsReference = settings.objective.needsReference
    guard let found = newestCheckpoint() else {
      try coldStart(parts)
      if needsReference { parts.reference = try makeReference(parts.policy, moved: nil) }
      return position
    }
    try CheckpointFiles.read(
      found.url, into: parts.policy.model, optimizer: parts.optimizer, manifest: found.manifest)
    parts.updater.entropy = found.manifest.entropy
    position.step = found.manifest.step
    position.problemsDrawn = found.manifest.problemsDrawn
    if needsReference { parts.reference = try makeReference(parts.policy, moved: found.url) }
    observer.observe(
      .note(
        "resuming after step \(position.step); \(max(0, position.lastCommitted - position.step)) "
          + "committed steps are redone from the log"))
    return position
  }

  private func newestCheckpoint() -> (url: URL, manifest: CheckpointManifest)? {
    for step in folder.checkpointSteps.reversed() {
      let url = folder.checkpoint(step: step)
      do throws(CheckpointError) {
        return (url, try CheckpointManifest.verified(in: url))
      } catch {
        observer.observe(.warning("\(error); the one before it is used"))
      }
    }
    return nil
  }

  /// The reference: where it was moved, as the checkpoint has it; else the named model, or the policy
  /// before the first step.
  private func makeReference(_ policy: Policy, moved checkpoint: URL?) throws -> ReferenceModel {
    let reference = ReferenceModel(
      copying: policy.model, temperature: Float(settings.temperature))
    let kept = checkpoint?.appendingPathComponent(CheckpointFiles.referenceFolder)
    if let kept, FileManager.default.fileExists(atPath: kept.path) {
      try reference.parameters.read(folder: kept)
    } else if let name = settings.referenceModel {
      try reference.parameters.read(folder: try ModelLocator.locate(
          name, environment: ProcessInfo.processInfo.environment))
    } else if checkpoint != nil {
      try reference.parameters.read(folder: folder.checkpoint(step: 0))
    }
    return reference
  }

  /// The supervised stage, where the settings ask for one.
  private func coldStart(_ parts: Trainer.Parts) throws {
    guard !preparation.supervised.isEmpty else { return }
    let stage = try ColdStart(
      preparation, policy: parts.policy, encoder: try makeEncoder(parts.policy),
      optimizer: makeOptimizer(parts.policy, settings.sftLearningRate),
      microBatchTokens: parts.schedule.microBatchTokens)
    try stage.run(observer)
  }
}
