import Foundation
import PolicyOptimization
import Rollouts
import Tensors
import Transformer

/// The supervised stage as a run of its own, with checkpoints.
///
/// A step is an optimiser update, and what update u does is a function of u and the settings: resuming
/// from the newest checkpoint gives the bytes of a run that was never stopped.
public final class SupervisedRun {
  /// The settings.
  public let resolved: ResolvedConfiguration
  /// Where the run is.
  public let folder: RunFolder
  private let observer: TrainingObserver
  private let compute: Compute
  private let source: ModelSource
  private let train: [SupervisedDataset]
  private let evaluation: [SupervisedDataset]
  private let isNew: Bool

  private var settings: RunConfiguration { resolved.values }

  /// Reads and checks what the settings name; writes nothing.
  /// - Throws: `SupervisedRunError`, `DatasetError`, `ModelError`, each a sentence for the user.
  public init(
    _ resolved: ResolvedConfiguration, folder: RunFolder, resuming: Bool,
    observer: TrainingObserver
  ) throws {
    self.resolved = resolved
    self.folder = folder
    self.observer = observer
    isNew = !resuming
    let settings = resolved.values
    guard let model = settings.model else { throw SupervisedRunError.noModel }
    source = try ModelSource(
      ModelLocator.locate(model, environment: ProcessInfo.processInfo.environment))
    try AdapterChoice(resolved).check(source)
    let mapping = ColumnMapping(settings.columns) ?? .identity
    let names = settings.sftDataset.isEmpty ? settings.dataset : settings.sftDataset
    guard !names.isEmpty else { throw SupervisedRunError.noData }
    train = try names.map {
      try EmbeddedJob.supervised($0)
        ?? SupervisedDataset.read(reference: $0, mapping: mapping)
    }
    evaluation = try settings.evalDataset.map {
      try SupervisedDataset.read(
        $0, mapping: mapping, split: .evaluation, limit: settings.maxEvalRows)
    }
    if isNew, folder.isTaken { throw SupervisedRunError.taken(folder) }
    if !isNew, !FileManager.default.fileExists(atPath: folder.configuration.path) {
      throw SupervisedRunError.notARun(folder)
    }
    compute = settings.compute()
  }

  /// Trains until the last update, or until the observer stops it.
  /// - Returns: How it ended; an interrupted run has a checkpoint of where it stopped.
  public func run() throws -> TrainingOutcome {
    let policy = try Policy(
      folder: source.folder, compute: compute, training: AdapterChoice(resolved).trainedPart)
    if !isNew { folder.removeUnfinished() }
    let resumed = isNew ? nil : newestCheckpoint
    let clock = resumed?.manifest.clock ?? Int(Date().timeIntervalSince1970)
    let encoder = try settings.promptEncoder(for: policy, clock: clock)
    let examples = try examples(train, encoder, policy)
    guard !examples.isEmpty else {
      throw RunFolderError.nothingToTrainOn(train.map(\.name).joined(separator: ", "))
    }
    let held = try self.examples(evaluation, encoder, policy)
    let trainer = settings.supervisedTrainer(
      of: policy, examples: examples, cut: try cut(examples, policy))
    if isNew {
      try FileManager.default.createDirectory(at: folder.url, withIntermediateDirectories: true)
      try AtomicFile.write(resolved.json.prettyJSONText + "\n", to: folder.configuration)
    }
    let step = try resume(trainer, policy, from: resumed)
    let metrics = try MetricsLog(
      of: folder, hasTensorBoard: settings.tensorboard, after: step, observer)
    let stage = SupervisedStage(
      SupervisedStage.Parts(
        policy: policy, trainer: trainer, held: held,
        checkpoints: settings.checkpointFiles(for: policy, encoder: encoder), folder: folder,
        clock: clock, entropy: EntropyController(settings.objective),
        configurationHash: SHA256.digest(of: resolved.json.jsonText).hexadecimal,
        provenance: provenance(updates: trainer.settings.updates), metrics: metrics,
        observer: observer), after: step)
    var calendar = settings.calendar(steps: trainer.settings.updates)
    // What the run sets out from is the model that it names, and what it arrives at is in final/.
    (calendar.evaluatesFirst, calendar.savesEnds, calendar.bestMetric) = (true, false, nil)
    return try TrainingLoop(
      stage, by: calendar, in: folder, metrics: metrics, after: step, observer: observer
    ).run()
  }

