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
    for range in PackedBatch.ranges(of: groups, rowLimit: rowLimit) {
      let batch = PackedBatch(Array(groups[range]))
      let statistics = pass.score(batch, under: Distribution(temperature: temperature))
      for targets in batch.targetRanges { try each(statistics[targets]) }
    }
  }

  private func groups(
    of rollouts: [(prompt: [TokenID], completion: [TokenID])]
  ) -> [TokenGroup] {
    var groups: [TokenGroup] = []
    var rows = 0
    for (prompt, completion) in rollouts {
      let added = max(0, completion.count - 1)
      if let last = groups.indices.last, groups[last].prompt == prompt, rows + added <= rowLimit {
        groups[last].completions.append(completion)
        rows += added
      } else {
        groups.append(TokenGroup(prompt: prompt, completions: [completion]))
        rows = prompt.count + added
      }
    }
    return groups
  }
}
