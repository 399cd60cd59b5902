import Foundation
import PolicyOptimization
import RewardKit
import Rollouts
import TrajectoryStore

/// What a run learns from: problems that the policy answers, or rollouts that were recorded.
extension TrainingRun {
  /// What a run learns from: where its rollouts come from, and the rewards they carry.
  struct Material {
    var source: any RolloutSource
    var rewards: [RecordedRollouts.Reward]
    /// The training problems; empty where rollouts are recorded.
    var problems: [EncodedProblem]
    /// Problems of one epoch.
    var epoch: Int
    /// Steps that it is enough for.
    var steps: Int
    /// Steps that the run is planned to have, on which the learning-rate schedule depends.
    var planned: PlannedSteps
    var prompts: PromptLengths
    /// The longest completion that there may be.
    var completionLength: Int
    /// What rewards are told of how long the run is.
    var calendar: TrainerCalendar
  }

  func gatherMaterial(
    _ policy: Policy, encoder: PromptEncoder?, rewards: RewardSuite
  ) throws -> Material {
    if let recorded = preparation.recorded {
      return try recordedMaterial(recorded, policy: policy, encoder: encoder)
    }
    guard let encoder else { throw MissingTokenizer(folder: policy.folder) }
    var problems = try preparation.encode(preparation.train, encoder)
    if let recordedRun {
      // A data set is its content, which is held against the record: wherever it lies now, its problems are
      // those that are logged already.
      for index in problems.indices { problems[index].dataset = recordedRun.record.dataset }
    }
    guard !problems.isEmpty else {
      throw RunFolderError.nothingToTrainOn(preparation.train.name)
    }
    for note in preparation.notes(on: problems, of: preparation.train, encoder) where isNew {
      observer.observe(.note(note))
    }
    let entries = preparation.epoch(of: problems)
    guard !entries.isEmpty else {
      throw RunFolderError.nothingToTrainOn(preparation.train.name)
    }
    let steps = settings.stepCount(problems: entries.count)
    let calendar = TrainerCalendar(
      steps: steps, epoch: entries.count, promptsPerStep: settings.promptsPerStep)
    let sampler = RolloutSampler(
      settings.groupSampler(policy, engine: engine(policy), encoder: encoder), rewards: rewards,
      problems: problems,
      chooser: try chooser(of: entries, among: problems, rewards: rewards),
      settings: RolloutSampler.Settings(
        promptsPerStep: settings.promptsPerStep, groupSize: settings.numGenerations,
        replacement: settings.dynamicSampling
          ? DynamicSampling(maximumDraws: settings.dynamicSamplingLimit) : nil,
        calendar: calendar), observer: observer)
    return Material(
      source: sampler,
      rewards: rewards.rewards.map { RecordedRollouts.Reward(name: $0.name, weight: $0.weight) },
      problems: problems, epoch: entries.count,
      steps: steps, planned: PlannedSteps(steps),
      prompts: PromptLengths(problems.map(\.tokens.count), epoch: entries, of: preparation),
      completionLength: settings.maxCompletionLength, calendar: calendar)
  }

  /// What decides which problems a step asks.
  func chooser(
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

  func recordedMaterial(
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
    // A run that was changed on its way is made again with its changes, unless another number is asked for.
    let asked = settings.maxSteps.map(PlannedSteps.init)
    let planned =
      source.planned.flatMap { asked == nil || asked?.latest == $0.latest ? $0 : nil } ?? asked
    let steps = min(settings.maxSteps ?? source.stepCount, source.stepCount)
    return Material(
      source: source, rewards: rewards, problems: [], epoch: source.groupCount, steps: steps,
      planned: planned ?? PlannedSteps(source.stepCount),
      prompts: PromptLengths(
        longest: source.longest.prompt, promptsPerStep: settings.promptsPerStep),
      completionLength: source.longest.completion,
      calendar: TrainerCalendar(
        steps: steps, epoch: source.groupCount, promptsPerStep: settings.promptsPerStep))
  }
}
