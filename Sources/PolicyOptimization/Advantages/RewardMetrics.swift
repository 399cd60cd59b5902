// Metrics of the rewards, under TRL's names. Deviations are sample deviations, NaN-free: 0 where
// fewer than two completions could be scored.

/// Metrics of a step's rewards.
public struct RewardMetrics: Sendable, Hashable {
  /// The mean and the deviation of one reward function.
  public struct Summary: Sendable, Hashable {
    /// The mean over the completions that it scored.
    public var mean: Double
    /// The sample deviation over them, 0 where there is only one.
    public var deviation: Double
  }

  /// Each reward function, nil where it scored nothing.
  public var functions: [Summary?]
  /// The mean of the weighted sums; nil where no completion has one.
  public var reward: Double?
  /// Their sample deviation over the whole step, not within groups; nil where no completion has one.
  public var rewardDeviation: Double?
  /// The share of completions whose deviation in use is 0, so that they teach nothing.
  public var shareOfZeroDeviation: Double
  /// The share of completions that no function could score.
  public var shareUnscorable: Double

  /// The metrics by name, given the names of the reward functions.
  public func named(_ names: [String]) -> [(name: String, value: Double)] {
    var metrics: [(name: String, value: Double)] = []
    for case (let name, let function?) in zip(names, functions) {
      metrics.append(("rewards/\(name)/mean", function.mean))
      metrics.append(("rewards/\(name)/std", function.deviation))
    }
    if let reward { metrics.append(("reward", reward)) }
    if let rewardDeviation { metrics.append(("reward_std", rewardDeviation)) }
    metrics.append(("frac_reward_zero_std", shareOfZeroDeviation))
    metrics.append(("frac_unscorable", shareUnscorable))
    return metrics
  }
}

extension AdvantageEstimator {
  /// The metrics of the rewards before any KL.
  func rewardMetrics(_ table: RewardTable) -> RewardMetrics {
    func summary(_ values: [Double?]) -> RewardMetrics.Summary? {
      let statistics = RewardStatistics(values.compactMap { $0.map { .init($0) } })
      guard statistics.count > 0 else { return nil }
      return .init(mean: statistics.mean, deviation: statistics.deviation(.sample) ?? 0)
    }
    let total = summary(table.plainTotals)
    let count = Double(max(table.totals.count, 1))
    return RewardMetrics(
      functions: table.columns.map(summary), reward: total?.mean,
      rewardDeviation: total?.deviation,
      shareOfZeroDeviation: Double(zeroDeviationCount(table)) / count,
      shareUnscorable: Double(table.totals.count { $0 == nil }) / count)
  }

  /// How many completions have zero deviation in the deviation in use: the batch's, or their
  /// group's.
  private func zeroDeviationCount(_ table: RewardTable) -> Int {
    let usesBatch =
      settings.aggregation == .normalizeThenSum || settings.scaleRewards == .batch
    if usesBatch {
      let batch = RewardStatistics(table.totals.compactMap { $0 })
      return batch.count > 1 && batch.isConstant ? table.totals.count : 0
    }
    return table.groups.reduce(0) { count, members in
      let group = RewardStatistics(members.compactMap { table.totals[$0] })
      return group.count > 1 && group.isConstant ? count + members.count : count
    }
  }
}
