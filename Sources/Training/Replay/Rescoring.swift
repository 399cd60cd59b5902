import BuiltInRewards
import Foundation
import PolicyOptimization
import RewardKit
import Rollouts
import Tokenizers
import TrajectoryStore
import Transformer

/// Scores the completions of a log anew, into a log of its own; the old one is only read.
///
/// Tokens, log-probabilities, entropies and kept sets are taken over; scores, totals, advantages and their
/// summaries are made anew, with the settings of the old run but for its rewards. Groups are dropped by the
/// rule of `dynamic_sampling`, where the run had it, under the new rewards. Rewards are called as the run
/// called them: once for each round in which a step's groups were drawn.
public final class Rescoring {
  /// What came of it.
  public struct Outcome: Sendable {
    /// Steps that were scored.
    public var steps = 0
    /// Completions that were scored.
    public var completions = 0
    /// Those that no reward could score.
    public var unscored = 0
    /// The mean total in the old log, and in the new one.
    public var means: (old: Double?, new: Double?) = (nil, nil)
  }

  private let source: URL
  private let reader: TrajectoryReader
  private let run: LoggedRun
  private let resolved: ResolvedConfiguration
  private let rewards: RewardSuite
  private let estimator: AdvantageEstimator
  /// Steps that the run was to have, for rewards that go by it; nil where that is not recorded.
  private let plannedSteps: Int?
  /// The tokenizer of the weights that the run set out from; nil where they are gone.
  private let tokenizer: Tokenizer?
  private var settings: RunConfiguration { resolved.values }

  /// Reads the log's run and starts the new rewards.
  /// - Parameters:
  ///   - log: The old log.
  ///   - options: The words of the settings that are new: `reward`, and what limits rewards.
  /// - Throws: `StoreError`, `ConfigurationError`, `RewardError`.
  public init(_ log: URL, options: [String: [String]]) throws {
    source = log
    reader = try TrajectoryReader(readOnly: log)
    guard let run = try reader.runs().last, try reader.lastCommittedStep() != nil else {
      throw RecordedRolloutsError(path: log.path, reason: "the log has no steps to score")
    }
    self.run = run
    plannedSteps = try PlannedSteps(run, in: reader)?.latest
    tokenizer = try? Tokenizer(folder: Self.origin(of: log))
    resolved = try ResolvedConfiguration.resolve(
      options: options, recordedRun: run.record.configuration)
    rewards = try RewardSuite(
      resolved.values.rewardSpecifications(), columns: try reader.columnNames(),
      of: "the log \(log.lastPathComponent)", catalogue: .shipped)
    estimator = AdvantageEstimator(
      resolved.values.objective, rewardWeights: rewards.rewards.map(\.weight))
  }

  /// The new rewards, in order.
  public var descriptions: [RewardDescription] { rewards.rewards }

  /// Ends the rewards' processes.
  public func shutDown() { rewards.shutDown() }

  /// Scores everything into a new run folder that `grpo train --rollouts` takes.
  /// - Returns: nil where the observer stopped it; then nothing is left of the new folder.
  /// - Throws: `RunFolderError` where something is there, `RewardError` where too much can't be scored.
  public func write(
    to folder: RunFolder, observer: TrainingObserver
  ) throws -> Outcome? {
    guard !folder.isTaken else { throw RunFolderError.taken(folder) }
    try FileManager.default.createDirectory(
      at: folder.url.deletingLastPathComponent(), withIntermediateDirectories: true)
    return try Self.unlessStopped {
      var outcome = Outcome()
      try FolderPublisher.publish(to: folder.url, replacing: folder.isEmpty) { aside in
        let aside = RunFolder(aside)
        try AtomicFile.write(
          JSONValue.object(configuration).prettyJSONText + "\n", to: aside.configuration)
        outcome = try score(into: aside.log, name: folder.url.lastPathComponent, observer)
      }
      return outcome
    }
  }

  /// Scores everything into a new log at a path.
  /// - Returns: nil where the observer stopped it; then nothing is left of the new log.
  /// - Throws: `RunFolderError` where something is there, `RewardError` where too much can't be scored.
  public func write(toLog url: URL, observer: TrainingObserver) throws -> Outcome? {
    guard !FileManager.default.fileExists(atPath: url.path) else {
      throw RunFolderError.taken(RunFolder(url))
    }
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    let aside = url.deletingLastPathComponent()
      .appendingPathComponent("\(url.lastPathComponent).\(getpid()).partial", isDirectory: true)
    defer { try? FileManager.default.removeItem(at: aside) }
    try FileManager.default.createDirectory(at: aside, withIntermediateDirectories: false)
    return try Self.unlessStopped {
      let log = aside.appendingPathComponent(url.lastPathComponent)
      let outcome = try score(
        into: log, name: url.deletingPathExtension().lastPathComponent, observer)
      try FileManager.default.moveItem(at: log, to: url)
      return outcome
    }
  }

  /// The observer stopped the work.
  private struct Stopped: Error {}

