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
  private let madeFolder: Bool
  /// What the run was begun under, where it is taken up again.
  private let recorded: RunCircumstances?
  /// The time that chat templates print, the same however often the run is taken up.
  private let clock: Int
  private var sharedEngine: GenerationEngine?

  /// Training problems by which a cold start is judged.
  static let probeSize = 256

  private var settings: RunConfiguration { preparation.settings }
  private var folder: RunFolder { preparation.folder }

  /// Makes a run's folder and log.
  /// - Throws: `RunFolderError` where the folder is taken, `StoreError` where the log can't be made.
  public init(starting preparation: RunPreparation, observer: TrainingObserver) throws {
    self.preparation = preparation
    self.observer = observer
    isNew = true
    recorded = nil
    clock = Int(Date().timeIntervalSince1970)
    let folder = preparation.folder
    guard !folder.isTaken else { throw RunFolderError.taken(folder) }
    madeFolder = !FileManager.default.fileExists(atPath: folder.url.path)
    try FileManager.default.createDirectory(at: folder.url, withIntermediateDirectories: true)
    try AtomicFile.write(
      preparation.resolved.json.prettyJSONText + "\n", to: folder.configuration)
    log = try TrajectoryLog(creating: folder.log)
  }

  /// Opens a run that stopped, wherever it did.
  /// - Throws: `StoreError` where the log is damaged, or another process trains the run.
  public init(resuming preparation: RunPreparation, observer: TrainingObserver) throws {
    self.preparation = preparation
    self.observer = observer
    isNew = false
    madeFolder = false
    log = try Self.openLog(preparation.folder.log)
    preparation.folder.removeUnfinished()
    let run = try TrajectoryReader(readOnly: preparation.folder.log).runs().last
    recorded = run.flatMap { RunCircumstances($0.record.host) }
    clock = recorded?.clock ?? Int(Date().timeIntervalSince1970)
  }

  /// Opens a log, or makes it where the run stopped before its first commit.
  private static func openLog(_ url: URL) throws(StoreError) -> TrajectoryLog {
    do throws(StoreError) {
      return try TrajectoryLog(opening: url)
    } catch {
      // Making one refuses whatever is not an empty file, so that nothing can be overwritten.
      guard error.kind == .notALog || error.kind == .unreachable else { throw error }
      do throws(StoreError) { return try TrajectoryLog(creating: url) } catch _ { throw error }
    }
  }

  /// Trains until the last step, or until the observer stops it.
  /// - Throws: `RefusedRun` where a new run can't begin; then nothing of it is left.
  public func train() throws -> TrainingOutcome {
    let means = try leavingNothing { try gatherMeans() }
    defer { means.rewards.shutDown() }
    try begin(means)
    var parts = try assemble(means)
    let position = try takeUp(&parts)
    for warning in preparation.resolved.warnings where isNew { observer.observe(.warning(warning)) }
    return try Trainer(parts, from: position, observer: observer).run()
  }

  /// What a run needs before its record begins.
  private struct Means {
    var policy: Policy
    /// nil where only ids are given, by a record, to a model without a tokenizer.
    var encoder: PromptEncoder?
    var rewards: RewardSuite
    var material: Material
    var plan: RunPlan
  }

  private func gatherMeans() throws -> Means {
    let policy = try loadPolicy()
    let encoder = try makeEncoder(policy)
    let rewards = try RewardSuite(
      needsScoring ? preparation.specifications : [], columns: preparation.columns,
      catalogue: .shipped)
    let material = try gatherMaterial(policy, encoder: encoder, rewards: rewards)
    let plan = try RunPlan(
      preparation, model: policy.model.configuration, prompts: material.prompts,
      completionLength: material.completionLength, recordedRows: recorded?.microBatchTokens)
    return Means(
      policy: policy, encoder: encoder, rewards: rewards, material: material, plan: plan)
  }

  /// Takes back what was made of a new run where it can't begin.
  private func leavingNothing<Value>(_ body: () throws -> Value) throws -> Value {
    do { return try body() } catch {
      guard isNew else { throw error }
      folder.removeContents()
      if madeFolder { try? FileManager.default.removeItem(at: folder.url) }
      throw RefusedRun(reason: error)
    }
  }

  /// Whether any completion is to be scored: not where all of them are recorded and none is evaluated.
  private var needsScoring: Bool {
    preparation.recorded == nil || preparation.evaluation != nil
  }

  // MARK: Policy and prompts

  private func loadPolicy() throws -> Policy {
    let source: URL
    if let named = preparation.source {
      source = named.folder
    } else {
      source = folder.initial
      if !FileManager.default.fileExists(atPath: source.path) {
        try EmbeddedJob.writeModel(seed: UInt64(settings.seed), to: source)
      }
    }
    return try Policy(
      folder: source, compute: preparation.compute,
      training: AdapterChoice(preparation.resolved).trainedPart)
  }

  /// What turns text into tokens; nil where only ids are given, by a record, to a model without a tokenizer.
  private func makeEncoder(_ policy: Policy) throws -> PromptEncoder? {
    if policy.tokenizer == nil, preparation.recorded != nil { return nil }
    return try settings.promptEncoder(for: policy, clock: clock)
  }

  // MARK: The record of the run

  /// Records the run, or where it is recorded says what is different now.
  private func begin(_ means: Means) throws {
    let circumstances = RunCircumstances(
      now: preparation.compute, microBatchTokens: means.plan.cut.rows, clock: clock)
    let reader = try TrajectoryReader(readOnly: folder.log)
    guard try reader.runs().isEmpty else {
      for sentence in recorded?.differences(to: circumstances) ?? [] {
        observer.observe(.warning(sentence))
      }
      return
    }
    _ = try log.begin(
      run: RunRecord(
        name: folder.url.lastPathComponent, seed: settings.seed,
        programVersion: ProgramVersion.current,
        configuration: lastingSettings,
        model: settings.model ?? "made from nothing",
        modelHash: try weightsHash(of: means.policy.source),
        dataset: preparation.train.name, datasetHash: preparation.train.contentHash,
        provenance: provenance,
        rewards: means.material.rewards.map { reward in
          means.rewards.rewards.firstIndex { $0.name == reward.name }.map {
            RewardRecord(means.rewards.rewards[$0], asGiven: settings.reward[$0])
          } ?? RewardRecord(name: reward.name, weight: reward.weight, kind: "recorded")
        },
        host: circumstances.json))
  }

  /// The settings but the name of the folder, which is no part of what a run does.
  private var lastingSettings: JSONObject {
    var settings = preparation.resolved.json.object ?? [:]
    settings["run"] = nil
    return settings
  }

  /// The fingerprint of the weights, an adapter's after those of its base.
  private func weightsHash(of source: ModelSource) throws -> String {
    var hash = SHA256()
    for folder in source.adapter == nil ? [source.base] : [source.base, source.folder] {
      let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        .filter { $0.hasSuffix(".safetensors") }.sorted()
      for file in files {
        let path = folder.appendingPathComponent(file).path
        hash.update(Array(try SHA256.digest(ofFile: path).hexadecimal.utf8))
      }
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
      "configuration": .object(lastingSettings),
    ]
  }

  // MARK: Assembly

  /// The engine that samples for training and for evaluation: one, since its scratch is as large as a batch.
  private func engine(_ policy: Policy) -> GenerationEngine {
    if let sharedEngine { return sharedEngine }
    let engine = GenerationEngine(policy.model)
    sharedEngine = engine
    return engine
  }

  /// What a run learns from: where its rollouts come from, and the rewards they carry.
  private struct Material {
    var source: any RolloutSource
    var rewards: [RecordedRollouts.Reward]
    /// The training problems; empty where rollouts are recorded.
    var problems: [EncodedProblem]
    /// Problems of one epoch.
    var epoch: Int
    var steps: Int
    var prompts: PromptLengths
    /// The longest completion that there may be.
    var completionLength: Int
  }

  private func gatherMaterial(
    _ policy: Policy, encoder: PromptEncoder?, rewards: RewardSuite
  ) throws -> Material {
    if let recorded = preparation.recorded {
      return try recordedMaterial(recorded, policy: policy, encoder: encoder)
    }
    guard let encoder else { throw MissingTokenizer(folder: policy.folder) }
    let problems = try preparation.encode(preparation.train, encoder)
    guard !problems.isEmpty else {
      throw RunFolderError.nothingToTrainOn(preparation.train.name)
    }
    let entries = preparation.epoch(of: problems)
    let sampler = RolloutSampler(
      settings.groupSampler(policy, engine: engine(policy), encoder: encoder), rewards: rewards,
      problems: problems,
      chooser: try chooser(of: entries, among: problems, rewards: rewards),
      settings: RolloutSampler.Settings(
        promptsPerStep: settings.promptsPerStep, groupSize: settings.numGenerations,
        replacement: settings.dynamicSampling
          ? DynamicSampling(maximumDraws: settings.dynamicSamplingLimit) : nil))
    return Material(
      source: sampler,
      rewards: rewards.rewards.map { RecordedRollouts.Reward(name: $0.name, weight: $0.weight) },
      problems: problems, epoch: entries.count,
      steps: settings.stepCount(problems: entries.count),
      prompts: PromptLengths(problems.map(\.tokens.count), epoch: entries, of: preparation),
      completionLength: settings.maxCompletionLength)
  }

  /// What decides which problems a step asks.
  private func chooser(
    of entries: [Int], among problems: [EncodedProblem], rewards: RewardSuite
  ) throws -> any ProblemChooser {
    switch settings.promptPriority {
    case .none:
      return preparation.order(of: entries)
    case .solveRate:
      let reader = try TrajectoryReader(readOnly: folder.log)
      let solved = rewards.fullReward
      return PrioritizedProblems(
        of: entries, indices: problems.map(\.problem.index), seed: UInt64(settings.seed),
        history: { try reader.problemOutcomes(ofSteps: $0, solvedAt: solved) })
    }
  }

  private func recordedMaterial(
    _ recorded: RecordedSource, policy: Policy, encoder: PromptEncoder?
  ) throws -> Material {
    let source: RecordedRollouts
    switch recorded {
    case .log(let log): source = try RecordedRollouts(log: log)
    case .file(let url):
      source = try RecordedRollouts(
        file: url, policy: policy, encoder: encoder, promptsPerStep: settings.promptsPerStep)
    }
    // Weights that are given now win over those of the record; the names must be the record's.
    let given = Dictionary(
      preparation.specifications.map { ($0.name ?? $0.use, $0.weight) }, uniquingKeysWith: { $1 })
    let rewards = source.rewards.map {
      RecordedRollouts.Reward(name: $0.name, weight: given[$0.name] ?? $0.weight)
    }
    return Material(
      source: source, rewards: rewards, problems: [], epoch: source.groupCount,
      steps: min(settings.maxSteps ?? source.stepCount, source.stepCount),
      prompts: PromptLengths(
        longest: source.longest.prompt, promptsPerStep: settings.promptsPerStep),
      completionLength: source.longest.completion)
  }

  private func assemble(_ means: Means) throws -> Trainer.Parts {
    let (policy, encoder, rewards) = (means.policy, means.encoder, means.rewards)
    let (material, plan) = (means.material, means.plan)
    let steps = material.steps
    (material.source as? RecordedRollouts)?.complete(
      with: policy.model, temperature: Float(settings.temperature),
      correctsSampler: settings.objective.correctsSampler)
    let optimizer = settings.optimizer(for: policy.model, learningRate: settings.learningRate)
    let updater = settings.updater(
      for: policy.model, optimizer: optimizer, steps: steps, cut: plan.cut)
    func evaluator(_ problems: [EncodedProblem], samples: Int) -> Evaluator? {
      guard let encoder, !problems.isEmpty else { return nil }
      return Evaluator(
        engine: engine(policy), encoder: encoder, rewards: rewards, problems: problems,
        settings: Evaluator.Settings(
          seed: UInt64(settings.seed), samples: samples,
          sampling: settings.evaluationSampling(policy.endTokens, samples: samples),
          fullReward: rewards.fullReward))
    }
    let held = try encoder.flatMap { encoder in
      try preparation.evaluation.map { try preparation.encode($0, encoder) }
    }
    return Trainer.Parts(
      folder: folder, log: log, policy: policy, optimizer: optimizer, updater: updater,
      source: material.source,
      estimator: AdvantageEstimator(
        settings.objective, rewardWeights: material.rewards.map(\.weight)),
      rewardNames: material.rewards.map(\.name), reference: nil,
      evaluator: held.flatMap { evaluator($0, samples: settings.numGenerationsEval ?? 1) },
      probe: evaluator(Array(material.problems.prefix(Self.probeSize)), samples: 1),
      checkpoints: CheckpointFiles(
        tokenizerFolder: policy.source.tokenizerFolder,
        baseModel: policy.source.baseName(named: settings.model),
        ownBase: preparation.source == nil ? folder : nil,
        elementType: settings.saveDtype.elementType),
      schedule: Trainer.Schedule(
        steps: steps, evaluationSteps: settings.evalSteps, evaluatesFirst: settings.evalOnStart,
        checkpointSteps: settings.saveSteps, checkpointLimit: settings.saveTotalLimit,
        problemCount: material.epoch,
        bestMetric: settings.metricForBestModel.map { ($0, settings.greaterIsBetter) },
        cut: plan.cut),
      writesTensorBoard: settings.tensorboard, provenance: provenance,
      configurationHash: SHA256.digest(of: JSONValue.object(lastingSettings).jsonText)
        .hexadecimal,
      warnings: { rewards.takeWarnings() }, iterationHook: try iterationHook(rewards))
  }

  private func iterationHook(_ rewards: RewardSuite) throws -> IterationHook? {
    guard let program = settings.iterationHook else { return nil }
    return try IterationHook(
      IterationHook.Settings(
        program: URL(fileURLWithPath: program).path, share: settings.iterationHistory,
        seed: UInt64(settings.seed), updates: settings.objective.referenceSyncSteps),
      folder: folder, log: log, rewards: rewards)
  }

  // MARK: Where it stands

  /// Brings the parts to where the run stands: the newest whole checkpoint, or the beginning.
  private func takeUp(_ parts: inout Trainer.Parts) throws -> Trainer.Position {
    var position = Trainer.Position()
    let reader = try TrajectoryReader(readOnly: folder.log)
    position.lastCommitted = try reader.lastCommittedStep() ?? 0
    for evaluation in try reader.evaluations() {
      position.evaluations[evaluation.step] = evaluation
    }
    let needsReference = settings.objective.needsReference
    let newest = folder.newestCheckpoint { [observer] in
      observer.observe(.warning("\($0); the one before it is used"))
    }
    guard let found = newest else {
      try coldStart(parts)
      if needsReference { parts.reference = try makeReference(parts.policy, moved: nil) }
      return position
    }
    try CheckpointFiles.read(
      found.url, into: parts.policy.model, optimizer: parts.optimizer, manifest: found.manifest)
    parts.updater.entropy = found.manifest.entropy
    position.step = found.manifest.step
    position.problemsDrawn = found.manifest.problemsDrawn
    position.tokensSeen = found.manifest.tokensSeen ?? 0
    if needsReference { parts.reference = try makeReference(parts.policy, moved: found.url) }
    observer.observe(
      .note(
        "resuming after step \(position.step); \(max(0, position.lastCommitted - position.step)) "
          + "committed steps are redone from the log"))
    return position
  }

  /// The reference: where it was moved, as the checkpoint has it; else the named model, or the policy
  /// before the first step, which is the bare base where adapters start from nothing.
  private func makeReference(_ policy: Policy, moved checkpoint: URL?) throws -> ReferenceModel {
    let temperature = Float(settings.temperature)
    let kept = checkpoint?.appendingPathComponent(CheckpointFiles.referenceFolder)
    let isKept = kept.map { FileManager.default.fileExists(atPath: $0.path) } ?? false
    if !isKept, let name = settings.referenceModel {
      return ReferenceModel(
        try namedReference(name, for: policy), compute: preparation.compute,
        temperature: temperature)
    }
    let startsAsBase =
      settings.usePeft && policy.source.adapter == nil && preparation.supervised.isEmpty
    if startsAsBase, !settings.objective.refreshesReference {
      return ReferenceModel(baseOf: policy.model, temperature: temperature)
    }
    let parameters = Parameters(copying: policy.model.parameters)
    if let kept, isKept {
      try parameters.readTrained(folder: kept)
    } else if checkpoint != nil {
      try parameters.readTrained(folder: folder.checkpoint(step: 0))
    }
    return ReferenceModel(parameters, compute: preparation.compute, temperature: temperature)
  }

  /// A reference that the settings name: in float32 where it is to be moved, otherwise as it is stored.
  private func namedReference(_ name: String, for policy: Policy) throws -> Parameters {
    let source = try ModelSource(
      ModelLocator.locate(name, environment: ProcessInfo.processInfo.environment))
    let vocabulary = policy.model.configuration.vocabularySize
    guard source.configuration.vocabularySize == vocabulary else {
      throw ModelError(
        .invalid, path: source.base.path, subject: "vocab_size",
        "is \(source.configuration.vocabularySize), and the policy's is \(vocabulary)",
        remedy: "name a reference_model with the policy's own tokenizer")
    }
    guard settings.objective.refreshesReference else { return try source.frozenParameters() }
    return try Parameters(folder: source.base, configuration: policy.model.configuration)
  }

  /// The supervised stage, where the settings ask for one.
  private func coldStart(_ parts: Trainer.Parts) throws {
    guard !preparation.supervised.isEmpty else { return }
    guard let encoder = try makeEncoder(parts.policy) else {
      throw MissingTokenizer(folder: parts.policy.folder)
    }
    let stage = try ColdStart(
      preparation, policy: parts.policy, encoder: encoder,
      optimizer: settings.optimizer(
        for: parts.policy.model, learningRate: settings.sftLearningRate),
      cut: parts.schedule.cut)
    try stage.run(observer) {
      try parts.probe?.evaluate(step: 0, isCancelled: observer.isCancelled)?.accuracy.share
    }
  }
}
