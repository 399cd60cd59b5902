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
    let stage = try Stage(self, policy)
    if isNew {
      try FileManager.default.createDirectory(at: folder.url, withIntermediateDirectories: true)
      try AtomicFile.write(resolved.json.prettyJSONText + "\n", to: folder.configuration)
    }
    return try stage.run(from: try stage.resume())
  }

  private var newestCheckpoint: (url: URL, manifest: CheckpointManifest)? {
    folder.newestCheckpoint { [observer] in
      observer.observe(.warning("\($0); the one before it is used"))
    }
  }

  /// The loop, with what it was assembled from.
  private struct Stage {
    let run: SupervisedRun
    let policy: Policy
    let optimizer: ParameterOptimizer
    let trainer: SupervisedTrainer
    let schedule: LearningRatePlan
    let held: [SupervisedExample]
    let files: CheckpointFiles
    let updates: Int
    /// Where the run goes on; nil for one that begins.
    let checkpoint: (url: URL, manifest: CheckpointManifest)?
    /// The time that chat templates print, the same however often the run is resumed.
    let clock: Int

    private var settings: RunConfiguration { run.settings }

    init(_ run: SupervisedRun, _ policy: Policy) throws {
      self.run = run
      self.policy = policy
      let settings = run.settings
      let resumed = run.isNew ? nil : run.newestCheckpoint
      clock = resumed?.manifest.clock ?? Int(Date().timeIntervalSince1970)
      checkpoint = resumed
      let encoder = try settings.promptEncoder(for: policy, clock: clock)
      let read = try Self.examples(run.train, encoder, policy, settings)
      for note in read.notes { run.observer.observe(.note(note)) }
      let examples = read.examples
      guard !examples.isEmpty else {
        throw RunFolderError.nothingToTrainOn(run.train.map(\.name).joined(separator: ", "))
      }
      let heldOut = try Self.examples(run.evaluation, encoder, policy, settings)
      held = heldOut.examples
      for note in heldOut.notes { run.observer.observe(.note(note)) }
      let passes = settings.sftEpochs * Double(examples.count) / Double(settings.sftBatchSize)
      updates = settings.sftSteps ?? max(1, Int(clamping: passes.rounded(.up)))
      optimizer = settings.optimizer(
        for: policy.model, learningRate: settings.sftLearningRate)
      schedule = LearningRatePlan(
        settings.sftLrSchedulerType, warmupUpdates: settings.sftWarmupSteps, totalUpdates: updates)
      let cut = try Self.cut(examples, policy, settings)
      trainer = SupervisedTrainer(
        policy.model, optimizer: optimizer, examples: examples,
        settings: SupervisedSettings(
          updates: updates, batchSize: settings.sftBatchSize, learningRate: schedule,
          rowLimit: cut.rows, recomputesActivations: cut.recomputesActivations,
          seed: UInt64(settings.seed)))
      files = CheckpointFiles(
        tokenizerFolder: policy.source.tokenizerFolder,
        chatTemplate: settings.chatTemplate == nil ? nil : encoder.chatTemplate,
        baseModel: policy.source.baseName(named: settings.model),
        elementType: settings.saveDtype.elementType)
    }

    private static func examples(
      _ datasets: [SupervisedDataset], _ encoder: PromptEncoder, _ policy: Policy,
      _ settings: RunConfiguration
    ) throws -> SupervisedExamples {
      try SupervisedExamples(
        datasets, encoder, endToken: policy.endTokens.first, maxLength: settings.sftMaxLength)
    }

    /// How updates are cut, by the memory plan.
    private static func cut(
      _ examples: [SupervisedExample], _ policy: Policy, _ settings: RunConfiguration
    ) throws -> UpdateCut {
      let limit = settings.memoryLimit ?? (MachineMemory.total ?? 8 << 30) / 5 * 4
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
        within: limit, rows: settings.microBatchTokens,
        recomputes: settings.gradientCheckpointing)
      guard MemoryPlan(least).peak <= limit || settings.microBatchTokens != nil else {
        throw SupervisedRunError.tooLarge(peak: MemoryPlan(least).peak, limit: limit)
      }
      return least.cut
    }

    /// Reads the checkpoint back from which the run goes on; how many updates it has.
    func resume() throws -> Int {
      guard let (url, manifest) = checkpoint else { return 0 }
      try CheckpointFiles.read(url, into: policy.model, optimizer: optimizer, manifest: manifest)
      run.observer.observe(.note("resuming after update \(manifest.step)"))
      return manifest.step
    }

    func run(from first: Int) throws -> TrainingOutcome {
      let metrics = try MetricsLog(
        run.folder.metrics, tensorBoard: settings.tensorboard ? run.folder.tensorboard : nil,
        keepingStepsThrough: first == 0 ? -1 : first,
        restored: { [observer = run.observer] in observer.observe(.warning($0)) })
      let start = ContinuousClock.now
      var tokensSeen = trainer.tokens(before: first)
      if first == 0 { try evaluate(after: 0, metrics) }
      for update in first..<max(first, updates) {
        if run.observer.isCancelled() {
          try writeCheckpoint(after: update)
          return .interrupted(step: update)
        }
        let result = try trainer.update(update)
        tokensSeen += result.tokensSeen
        let seconds = (ContinuousClock.now - start).seconds
        try metrics.append(
          step: update + 1,
          [
            "loss": result.loss, "grad_norm": result.gradientNorm,
            "num_tokens": Double(tokensSeen),
            "learning_rate": settings.sftLearningRate * schedule.factor(at: update),
            "time/total": seconds,
          ])
        run.observer.observe(
          .supervised(
            SupervisedProgress(
              update: update + 1, total: updates, loss: result.loss, seconds: seconds)))
        let isLast = update + 1 == updates
        if isLast || isDue(update + 1, settings.evalSteps) {
          try evaluate(after: update + 1, metrics)
        }
        if isDue(update + 1, settings.saveSteps), !isLast { try writeCheckpoint(after: update + 1) }
      }
      try writeFinal()
      return .done
    }

    private func isDue(_ update: Int, _ period: Int?) -> Bool {
      period.map { update % $0 == 0 } ?? false
    }

    /// The mean loss on held-out rows, in nats per token.
    private func evaluate(after update: Int, _ metrics: MetricsLog) throws {
      guard !held.isEmpty else { return }
      let pass = ScoringPass(policy.model)
      let groups = held.map { TokenGroup(prompt: $0.prompt, completions: [$0.completion]) }
      var loss = 0.0
      var tokens = 0
      for (example, statistics) in zip(held, pass.score(groups)) {
        for (place, value) in statistics[0].logProbabilities.enumerated()
        where example.mask?[place] ?? true {
          loss -= Double(value)
          tokens += 1
        }
      }
      loss /= Double(max(1, tokens))
      try metrics.append(step: update, ["eval_loss": loss])
      run.observer.observe(
        .note("held-out loss after update \(update): \(Self.text(loss)) nats per token"))
    }

    private static func text(_ value: Double) -> String { String(format: "%.4f", value) }

    private func writeCheckpoint(after update: Int) throws {
      try FileManager.default.createDirectory(
        at: run.folder.checkpoints, withIntermediateDirectories: true)
      let url = run.folder.checkpoint(step: update)
      try files.write(
        policy.model, optimizer: optimizer, reference: nil,
        manifest: { hashes in
          CheckpointManifest(
            step: update, updates: optimizer.updates, problemsDrawn: update * settings.sftBatchSize,
            clock: clock, entropy: EntropyController(settings.objective),
            lossScale: optimizer.lossScale,
            configurationHash: SHA256.digest(of: run.resolved.json.jsonText).hexadecimal,
            programVersion: ProgramVersion.current, files: hashes)
        }, to: url)
      run.observer.observe(.checkpoint(step: update, url: url))
      guard let limit = settings.saveTotalLimit else { return }
      for step in run.folder.checkpointSteps.dropLast(max(1, limit)) {
        try? FileManager.default.removeItem(at: run.folder.checkpoint(step: step))
      }
    }

    private func writeFinal() throws {
      try files.writeFinal(
        policy.model.parameters,
        provenance: [
          "program": .string("grpo \(ProgramVersion.current)"),
          "stage": "supervised", "seed": .integer(Int64(settings.seed)),
          "parent_model": .string(settings.model ?? ""),
          "dataset": .array(run.train.map { .string($0.name) }),
          "dataset_sha256": .array(run.train.map { .string($0.contentHash) }),
          "optimizer_updates": .integer(Int64(updates)), "configuration": run.resolved.json,
        ], to: run.folder.final)
    }
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
