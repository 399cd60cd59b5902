import Foundation
import PolicyOptimization
import Rollouts
import Tensors
import TrajectoryStore
import Transformer

/// Draws again what a run's log says that its policy drew, and compares every bit.
///
/// The policy that drew a step is the newest checkpoint before it, moved on by the updates of the steps
/// between, which are redone from the log as `--resume` does. So a step costs its sampling, and its updates
/// where a later step is wanted; nothing is scored, and nothing of the run is written. Prompts come from the
/// log, so that neither data set nor rewards are needed: the run's folder is enough.
public final class RunReplay {
  /// What of a run to replay.
  public struct Scope: Sendable {
    /// The first step; nil for the first there is.
    public var firstStep: Int?
    /// The last step; nil for the last that is committed.
    public var lastStep: Int?
    /// One completion by its id in the log; nil for all of the steps.
    public var completion: Int?

    /// Makes a scope; the whole run unless something is said.
    public init(firstStep: Int? = nil, lastStep: Int? = nil, completion: Int? = nil) {
      self.firstStep = firstStep
      self.lastStep = lastStep
      self.completion = completion
    }
  }

  private let folder: RunFolder
  private let observer: ReplayObserver
  private let steps: ClosedRange<Int>
  private let start: CheckpointManifest
  private let trainer: Trainer
  private let replayed: ReplayedSteps

  /// Reads the run and the checkpoint from which the scope is reached.
  /// - Throws: `ReplayError` where there is nothing to replay, `StoreError`, `ModelError` and their like.
  public init(
    of folder: RunFolder, settings resolved: ResolvedConfiguration, scope: Scope,
    observer: ReplayObserver
  ) throws {
    self.folder = folder
    self.observer = observer
    let settings = resolved.values
    let reader = try TrajectoryReader(readOnly: folder.log)
    let run = try Self.sampledRun(reader, folder)
    let wanted = try scope.completion.map { try Self.place(of: $0, reader, folder) }
    let steps = try Self.steps(of: scope, wanted, reader, folder)
    self.steps = steps
    let found = folder.newestCheckpoint(through: steps.lowerBound -| 1) {
      observer.observe(.warning("\($0); the one before it is used"))
    }
    guard let found else { throw ReplayError.noCheckpoint(folder, before: steps.lowerBound) }
    start = found.manifest

    let policy = try Policy(
      folder: found.url, compute: settings.compute(),
      training: AdapterChoice(resolved).trainedPart)
    let recorded = RunHost(run.record.host)
    let encoder = try settings.promptEncoder(for: policy, clock: recorded?.clock ?? 0)
    let microBatchTokens = recorded?.microBatchTokens ?? settings.microBatchTokens ?? 2048
    trainer = settings.trainer(
      of: policy, rewards: run.record.rewards.map { ($0.name, $0.weight) },
      planned: try PlannedSteps(run, in: reader) ?? PlannedSteps(run.record.plannedSteps(settings)),
      cut: UpdateCut(rows: microBatchTokens))
    try trainer.resume(from: found.url, found.manifest)
    replayed = ReplayedSteps(
      of: folder, in: reader, steps: steps, wanted: wanted, trainer: trainer, encoder: encoder,
      sampler: settings.groupSampler(
        policy, engine: GenerationEngine(policy.model), encoder: encoder),
      observer: observer)
    tell(recorded, microBatchTokens: microBatchTokens, run)
  }

  /// Says from where the replay sets out, and what is different from when the run was made.
  private func tell(_ recorded: RunHost?, microBatchTokens: Int, _ run: LoggedRun) {
    let redone = max(0, steps.upperBound -| start.step -| (replayed.isLastUpdateCompared ? 0 : 1))
    let what =
      steps.lowerBound == steps.upperBound
      ? "step \(steps.lowerBound)" : "steps \(steps.lowerBound) to \(steps.upperBound)"
    let updates = redone == 1 ? "the updates of 1 step" : "the updates of \(redone) steps"
    observer.observe(
      .note(
        "replaying \(what) from the checkpoint of step \(start.step)"
          + (redone > 0 ? "; \(updates) are redone from the log" : "")))
    let now = RunHost(
      now: trainer.policy.compute, microBatchTokens: microBatchTokens, clock: recorded?.clock ?? 0)
    for sentence in recorded?.differences(to: now) ?? [] { observer.observe(.warning(sentence)) }
    if run.record.programVersion != ProgramVersion.current {
      observer.observe(
        .warning(
          "the run was made by grpo \(run.record.programVersion), and this is "
            + ProgramVersion.current))
    }
  }

  /// Replays the scope.
  /// - Returns: What was compared; nil where the observer stopped it.
  public func run() throws -> ReplayReport? {
    for step in (start.step + 1)...steps.upperBound {
      if observer.isCancelled() { return nil }
      do {
        try trainer.trainStep(step, from: replayed, into: replayed)
      } catch is Interruption {
        return nil
      }
      observer.observe(.step(step, last: steps.upperBound, replayed.report))
    }
    return replayed.report
  }

  // MARK: What there is

  private static func sampledRun(
    _ reader: TrajectoryReader, _ folder: RunFolder
  ) throws -> LoggedRun {
    guard let run = try reader.runs().last, try reader.lastCommittedStep() != nil else {
      throw ReplayError.nothingLogged(folder)
    }
    if let origin = run.record.configuration["rollouts"]?.string {
      throw ReplayError.notSampled(folder, origin: origin)
    }
    guard run.record.kind == "grpo" else {
      throw ReplayError.notSampled(
        folder, origin: run.record.provenance["rollouts"]?.string ?? "another program")
    }
    return run
  }

  private static func place(
    of completion: Int, _ reader: TrajectoryReader, _ folder: RunFolder
  ) throws -> CompletionPlace {
    guard let place = try reader.place(ofCompletion: completion) else {
      throw ReplayError.noCompletion(folder, completion)
    }
    return place
  }

  private static func steps(
    of scope: Scope, _ wanted: CompletionPlace?, _ reader: TrajectoryReader, _ folder: RunFolder
  ) throws -> ClosedRange<Int> {
    let all = try reader.steps()
    let inScope = all.filter { step in
      if let wanted { return step == wanted.step }
      return step >= scope.firstStep ?? .min && step <= scope.lastStep ?? .max
    }
    guard let first = inScope.first, let last = inScope.last else {
      throw ReplayError.noSteps(folder, has: (all.first ?? 0)...(all.last ?? 0))
    }
    return first...last
  }
}

extension RunRecord {
  /// How many steps the run was to have, by its settings and data, where its log doesn't say.
  fileprivate func plannedSteps(_ settings: RunConfiguration) throws -> Int {
    if let steps = settings.maxSteps { return steps }
    return settings.stepCount(problems: max(1, try RunData(settings).train.epoch.count))
  }
}
