import Rollouts
import Tensors
import TrajectoryStore
import Transformer

/// The policy that the KL term pulls towards: frozen weights that may be replaced or moved.
///
///     ref ← α · policy + (1 − α) · ref          every `syncSteps` optimiser updates
///
/// Where adapters are new, the reference is the policy's own base with them off: it
/// holds no weights. Source: DeepSeekMath Algorithm 1 (α = 1, iterative GRPO); TR-DPO, arXiv 2404.09656
/// (0 < α < 1).
final class ReferenceModel {
  let parameters: Parameters
  private let scoring: ScoringPass
  private let compute: Compute
  private let temperature: Float

  /// A reference with weights of its own.
  convenience init(_ parameters: Parameters, compute: Compute, temperature: Float) {
    self.init(LanguageModel(parameters, compute: compute), temperature: temperature)
  }

  /// The frozen base of a policy whose adapters are trained.
  convenience init(baseOf policy: LanguageModel, temperature: Float) {
    self.init(
      LanguageModel(policy.parameters, compute: policy.compute, appliesAdapter: false),
      temperature: temperature)
  }

  private init(_ model: LanguageModel, temperature: Float) {
    parameters = model.parameters
    scoring = ScoringPass(model)
    compute = model.compute
    self.temperature = temperature
  }

  /// Fills in the reference's log-probabilities of every completion, in batches of `rowLimit` rows.
  func score(_ rollout: inout StepRecord, rowLimit: Int) {
    let groups = rollout.groups.map(\.tokens)
    for microBatch in MicroBatch.cut(groups.map(\.lengths), rowLimit: rowLimit) {
      let batch = PackedBatch(microBatch, of: groups)
      let completions = microBatch.slices.flatMap {
        rollout.groups[$0.group].completions[$0.completions]
      }
      let statistics = scoring.score(
        batch, under: Distribution.sampled(completions, temperature: temperature))
      var next = 0
      for slice in microBatch.slices {
        for completion in slice.completions {
          rollout.groups[slice.group].completions[completion].referenceLogProbabilities = Array(
            statistics.logProbabilities[batch.targetRanges[next]])
          next += 1
        }
      }
    }
  }

  /// Moves the reference towards the policy by a share.
  func move(towards policy: Parameters, share: Double) {
    parameters.move(towards: policy, share: share, compute)
  }
}

extension GroupRecord {
  /// The prompt and the completions as token ids.
  var tokens: TokenGroup {
    TokenGroup(prompt: promptTokens, completions: completions.map(\.completion.tokens))
  }
}
