// R_ik: the reward of completion i by function k; w_k its weight. The total is r_i = Σ_k w_k R_ik
// over the functions that could score it, nil where none could (TRL's nansum with unscorable rows
// kept apart).

/// The rewards of a step, by completion and by function.
struct RewardTable {
  /// Rewards of each function, one per completion, nil where unscorable.
  let columns: [[Double?]]
  /// The weighted sums, nil where unscorable; with KL in the reward, after it.
  let totals: [RewardStatistics.Sample?]
  /// The weighted sums before any KL.
  let plainTotals: [Double?]
  /// The completions of each group in order, groups in order of appearance.
  let groups: [[Int]]

  init(
    _ completions: [RewardedCompletion], weights: [Double], settings: ObjectiveSettings
  ) throws(ObjectiveError) {
    columns = weights.indices.map { k in completions.map { $0.rewards[k] } }
    var totals: [RewardStatistics.Sample?] = []
    var plainTotals: [Double?] = []
    for (index, completion) in completions.enumerated() {
      var total: RewardStatistics.Sample?
      for case (let weight, let reward?) in zip(weights, completion.rewards) {
        let sum = (total?.value ?? 0) + weight * reward
        total = .init(sum, magnitude: (total?.magnitude ?? 0) + abs(weight * reward))
      }
      plainTotals.append(total?.value)
      if settings.hasKLInReward && settings.klPlacement == .reward, let scored = total {
        let penalty = settings.beta * (try completion.klValues(settings, at: index)).reduce(0, +)
        total = .init(scored.value - penalty, magnitude: scored.magnitude + abs(penalty))
      }
      if let total, !total.value.isFinite {
        throw .notFinite(
          name: "the weighted sum of rewards", completion: index, token: nil, value: total.value)
      }
      totals.append(total)
    }
    self.totals = totals
    self.plainTotals = plainTotals
    var groups: [[Int]] = []
    var place: [Int: Int] = [:]
    for (index, completion) in completions.enumerated() {
      if let known = place[completion.group] {
        groups[known].append(index)
      } else {
        place[completion.group] = groups.count
        groups.append([index])
      }
    }
    self.groups = groups
  }
}
