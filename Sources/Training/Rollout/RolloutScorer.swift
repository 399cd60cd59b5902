import Rollouts
import Transformer

/// What a policy says of completions that somebody else drew.
public struct RolloutScorer {
  private let pass: ScoringPass
  private let temperature: Float
  /// Rows that are run at once.
  private let rowLimit: Int

  /// Makes a scorer; the temperature is above 0.
  public init(_ policy: Policy, temperature: Double = 1, rowLimit: Int = 2048) {
    pass = ScoringPass(policy.model)
    self.temperature = Float(temperature)
    self.rowLimit = rowLimit
  }

  /// Scores completions in order and gives each its statistics as soon as its batch is done.
  ///
  /// Neighbours with the same prompt share its rows; a completion's bits depend on neither.
  public func score(
    _ rollouts: [(prompt: [TokenID], completion: [TokenID])],
    each: (TokenStatistics) throws -> Void
  ) rethrows {
    let groups = groups(of: rollouts)
    for microBatch in MicroBatch.cut(groups.map(\.lengths), rowLimit: rowLimit) {
      let batch = PackedBatch(microBatch, of: groups)
      let statistics = pass.score(batch, under: Distribution(temperature: temperature))
      for targets in batch.targetRanges { try each(statistics[targets]) }
    }
  }

  /// Neighbours with the same prompt as groups.
  private func groups(
    of rollouts: [(prompt: [TokenID], completion: [TokenID])]
  ) -> [TokenGroup] {
    var groups: [TokenGroup] = []
    for (prompt, completion) in rollouts {
      if let last = groups.indices.last, groups[last].prompt == prompt {
        groups[last].completions.append(completion)
      } else {
        groups.append(TokenGroup(prompt: prompt, completions: [completion]))
      }
    }
    return groups
  }
}
