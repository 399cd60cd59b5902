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
    let trainer = settings.trainer(
      of: means.policy, rewards: means.material.rewards.map { ($0.name, $0.weight) },
      planned: means.material.planned, cut: means.plan.cut)
    let evaluator = try evaluator(means)
    let position = try findPosition(of: trainer, means)
    if isNew {
      let unscorable = preparation.unscorableRows(by: means.rewards)
      for warning in preparation.resolved.warnings + unscorable {
        observer.observe(.warning(warning))
      }
    }
    return try assemble(means, trainer, evaluator, at: position).run()
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

  /// The evaluation on held-out problems.
  private func evaluator(_ means: Means) throws -> Evaluator? {
    guard let encoder = means.encoder, let held = preparation.evaluation else { return nil }
    return evaluator(
      means, of: try preparation.encode(held, encoder), samples: settings.numGenerationsEval ?? 1)
  }

  func evaluator(_ means: Means, of problems: [EncodedProblem], samples: Int) -> Evaluator? {
    guard let encoder = means.encoder, !problems.isEmpty else { return nil }
    return Evaluator(
      engine: engine(means.policy), encoder: encoder, rewards: means.rewards, problems: problems,
      settings: Evaluator.Settings(
        seed: UInt64(settings.seed), samples: samples,
        sampling: settings.evaluationSampling(
          means.policy.endTokens(with: encoder), samples: samples),
        fullReward: means.rewards.fullReward))
  }

  /// The run from where it stands.
  private func assemble(
    _ means: Means, _ trainer: Trainer, _ evaluator: Evaluator?, at position: Position
  ) throws -> TrainingLoop {
    let (policy, rewards, material) = (means.policy, means.rewards, means.material)
    let recorded = material.source as? RecordedRollouts
    recorded?.complete(
      with: policy.model, temperature: Float(settings.temperature),
      correctsSampler: settings.objective.correctsSampler)
    let metrics = try MetricsLog(
      of: folder, hasTensorBoard: settings.tensorboard, after: position.totals.step, observer)
    let journal = RunJournal(
      RunJournal.Settings(
        steps: material.steps, epoch: material.epoch, lastCommitted: position.lastCommitted,
        repeatsExactly: self.recorded?.differences(to: host(of: means)).isEmpty ?? true),
      after: position.totals, log: log, at: folder.log, metrics: metrics, observer: observer,
      warnings: { rewards.takeWarnings() + (recorded?.takeWarnings() ?? []) })
    let stage = ReinforcementStage(
      ReinforcementStage.Parts(
        folder: folder, log: log, trainer: trainer, journal: journal, source: material.source,
        redone: try recorded
          ?? LoggedSteps(
            TrajectoryReader(readOnly: folder.log),
            vocabularySize: policy.model.configuration.vocabularySize),
        lastCommitted: position.lastCommitted, evaluations: position.evaluations,
        evaluator: evaluator, calendar: material.calendar,
        checkpoints: settings.checkpointFiles(
          for: policy, encoder: means.encoder, ownBase: preparation.source == nil ? folder : nil),
        provenance: provenance,
        configurationHash: SHA256.digest(
          of: JSONValue.object(recordedRun?.record.configuration ?? lastingSettings).jsonText
        ).hexadecimal,
        iterationHook: try iterationHook(rewards), observer: observer))
    return TrainingLoop(
      stage, by: settings.calendar(steps: material.steps), in: folder, metrics: metrics,
      after: position.totals.step, observer: observer)
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
