import BuiltInRewards
import Foundation
import PolicyOptimization
import RewardKit
import Rollouts
import Tensors
import TrajectoryStore
import Transformer

/// A run from its first file to its last: made new, or resumed where it stopped.
public final class TrainingRun {
  let preparation: RunPreparation
  let observer: TrainingObserver
  let log: TrajectoryLog
  let isNew: Bool
  private let madeFolder: Bool
  /// What the log says of the run, where it is resumed.
  let recordedRun: LoggedRun?
  /// What the run was begun under, where it is resumed.
  let recorded: RunHost?
  /// How many steps it was planned to have, where that is recorded.
  let recordedPlan: PlannedSteps?
  /// What is another setting now than the log says: changed now, or by a process that stopped before it said so.
  let changes: [ResumedSettings.Change]
  /// The time that chat templates print, the same however often the run is resumed.
  let clock: Int
  private var sharedEngine: GenerationEngine?

  /// Training problems by which a cold start is judged.
  static let probeSize = 256

  var settings: RunConfiguration { preparation.settings }
  var folder: RunFolder { preparation.folder }

  /// Makes a run's folder and log.
  /// - Throws: `RunFolderError` where the folder is taken, `StoreError` where the log can't be made.
  public init(starting preparation: RunPreparation, observer: TrainingObserver) throws {
    self.preparation = preparation
    self.observer = observer
    isNew = true
    recordedRun = nil
    recorded = nil
    recordedPlan = nil
    changes = []
    clock = Int(Date().timeIntervalSince1970)
    let folder = preparation.folder
    guard !folder.isTaken else { throw RunFolderError.taken(folder) }
    madeFolder = !FileManager.default.fileExists(atPath: folder.url.path)
    try FileManager.default.createDirectory(at: folder.url, withIntermediateDirectories: true)
    // Of two runs that begin here at once, one has the folder.
    let isOurs = try AtomicFile.create(
      preparation.resolved.json.prettyJSONText + "\n", at: folder.configuration,
      named: { CrashPoint.creating.reach() })
    guard isOurs else { throw RunFolderError.taken(folder) }
    folder.removeUnfinished()
    CrashPoint.begun.reach()
    log = try TrajectoryLog(creating: folder.log)
  }

  /// Opens a run that stopped, wherever it did.
  /// - Throws: `StoreError` where the log is damaged, or another process trains the run.
  public init(resuming preparation: RunPreparation, observer: TrainingObserver) throws {
    self.preparation = preparation
    self.observer = observer
    isNew = false
    madeFolder = false
    log = try Self.openLog(of: preparation.folder)
    preparation.folder.removeUnfinished()
    let reader = try TrajectoryReader(readOnly: preparation.folder.log)
    recordedRun = try reader.runs().last
    recorded = recordedRun.flatMap { RunHost($0.record.host) }
    recordedPlan = try recordedRun.flatMap { run throws(StoreError) in
      try PlannedSteps(run, in: reader)
    }
    changes =
      try recordedRun.map { run in
        ResumedSettings.changes(
          of: preparation.resolved, from: run, events: try reader.events(run: run.id))
      } ?? []
    clock = recorded?.clock ?? Int(Date().timeIntervalSince1970)
  }

  /// Opens a log, or makes it where the run stopped before its first commit.
  private static func openLog(of folder: RunFolder) throws -> TrajectoryLog {
    do throws(StoreError) {
      return try TrajectoryLog(opening: folder.log)
    } catch {
      // Making one refuses whatever is not an empty file, so that nothing can be overwritten.
      guard error.kind == .notALog || error.kind == .unreachable,
        RegularFile.fault(at: folder.log.path) == nil
      else { throw error }
      guard folder.checkpointSteps.isEmpty else { throw RunFolderError.logMissing(folder) }
      do throws(StoreError) { return try TrajectoryLog(creating: folder.log) } catch _ {
        throw error
      }
    }
  }

