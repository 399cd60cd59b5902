import Rollouts
import Tensors
import TrajectoryStore
import Transformer

/// The policy that the KL term pulls towards: a frozen copy that may be replaced or moved.
///
///     ref ← α · policy + (1 − α) · ref          every `syncSteps` optimiser updates
///
/// Source: DeepSeekMath Algorithm 1 (α = 1, iterative GRPO); TR-DPO, arXiv 2404.09656 (0 < α < 1).
final class ReferenceModel {
  let parameters: Parameters
  private let scoring: ScoringPass
  private let temperature: Float

  /// A copy of a policy's weights.
  init(copying policy: LanguageModel, temperature: Float) {
    parameters = Parameters(zero: policy.configuration)
    parameters.copy(from: policy.parameters)
    scoring = ScoringPass(LanguageModel(parameters, compute: policy.compute))
    self.temperature = temperature
  }

  /// Fills in the reference's log-probabilities of every completion, in batches of `rowLimit` rows.
  func score(_ rollout: inout StepRecord, rowLimit: Int) {
    let groups = rollout.groups.map {
      TokenGroup(prompt: $0.promptTokens, completions: $0.completions.map(\.completion.tokens))
    }
    for range in PackedBatch.ranges(of: groups, rowLimit: rowLimit) {
      let batch = PackedBatch(Array(groups[range]))
      let completions = rollout.groups[range].flatMap(\.completions)
      let statistics = scoring.score(
        batch, under: Distribution.sampled(completions, temperature: temperature))
      var next = 0
      for group in range {
        for completion in rollout.groups[group].completions.indices {
          rollout.groups[group].completions[completion].referenceLogProbabilities = Array(
            statistics.logProbabilities[batch.targetRanges[next]])
          next += 1
        }
      }
    }
  }

  /// Moves the reference towards the policy by a share.
  func move(towards policy: Parameters, share: Double) {
    guard share < 1 else {
      parameters.copy(from: policy)
      return
    }
    let (new, old) = (Float(share), Float(1 - share))
    for (mine, theirs) in zip(parameters.tensors, policy.tensors) {
      let mixed = zip(mine.plainValues, theirs.plainValues).map { old * $0 + new * $1 }
      mine.storage.pack(from: mixed)
    }
  }
}
