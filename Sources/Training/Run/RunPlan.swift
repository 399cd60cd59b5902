import Foundation
import PolicyOptimization
import Rollouts
import Tensors
import TrajectoryStore
import Transformer

/// What a run will take, checked against its limits: memory, disk, and the micro-batch that fits.
public struct RunPlan {
  /// The memory plan.
  public let memory: MemoryPlan
  /// The limit it was checked against, bytes.
  public let memoryLimit: Int
  /// How updates are cut.
  public let cut: UpdateCut
  /// The disk plan.
  public let disk: DiskPlan

  /// Makes the plan of a prepared run.
  /// - Parameters:
  ///   - prompts: What is known of the prompts' lengths.
  ///   - recordedRows: The rows of a micro-batch that the run was begun with, where it is resumed.
  /// - Throws: `PlanError` where the run can't fit into its memory, `ModelError` where a file of weights can't be
  ///   read.
  init(
    _ preparation: RunPreparation, model: ModelConfiguration, prompts: PromptLengths,
    completionLength: Int, recordedRows: Int? = nil
  ) throws {
    let settings = preparation.settings
    let limit = settings.memoryBudget
    var demand = MemoryDemand(
      model: model, steps: prompts.steps, groupSize: settings.numGenerations,
      completionLength: min(
        completionLength, max(1, model.maximumPositions - prompts.longest)),
      concurrency: preparation.recorded == nil ? 128 : 0)
    demand.evaluated = prompts.evaluated
    demand.evaluatedSamples = settings.numGenerationsEval ?? 1
    demand.updatesPerRollout = settings.updatesPerRollout
    demand.precision = settings.precision
    demand.keyValueElement = settings.keyValueElement
    demand.hasReference = settings.objective.needsReference
    demand.referenceBytes = try Self.referenceBytes(preparation, model: model)
    demand.tokenizerBytes = preparation.tokenizerBytes
    demand.dataBytes = preparation.dataBytes
    demand.adapter = AdapterChoice(preparation.resolved).adapter(for: preparation.source)
    if demand.adapter != nil, let source = preparation.source {
      demand.element =
        try WeightFiles(folder: source.base, for: source.configuration).heldElement(of:)
    }
    disk = DiskPlan(
      trainedCount: demand.trained.map(\.count).saturatingSum,
      steps: settings.stepCount(problems: max(1, preparation.train.epoch.count)),
      completionsPerStep: settings.promptsPerStep *| settings.numGenerations,
      tokensPerCompletion: settings.maxCompletionLength, checkpointEvery: settings.saveSteps,
      checkpointLimit: settings.saveTotalLimit, bytesPerWeight: settings.saveDtype.elementType.size)
    demand.logCacheBytes = min(TrajectoryLog.cacheBytes, disk.logBytes)
    try demand.checkRecords(within: limit)
    demand = demand.fit(
      within: limit, rows: settings.microBatchTokens ?? recordedRows,
      recomputes: settings.gradientCheckpointing)
    cut = demand.cut
    memory = MemoryPlan(demand)
    memoryLimit = limit
    guard memory.peak <= limit else { throw PlanError(memory, limit: limit) }
  }

  /// What the reference holds beside the policy: nothing where it is the policy's own frozen base.
  private static func referenceBytes(
    _ preparation: RunPreparation, model: ModelConfiguration
  ) throws -> Int {
    let settings = preparation.settings
    guard settings.objective.needsReference else { return 0 }
    if let name = settings.referenceModel, !settings.objective.refreshesReference {
      let source = try ModelSource(
        ModelLocator.locate(name, environment: ProcessInfo.processInfo.environment))
      let held = try WeightFiles(folder: source.base, for: source.configuration).heldElement(of:)
      return source.configuration.tensorLayout.bytes(held)
        +| source.configuration.operandBytes(settings.precision, element: held)
    }
    guard let adapter = AdapterChoice(preparation.resolved).adapter(for: preparation.source) else {
      return model.tensorLayout.bytes() +| model.operandBytes(settings.precision)
    }
    let startsAsBase = preparation.source?.adapter == nil && preparation.supervised.isEmpty
    return startsAsBase && !settings.objective.refreshesReference
      ? 0 : adapter.tensorLayout(for: model).bytes()
  }
}

/// A run that can't fit into its memory.
public struct PlanError: Error, CustomStringConvertible {
  private var needed: Int
  private var largest: MemoryPlan.Item?
  private var limit: Int

  init(_ plan: MemoryPlan, limit: Int) {
    needed = plan.peak
    largest = (plan.resident + plan.sampling + plan.update).max { $0.bytes < $1.bytes }
    self.limit = limit
  }

  /// A run of which one item alone is too much.
  init(_ item: MemoryPlan.Item, limit: Int) {
    (needed, largest) = (item.bytes, item)
    self.limit = limit
  }

  /// The sentence for the user.
  public var description: String {
    func mebibytes(_ bytes: Int) -> String {
      let size = Double(bytes) / 1_048_576
      return String(format: size < 10 ? "%.1f MiB" : "%.0f MiB", size)
    }
    let share = largest.map { " (most of it \($0.name), \(mebibytes($0.bytes)))" } ?? ""
    return "the run needs \(mebibytes(needed))\(share) and memory_limit is \(mebibytes(limit)); "
      + "lower max_completion_length, num_generations or prompts_per_step, take a smaller model, or raise "
      + "memory_limit"
  }
}