  /// Trains until the last step, or until the observer stops it.
  /// - Throws: `RefusedRun` where a new run can't begin; then nothing of it is left.
  public func train() throws -> TrainingOutcome {
    let means = try leavingNothing { try gatherMeans() }
    defer { means.rewards.shutDown() }
    try begin(means)
    CrashPoint.started.reach()
    var parts = try assemble(means)
    let position = try findPosition(of: &parts)
    if isNew {
      let unscorable = preparation.unscorableRows(by: means.rewards)
      for warning in preparation.resolved.warnings + unscorable {
        observer.observe(.warning(warning))
      }
    }
    return try Trainer(parts, from: position, observer: observer).run()
  }

  /// What a run needs before its record begins.
  struct Means {
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
      preparation.scoring, columns: preparation.columns, of: preparation.dataName,
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
  func makeEncoder(_ policy: Policy) throws -> PromptEncoder? {
    if policy.tokenizer == nil, preparation.recorded != nil { return nil }
    return try settings.promptEncoder(for: policy, clock: clock)
  }

  // MARK: Assembly

  /// The engine that samples for training and for evaluation: one, since its scratch is as large as a batch.
  func engine(_ policy: Policy) -> GenerationEngine {
    if let sharedEngine { return sharedEngine }
    let engine = GenerationEngine(policy.model)
    sharedEngine = engine
    return engine
  }

  private func assemble(_ means: Means) throws -> Trainer.Parts {
    let (policy, encoder, rewards) = (means.policy, means.encoder, means.rewards)
    let (material, plan) = (means.material, means.plan)
    (material.source as? RecordedRollouts)?.complete(
      with: policy.model, temperature: Float(settings.temperature),
      correctsSampler: settings.objective.correctsSampler)
    let optimizer = settings.optimizer(for: policy.model, learningRate: settings.learningRate)
    let updater = settings.updater(
      for: policy.model, optimizer: optimizer, steps: material.planned.latest, cut: plan.cut)
    func evaluator(_ problems: [EncodedProblem], samples: Int) -> Evaluator? {
      guard let encoder, !problems.isEmpty else { return nil }
      return Evaluator(
        engine: engine(policy), encoder: encoder, rewards: rewards, problems: problems,
        settings: Evaluator.Settings(
          seed: UInt64(settings.seed), samples: samples,
          sampling: settings.evaluationSampling(policy.endTokens(with: encoder), samples: samples),
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
        chatTemplate: settings.chatTemplate == nil ? nil : encoder?.chatTemplate,
        baseModel: policy.source.baseName(named: settings.model),
        ownBase: preparation.source == nil ? folder : nil,
        elementType: settings.saveDtype.elementType),
      schedule: Trainer.Schedule(
        steps: material.steps, planned: material.planned, evaluationSteps: settings.evalSteps,
        evaluatesFirst: settings.evalOnStart,
        checkpointSteps: settings.saveSteps, checkpointLimit: settings.saveTotalLimit,
        problemCount: material.epoch,
        bestMetric: settings.metricForBestModel.map { ($0, settings.greaterIsBetter) },
        cut: plan.cut,
        calendar: TrainerCalendar(
          steps: material.steps, epoch: material.epoch, promptsPerStep: settings.promptsPerStep)),
      writesTensorBoard: settings.tensorboard, provenance: provenance,
      configurationHash: SHA256.digest(
        of: JSONValue.object(recordedRun?.record.configuration ?? lastingSettings).jsonText
      ).hexadecimal,
      warnings: {
        rewards.takeWarnings() + ((material.source as? RecordedRollouts)?.takeWarnings() ?? [])
      },
      learningRate: { [settings] in settings.learningRatePlan(steps: $0) },
      repeatsExactly: recorded?.differences(to: host(of: means)).isEmpty ?? true,
      iterationHook: try iterationHook(rewards))
  }

  private func iterationHook(_ rewards: RewardSuite) throws -> IterationHook? {
    guard let program = settings.iterationHook else { return nil }
    return try IterationHook(
      IterationHook.Settings(
        program: URL(fileURLWithPath: program).path, share: settings.iterationHistory,
        seed: UInt64(settings.seed), updates: settings.objective.referenceSyncSteps),
      folder: folder, log: log, rewards: rewards)
  }
}
