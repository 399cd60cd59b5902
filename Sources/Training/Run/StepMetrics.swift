import PolicyOptimization
import Rollouts
import TrajectoryStore

/// The metrics of a step, under TRL's names.
///
/// Of several updates per step, each metric is the mean, but least and greatest stay so, the learning rate is
/// the last update's, and what is measured on the first update alone (the sampler's mismatch) is taken from it.
struct StepMetrics {
  private(set) var values: [String: Double] = [:]
  private var counts: [String: Int] = [:]

  init(rollout: StepRecord, rewards: RewardMetrics, rewardNames: [String]) {
    for (name, value) in rewards.named(rewardNames) { values[name] = value }
    let kept = rollout.groups.filter { !$0.isDropped }
    let completions = kept.flatMap(\.completions).map(\.completion)
    addLengths(completions)
    if rollout.groups.contains(where: \.isDropped) {
      values["dropped_groups"] = Double(rollout.groups.count { $0.isDropped })
    }
    values["num_tokens"] = Double(
      kept.reduce(0) { $0 + $1.promptTokens.count * $1.completions.count }
        + completions.reduce(0) { $0 + $1.tokens.count })
  }

  private mutating func addLengths(_ completions: [Completion]) {
    func add(_ prefix: String, _ lengths: [Int]) {
      let sum = Double(lengths.reduce(0, +))
      values["completions/mean_\(prefix)length"] = sum / Double(max(1, lengths.count))
      values["completions/min_\(prefix)length"] = Double(lengths.min() ?? 0)
      values["completions/max_\(prefix)length"] = Double(lengths.max() ?? 0)
    }
    add("", completions.map(\.tokens.count))
    let ended = completions.filter { $0.finish == .stop }
    add("terminated_", ended.map(\.tokens.count))
    values["completions/clipped_ratio"] =
      1 - Double(ended.count) / Double(max(1, completions.count))
  }

  /// Takes in an update's metrics.
  mutating func add(_ update: [String: Double]) {
    for (name, value) in update {
      let count = counts[name, default: 0]
      let old = values[name] ?? 0
      switch name {
      case _ where count == 0: values[name] = value
      case _ where name.hasSuffix("/min") || name.hasSuffix("low_min"):
        values[name] = min(old, value)
      case _ where name.hasSuffix("max"): values[name] = max(old, value)
      case "skipped_updates": values[name] = old + value
      case "learning_rate": values[name] = value
      default: values[name] = old + (value - old) / Double(count + 1)
      }
      counts[name] = count + 1
    }
  }

  subscript(name: String) -> Double? {
    get { values[name] }
    set { values[name] = newValue }
  }
}
