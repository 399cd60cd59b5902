// Outcome supervision with one number per completion (DeepSeekMath §4.1.2; TRL's
// `sum_then_normalize`):
//
//   A_i = (r_i − b_i) / scale,   r_i = Σ_k w_k R_ik
//
// with the baseline of AdvantageBaseline.swift and the scale of RewardScale.swift. Where a group
// has one scorable completion, its mean is that completion and its sample deviation doesn't exist:
// the advantage is 0. verl takes mean 0 and deviation 1 there, and so trains on the bare reward.

/// How several rewards become one advantage.
public enum RewardAggregation: String, SettingChoice {
  case sumThenNormalize = "sum_then_normalize"
  case normalizeThenSum = "normalize_then_sum"

  /// The aggregation as an equation.
  public var meaning: String {
    switch self {
    case .sumThenNormalize: "r_i = Σ_k w_k R_ik, then normalised"
    case .normalizeThenSum:
      "each R_k normalised in its group, then summed with w_k, then normalised over the step"
    }
  }
}

extension AdvantageEstimator {
  /// The advantages of outcome supervision.
  func outcomeAdvantages(_ table: RewardTable) -> [Double] {
    var advantages = Array(repeating: 0.0, count: table.totals.count)
    let batch = RewardStatistics(table.totals.compactMap { $0 })
    for members in table.groups {
      let normalized = normalized(members.map { table.totals[$0] }, batch: batch)
      for (index, advantage) in zip(members, normalized) { advantages[index] = advantage ?? 0 }
    }
    return advantages
  }

  /// A group's rewards less their baseline, divided by their scale; nil stays nil.
  ///
  /// - Parameters:
  ///   - samples: the group's rewards.
  ///   - batch: the statistics of the whole step; without them a batch mean or deviation is the
  ///     group's.
  func normalized(_ samples: [RewardStatistics.Sample?], batch: RewardStatistics? = nil)
    -> [Double?]
  {
    let scored = samples.compactMap { $0 }
    let group = RewardStatistics(scored)
    let batch = batch ?? group
    return samples.map { sample in
      guard let sample else { return nil }
      let centred = centred(sample.value, group: group, batch: batch)
      switch settings.scaleRewards {
      case .none: return centred
      case .batch:
        let deviation = batch.deviation(settings.deviation, inFloat32: settings.float32Constants)
        return settings.scaled(centred, by: deviation)
      case .group:
        guard settings.deviation == .leaveOneOut else {
          let deviation = group.deviation(settings.deviation, inFloat32: settings.float32Constants)
          return settings.scaled(centred, by: deviation)
        }
        let others = group.deviationOfOthers(than: sample.value)
        return settings.scaled(
          centred, by: others ?? (settings.leavesZeroDeviationUnscaled ? 0 : nil))
      }
    }
  }

  private func centred(_ reward: Double, group: RewardStatistics, batch: RewardStatistics)
    -> Double
  {
    switch settings.baseline {
    case .groupMean: return group.centred(reward)
    case .leaveOneOut:
      guard group.count > 1 else { return 0 }
      return group.centred(reward) * Double(group.count) / Double(group.count - 1)
    case .batchMean: return batch.centred(reward)
    case .none: return reward
    }
  }
}
