import Foundation
import PolicyOptimization
import Rollouts
import TrajectoryStore
import Transformer

/// The steps of a log, drawn again: what comes out is held against the log at every place where a run would write it.
///
/// As a source it takes problems, rewards and scores from the log and draws the completions of the wanted steps anew;
/// as a journal it compares what a run would record. The policy learns from what is logged.
final class ReplayedSteps: RolloutSource, StepJournal {
  private(set) var report = ReplayReport()
  private let folder: RunFolder
  private let reader: TrajectoryReader
  /// The steps that are drawn again; those before are only learned from.
  private let steps: ClosedRange<Int>
  /// The one completion that is wanted; nil for all of the steps.
  private let wanted: CompletionPlace?
  private let trainer: Trainer
  private let encoder: PromptEncoder
  private let sampler: GroupSampler
  private let observer: ReplayObserver

  init(
    of folder: RunFolder, in reader: TrajectoryReader, steps: ClosedRange<Int>,
    wanted: CompletionPlace?, trainer: Trainer, encoder: PromptEncoder, sampler: GroupSampler,
    observer: ReplayObserver
  ) {
    self.folder = folder
    self.reader = reader
    self.steps = steps
    self.wanted = wanted
    self.trainer = trainer
    self.encoder = encoder
    self.sampler = sampler
    self.observer = observer
  }

  /// Whether the last step's updates are redone too, since there is a checkpoint to arrive at.
  var isLastUpdateCompared: Bool {
    wanted == nil && folder.checkpointSteps.contains(steps.upperBound)
  }

  private func isDrawn(_ rollout: StepRollout) -> Bool { steps.contains(rollout.record.step) }

  // MARK: The source

  func takeProblems(for rollout: inout StepRollout) throws -> Bool {
    guard rollout.rounds == 0 else { return false }
    let number = rollout.record.step
    let logged = try reader.step(
      number, vocabularySize: trainer.policy.configuration.vocabularySize)
    guard let logged else { throw ReplayError.missingStep(folder, number) }
    rollout.open(logged)
    rollout.isFromOwnLog = true
    rollout.isLearnedFrom = number < steps.upperBound || isLastUpdateCompared
    if isDrawn(rollout) { comparePolicyStep(logged) }
    return true
  }

  /// Draws the completions of a wanted step again, and compares them with the log's, which stay.
  func sampleGroups(of rollout: inout StepRollout) throws {
    guard isDrawn(rollout) else { return }
    let record = rollout.record
    let groups = record.groups.filter { wanted == nil || $0.draw == wanted?.draw }
    let requests = groups.map { group in
      GenerationRequest(
        prompt: group.promptTokens, samples: wanted == nil ? group.completions.count : 1,
        draw: group.draw, firstSample: wanted?.sample ?? 0)
    }
    guard
      let drawn = sampler.generate(
        requests, step: record.step, isCancelled: observer.isCancelled)
    else { throw Interruption() }
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
  }

  // MARK: The journal

  /// Holds the rewards and advantages that follow from the scores against those in the log.
  func commit(_ rollout: StepRollout) throws {
    guard isDrawn(rollout) else { return }
    report.steps += 1
    try compareAdvantages(of: rollout.record)
  }

  func awaitCommit() throws {}

  /// Holds the weights against the checkpoint after the step, where there is one.
  func record(_ step: TrainedStep) throws {
    guard step.rollout.isLearnedFrom else { return }
    report.redoneSteps += 1
    try compareCheckpoint(after: step.rollout.record.step)
  }

  // MARK: Comparisons

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
    let updates = trainer.optimizer.updates
    guard record.policyStep != updates, report.firstDifference == nil else { return }
    report.firstDifference = ReplayDifference(
      step: record.step, place: "", quantity: "the number of updates behind the policy",
      recorded: "\(record.policyStep)", replayed: "\(updates)")
  }

  /// Whether the log's rewards are the weighted totals of its scores, and its advantages those that follow.
  ///
  /// A pruned step may lack the log-probabilities that they were made with.
  private func compareAdvantages(of again: StepRecord) throws {
    guard report.firstDifference == nil, let record = try reader.step(again.step),
      !record.groups.contains(where: { $0.completions.contains(where: \.isPruned) })
    else { return }
    for (group, other) in zip(record.groups, again.groups)
    where !group.isDropped && (wanted == nil || group.draw == wanted?.draw) {
      for (mine, other) in zip(group.completions, other.completions)
      where wanted == nil || mine.sample == wanted?.sample {
        guard let difference = mine.rewardDifference(to: other) else { continue }
        return try note(difference, of: mine, in: group, step: record.step)
      }
    }
  }

  /// Holds the weights against a checkpoint that the replay passes.
  private func compareCheckpoint(after step: Int) throws {
    guard folder.checkpointSteps.contains(step) else { return }
    let url = folder.checkpoint(step: step)
    do throws(CheckpointError) { _ = try CheckpointManifest.verified(in: url) } catch {
      observer.observe(.warning("\(error); it is not compared"))
      return
    }
    report.checkpoints += 1
    let difference = try CheckpointFiles.firstDifference(
      of: trainer.policy, optimizer: trainer.optimizer, from: url)
    guard let difference, report.firstDifference == nil else { return }
    report.firstDifference = ReplayDifference(
      step: step, place: "checkpoints/\(url.lastPathComponent)", quantity: difference.place,
      recorded: difference.first ?? "missing", replayed: difference.second ?? "missing")
  }
}