  private var newestCheckpoint: (url: URL, manifest: CheckpointManifest)? {
    folder.newestCheckpoint { [observer] in
      observer.observe(.warning("\($0); the one before it is used"))
    }
  }

  private func examples(
    _ datasets: [SupervisedDataset], _ encoder: PromptEncoder, _ policy: Policy
  ) throws -> [SupervisedExample] {
    let read = try SupervisedExamples(
      datasets, encoder, endToken: policy.endTokens.first, maxLength: settings.sftMaxLength)
    for note in read.notes { observer.observe(.note(note)) }
    return read.examples
  }

  /// How updates are cut, by the memory plan.
  private func cut(_ examples: [SupervisedExample], _ policy: Policy) throws -> UpdateCut {
    let limit = settings.memoryBudget
    var demand = MemoryDemand(
      model: policy.model.configuration, promptsPerStep: settings.sftBatchSize,
      promptLength: examples.map(\.prompt.count).max() ?? 1, groupSize: 1,
      completionLength: examples.map(\.completion.count).max() ?? 1, concurrency: 0)
    demand.adapter = policy.model.parameters.adapter
    demand.precision = settings.precision
    demand.keyValueElement = settings.keyValueElement
    if demand.adapter != nil {
      let source = policy.source
      demand.element =
        try WeightFiles(folder: source.base, for: source.configuration).heldElement(of:)
    }
    let least = demand.fit(
      within: limit, rows: settings.microBatchTokens, recomputes: settings.gradientCheckpointing)
    guard MemoryPlan(least).peak <= limit || settings.microBatchTokens != nil else {
      throw SupervisedRunError.tooLarge(peak: MemoryPlan(least).peak, limit: limit)
    }
    return least.cut
  }

  /// Reads the checkpoint back from which the run goes on; how many updates it has.
  private func resume(
    _ trainer: SupervisedTrainer, _ policy: Policy,
    from checkpoint: (url: URL, manifest: CheckpointManifest)?
  ) throws -> Int {
    guard let (url, manifest) = checkpoint else { return 0 }
    try CheckpointFiles.read(
      url, into: policy.model, optimizer: trainer.optimizer, manifest: manifest)
    observer.observe(.note("resuming after update \(manifest.step)"))
    return manifest.step
  }

  private func provenance(updates: Int) -> JSONObject {
    [
      "program": .string("grpo \(ProgramVersion.current)"),
      "stage": "supervised", "seed": .integer(Int64(settings.seed)),
      "parent_model": .string(settings.model ?? ""),
      "dataset": .array(train.map { .string($0.name) }),
      "dataset_sha256": .array(train.map { .string($0.contentHash) }),
      "optimizer_updates": .integer(Int64(updates)), "configuration": resolved.json,
    ]
  }
}

/// A supervised run that can't begin.
public enum SupervisedRunError: Error, CustomStringConvertible {
  /// No model is named.
  case noModel
  /// No rows are named.
  case noData
  /// Something stands where the run would be.
  case taken(RunFolder)
  /// There is no run to go on with.
  case notARun(RunFolder)
  /// Not even one row fits into the memory.
  case tooLarge(peak: Int, limit: Int)

  /// The sentence for the user.
  public var description: String {
    switch self {
    case .noModel:
      return
        "model is missing: the folder of the model to train; 'grpo init' makes one, randomly initialised"
    case .noData:
      return "sft_dataset is missing: a file of rows with prompt and completion, messages or text"
    case .taken(let folder):
      return
        "\(folder.url.path) is not empty, and a run never overwrites another: continue it with "
        + "'grpo sft --resume \(folder.displayPath)', or give the new run another --run"
    case .notARun(let folder):
      return "\(folder.url.path) is not a run's folder: there is no config.json in it"
    case .tooLarge(let peak, let limit):
      return "the run needs \(peak >> 20) MiB and memory_limit is \(limit >> 20) MiB: lower "
        + "sft_max_length, take a smaller model, or raise memory_limit"
    }
  }
}
