// Several rewards normalised one by one, then summed, then normalised over the step (GDPO,
// arXiv 2601.05242; TRL's `normalize_then_sum`):
//
//   z_ik = (R_ik − mean_group R_k) / (σ_group R_k + ε)
//   s_i  = Σ_k w_k z_ik
//   A_i  = (s_i − mean s) / (σ(s) + ε)                      over all completions of the step
//
// z_ik is 0 where function k could not score completion i, or scored it alone in its group. As in
// TRL, `scale_rewards` is not read: both divisions are always made. The baseline may be
// leave-one-out (NeMo's GDPO).

extension AdvantageEstimator {
  /// The advantages of decoupled normalisation.
  func decoupledAdvantages(_ table: RewardTable) -> [Double] {
    let grouped = AdvantageEstimator(
      settings.with { $0.scaleRewards = .group }, rewardWeights: rewardWeights)
    var sums = table.totals.map { $0 == nil ? nil : RewardStatistics.Sample(0, magnitude: 0) }
    for (column, weight) in zip(table.columns, rewardWeights) {
      for members in table.groups {
        let normalized = grouped.normalized(members.map { column[$0].map { .init($0) } })
        for case (let index, let value?) in zip(members, normalized) {
          guard let sum = sums[index] else { continue }
          sums[index] = .init(
            sum.value + weight * value, magnitude: sum.magnitude + abs(weight * value))
        }
      }
    }
    let batch = RewardStatistics(sums.compactMap { $0 })
    let estimator: DeviationEstimator = settings.deviation == .population ? .population : .sample
    let deviation = batch.deviation(estimator, inFloat32: settings.float32Constants)
    return sums.map { sum in
      guard let sum else { return 0 }
      return settings.scaled(batch.centred(sum.value), by: deviation)
    }
  }
}