  private static func unlessStopped(_ body: () throws -> Outcome) throws -> Outcome? {
    do { return try body() } catch is Stopped { return nil }
  }

  // MARK: Scoring

  private func score(
    into url: URL, name: String, _ observer: TrainingObserver
  ) throws -> Outcome {
    let log = try TrajectoryLog(creating: url)
    try log.begin(run: record(name: name))
    let steps = try reader.steps()
    var outcome = Outcome()
    var totals: (old: [Double], new: [Double]) = ([], [])
    for step in steps {
      if observer.isCancelled() { throw Stopped() }
      guard var record = try reader.step(step) else { continue }
      let completions = record.groups.flatMap(\.completions)
      totals.old += completions.compactMap(\.reward)
      try score(&record)
      try log.append(step: record)
      let scored = record.groups.flatMap(\.completions).compactMap(\.reward)
      totals.new += scored
      outcome.steps += 1
      outcome.completions += completions.count
      outcome.unscored += completions.count - scored.count
      for warning in rewards.takeWarnings() { observer.observe(.warning(warning)) }
      observer.observe(.sampling(step: step, done: outcome.steps, of: steps.count))
    }
    try log.finish(outcome: "done")
    func mean(_ values: [Double]) -> Double? {
      values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }
    outcome.means = (mean(totals.old), mean(totals.new))
    return outcome
  }

  private func score(_ record: inout StepRecord) throws {
    let state = TrainerState(globalStep: record.step - 1, maxSteps: plannedSteps)
    var scored: [ScoredCompletion] = []
    for round in rounds(of: record.groups) {
      let requests = record.groups[round].flatMap { group in
        group.completions.map { (group, $0.completion) }
      }.enumerated().map { id, item in
        RewardRequest(id: id, group: item.0.draw, problem: item.0.problem, completion: item.1)
      }
      scored += try rewards.score(requests, state: state, isTraining: true)
    }
    let names = rewards.rewards.map(\.name)
    var next = 0
    for group in record.groups.indices {
      let first = next
      for completion in record.groups[group].completions.indices {
        record.groups[group].completions[completion].advantage = nil
        record.groups[group].completions[completion].take(scored[next], rewards: names)
        next += 1
      }
      record.groups[group].isDropped =
        settings.dynamicSampling && !rewards.haveSpread(Array(scored[first..<next]))
    }
    let advantages = try estimator.advantages(
      of: record, rewardNames: names, stepEnd: { $0.tokenCount(reaching: $1, tokenizer: tokenizer) }
    )
    record.take(advantages)
    record.metrics =
      StepMetrics(rollout: record, rewards: advantages.metrics, rewardNames: names).values
  }

  /// The rounds in which a step's groups were drawn: one, unless groups without spread were replaced.
  private func rounds(of groups: [GroupRecord]) -> [Range<Int>] {
    guard settings.dynamicSampling else { return [0..<groups.count] }
    let replacement = DynamicSampling(maximumDraws: settings.dynamicSamplingLimit)
    var rounds: [Range<Int>] = []
    var wanted = settings.promptsPerStep
    while (rounds.last?.upperBound ?? 0) < groups.count {
      let start = rounds.last?.upperBound ?? 0
      let end = wanted > 0 ? min(groups.count, start + wanted) : groups.count
      rounds.append(start..<end)
      let decision = replacement.decision(
        kept: groups[..<end].count { !$0.isDropped }, wanted: settings.promptsPerStep,
        draws: rounds.count)
      wanted = if case .draw(let prompts) = decision { prompts } else { 0 }
    }
    return rounds
  }

  // MARK: The record

  private func record(name: String) -> RunRecord {
    var record = run.record
    record.name = name
    record.kind = "rescore"
    record.configuration = configuration
    record.programVersion = ProgramVersion.current
    record.provenance["rollouts"] = .string(source.path)
    record.rewards = zip(rewards.rewards, settings.reward).map {
      RewardRecord($0, asGiven: $1)
    }
    return record
  }

  /// The weights that a run set out from.
  private static func origin(of log: URL) -> URL {
    RunFolder(log.deletingLastPathComponent()).checkpoint(step: 0)
  }

  /// The old settings with the new rewards, and with the weights that the old run set out from as the model.
  private var configuration: JSONObject {
    var settings = resolved.json.object ?? [:]
    settings["run"] = nil
    settings["rollouts"] = .null
    settings["sft_dataset"] = .array([])
    let origin = Self.origin(of: source)
    if FileManager.default.fileExists(atPath: origin.path) {
      settings["model"] = .string(origin.standardizedFileURL.path)
    }
    return settings
  }
}

extension RewardRecord {
  /// What the record of a run says of a reward that runs.
  init(_ reward: RewardDescription, asGiven specification: JSONValue) {
    self.init(
      name: reward.name, weight: reward.weight,
      kind: reward.kind.rawValue + (reward.version.map { ": " + $0 } ?? ""),
      contentHash: reward.contentHash, isDeterministic: reward.isDeterministic,
      specification: specification)
  }
}
