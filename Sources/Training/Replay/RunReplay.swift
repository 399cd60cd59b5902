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
  private let settings: RunConfiguration
  private let observer: ReplayObserver
  private let reader: TrajectoryReader
  private let steps: ClosedRange<Int>
  private let wanted: CompletionPlace?
  private let policy: Policy
  private let encoder: PromptEncoder
  private let sampler: GroupSampler
  private let optimizer: ParameterOptimizer
  private let updater: PolicyUpdater
  private let planned: PlannedSteps
  private let estimator: AdvantageEstimator
  private let rewardNames: [String]
  private let start: CheckpointManifest
  private var report = ReplayReport()

  /// Reads the run and the checkpoint from which the scope is reached.
  /// - Throws: `ReplayError` where there is nothing to replay, `StoreError`, `ModelError` and their like.
  public init(
    of folder: RunFolder, settings resolved: ResolvedConfiguration, scope: Scope,
    observer: ReplayObserver
  ) throws {
    self.folder = folder
    settings = resolved.values
    self.observer = observer
    let reader = try TrajectoryReader(readOnly: folder.log)
    self.reader = reader
    let run = try Self.sampledRun(reader, folder)
    wanted = try scope.completion.map { try Self.place(of: $0, reader, folder) }
    steps = try Self.steps(of: scope, wanted, reader, folder)
    let found = folder.newestCheckpoint(through: steps.lowerBound -| 1) {
      observer.observe(.warning("\($0); the one before it is used"))
    }
    guard let found else { throw ReplayError.noCheckpoint(folder, before: steps.lowerBound) }
    start = found.manifest

    let compute = settings.compute()
    policy = try Policy(
      folder: found.url, compute: compute, training: AdapterChoice(resolved).trainedPart)
    let recorded = RunHost(run.record.host)
    encoder = try settings.promptEncoder(for: policy, clock: recorded?.clock ?? 0)
    sampler = settings.groupSampler(
      policy, engine: GenerationEngine(policy.model), encoder: encoder)
    optimizer = settings.optimizer(for: policy.model, learningRate: settings.learningRate)
    let microBatchTokens = recorded?.microBatchTokens ?? settings.microBatchTokens ?? 2048
    if let recorded = try PlannedSteps(run, in: reader) {
      planned = recorded
    } else {
      planned = PlannedSteps(try run.record.plannedSteps(settings))
    }
    updater = settings.updater(
      for: policy.model, optimizer: optimizer,
      steps: planned.latest, cut: UpdateCut(rows: microBatchTokens))
    rewardNames = run.record.rewards.map(\.name)
    estimator = AdvantageEstimator(
      settings.objective, rewardWeights: run.record.rewards.map(\.weight))
    try CheckpointFiles.read(
      found.url, into: policy.model, optimizer: optimizer, manifest: found.manifest)
    updater.entropy = found.manifest.entropy
    tell(recorded, microBatchTokens: microBatchTokens, run)
  }

  /// Says from where the replay sets out, and what is different from when the run was made.
  private func tell(_ recorded: RunHost?, microBatchTokens: Int, _ run: LoggedRun) {
    let redone = max(0, steps.upperBound -| start.step -| (isLastUpdateCompared ? 0 : 1))
    let what =
      steps.lowerBound == steps.upperBound
      ? "step \(steps.lowerBound)" : "steps \(steps.lowerBound) to \(steps.upperBound)"
    let updates = redone == 1 ? "the updates of 1 step" : "the updates of \(redone) steps"
    observer.observe(
      .note(
        "replaying \(what) from the checkpoint of step \(start.step)"
          + (redone > 0 ? "; \(updates) are redone from the log" : "")))
    let now = RunHost(
      now: policy.model.compute, microBatchTokens: microBatchTokens, clock: recorded?.clock ?? 0)
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
      guard
        let record = try reader.step(
          step, vocabularySize: policy.model.configuration.vocabularySize)
      else {
        throw ReplayError.missingStep(folder, step)
      }
      if steps.contains(step) {
        comparePolicyStep(record)
        try compareAdvantages(of: record)
        guard try compareSampling(of: record) else { return nil }
        report.steps += 1
      }
      if step < steps.upperBound || isLastUpdateCompared {
        try redoUpdates(of: record)
        try compareCheckpoint(after: step)
      }
      observer.observe(.step(step, last: steps.upperBound, report))
    }
    return report
  }

  // MARK: Sampling

  /// Draws the step's completions again; false where the observer stopped it.
  private func compareSampling(of record: StepRecord) throws -> Bool {
    let groups = record.groups.filter { wanted == nil || $0.draw == wanted?.draw }
    let requests = groups.map { group in
      GenerationRequest(
        prompt: group.promptTokens, samples: wanted == nil ? group.completions.count : 1,
        draw: group.draw, firstSample: wanted?.sample ?? 0)
    }
    guard
      let drawn = sampler.generate(
        requests, step: record.step, isCancelled: observer.isCancelled)
    else { return false }
    for (group, again) in zip(groups, drawn) {
      try comparePrompt(of: group, step: record.step)
      let logged = group.completions.filter { wanted == nil || $0.sample == wanted?.sample }
      for (mine, other) in zip(logged, again) {
        report.completions += 1
        report.pruned += mine.isPruned ? 1 : 0
        report.tokens += mine.completion.tokens.count
        if let difference = mine.firstDifference(to: other) {
          try note(difference, of: mine, in: group, step: record.step)
        } else {
          report.agreeing += 1
        }
      }
    }
    return true
  }

  private func note(
    _ difference: CompletionRecord.Difference, of completion: CompletionRecord,
    in group: GroupRecord, step: Int
  ) throws {
    guard report.firstDifference == nil else { return }
    let logged = try reader.place(step: step, draw: group.draw, sample: completion.sample)
    report.firstDifference = ReplayDifference(
      step: step, place: "\(place(of: group)), sample \(completion.sample)",
      completion: logged?.id, token: difference.token, quantity: difference.quantity,
      recorded: difference.recorded, replayed: difference.replayed)
  }

  private func place(of group: GroupRecord) -> String {
    let name = group.dataset.isEmpty ? "the data set" : group.dataset
    return "row \(group.problem.index + 1) of \(name), draw \(group.draw)"
  }

  /// Whether the logged prompt still has the logged tokens.
  private func comparePrompt(of group: GroupRecord, step: Int) throws {
    let tokens = try encoder.encode(group.problem, dataset: group.dataset) ?? []
    guard tokens != group.promptTokens, report.firstDifference == nil else { return }
    report.firstDifference = ReplayDifference(
      step: step, place: place(of: group), quantity: "the prompt's tokens",
      recorded: "\(group.promptTokens)", replayed: "\(tokens)")
  }

  private func comparePolicyStep(_ record: StepRecord) {
    guard record.policyStep != optimizer.updates, report.firstDifference == nil else { return }
    report.firstDifference = ReplayDifference(
      step: record.step, place: "", quantity: "the number of updates behind the policy",
      recorded: "\(record.policyStep)", replayed: "\(optimizer.updates)")
  }

  /// Whether the log's rewards are the weighted totals of its scores, and its advantages those that follow.
  ///
  /// A pruned step may lack the log-probabilities that they were made with.
  private func compareAdvantages(of record: StepRecord) throws {
    let isPruned = record.groups.contains { $0.completions.contains(where: \.isPruned) }
    guard report.firstDifference == nil, !isPruned else { return }
    var again = record
    again.take(try advantages(of: record))
    for (group, other) in zip(record.groups, again.groups)
    where !group.isDropped && (wanted == nil || group.draw == wanted?.draw) {
      for (mine, other) in zip(group.completions, other.completions)
      where wanted == nil || mine.sample == wanted?.sample {
        guard let difference = mine.rewardDifference(to: other) else { continue }
        return try note(difference, of: mine, in: group, step: record.step)
      }
    }
  }

  private func advantages(of record: StepRecord) throws -> StepAdvantages {
    try estimator.advantages(
      of: record, rewardNames: rewardNames,
      stepEnd: { [tokenizer = policy.tokenizer] in
        $0.tokenCount(reaching: $1, tokenizer: tokenizer)
      })
  }

  // MARK: Updates

  /// Whether the last step's updates are redone too, since there is a checkpoint to arrive at.
  private var isLastUpdateCompared: Bool {
    wanted == nil && folder.checkpointSteps.contains(steps.upperBound)
  }

  private func redoUpdates(of record: StepRecord) throws {
    let advantages = try advantages(of: record)
    updater.learningRate = settings.learningRatePlan(steps: planned[record.step])
    try updater.update(
      SourcedRollout(record), advantages: advantages, beforeMove: {}, updated: { _ in })
    report.redoneSteps += 1
  }

  /// Holds the weights against a checkpoint that the replay passes.
  private func compareCheckpoint(after step: Int) throws {
    guard step > start.step, folder.checkpointSteps.contains(step) else { return }
    let url = folder.checkpoint(step: step)
    do throws(CheckpointError) { _ = try CheckpointManifest.verified(in: url) } catch {
      observer.observe(.warning("\(error); it is not compared"))
      return
    }
    report.checkpoints += 1
    let difference = try CheckpointFiles.firstDifference(
      of: policy.model, optimizer: optimizer, from: url)
    guard let difference, report.firstDifference == nil else { return }
    report.firstDifference = ReplayDifference(
      step: step, place: "checkpoints/\(url.lastPathComponent)", quantity: difference.place,
      recorded: difference.first ?? "missing", replayed: difference.second ?? "missing")
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
