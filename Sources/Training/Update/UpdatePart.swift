import PolicyOptimization
import Rollouts
import Tensors
import TrajectoryStore
import Transformer

/// What the updates of a run share.
struct UpdateSettings {
  var objective: ObjectiveSettings
  /// Into how many parts, each an update of its own, a rollout is cut.
  var updatesPerRollout: Int
  var maxCompletionLength: Int
  var temperature: Float
  var cut: UpdateCut
  /// The learning rate before the schedule.
  var baseLearningRate: Double
  /// Whether an update whose numbers are not finite is left out; otherwise it ends the run.
  var skipsNonfinite: Bool
  /// How operands are rounded: what is not finite in fp16 may be in bf16.
  var precision = Precision.float32
}

/// What one update learns from: whole groups of a step's rollout.
struct UpdatePart {
  /// One completion of the rollout with its advantages.
  struct Member {
    var group: GroupRecord
    var completion: CompletionRecord
    var advantages: TokenAdvantages
    /// The policy's log-probabilities where the completion's are another engine's.
    var policyLogProbabilities: [Float]?
  }

  var step: Int
  /// The update within its step, from 0.
  var index: Int
  var groups: [[Member]]
  /// The tokens of the whole rollout that count.
  var rolloutTokens: Int
}

extension StepRollout {
  /// The rollout, in order and by whole groups, as `updatesPerRollout` equal parts, and the whole `iterations` times.
  ///
  /// Dropped groups are left out. Where the groups don't divide (a log's last step may be short), earlier parts are
  /// longer by one.
  func parts(_ advantages: StepAdvantages, _ settings: UpdateSettings) -> [UpdatePart] {
    let groups = isLearnedFrom ? members(advantages) : []
    let tokens = groups.joined().reduce(0) { sum, member in
      sum + PreparedUpdate.mask(of: member.input, settings: settings.objective).count
    }
    let count = min(settings.updatesPerRollout, groups.count)
    return (0..<count * settings.objective.iterations).map { index in
      let part = index % count
      let range = part * groups.count / count..<(part + 1) * groups.count / count
      return UpdatePart(
        step: record.step, index: index, groups: Array(groups[range]), rolloutTokens: tokens)
    }
  }

  private func members(_ advantages: StepAdvantages) -> [[UpdatePart.Member]] {
    var next = 0
    return record.groups.filter { !$0.isDropped }.map { group in
      group.completions.map { completion in
        defer { next += 1 }
        return UpdatePart.Member(
          group: group, completion: completion, advantages: advantages.advantages[next],
          policyLogProbabilities: policyLogProbabilities?[next])
      }
    }
  }
}

extension UpdatePart.Member {
  /// What the objective is told of the completion.
  var input: CompletionInput {
    CompletionInput(
      group: group.draw, length: completion.completion.tokens.count, advantages: advantages,
      oldLogProbabilities: (policyLogProbabilities ?? completion.samplerLogProbabilities)?
        .map(Double.init),
      samplerLogProbabilities: policyLogProbabilities == nil
        ? nil : completion.samplerLogProbabilities?.map(Double.init),
      referenceLogProbabilities: completion.referenceLogProbabilities?.map(Double.init),
      entropies: completion.entropies?.map(Double.init),
      isTruncated: completion.completion.finish == .length)
  }
}
