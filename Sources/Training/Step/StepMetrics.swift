import PolicyOptimization
import Rollouts
import TrajectoryStore

/// The metrics of a step, under TRL's names.
///
/// Of several updates per step, each metric is the mean, but least and greatest stay so, the learning rate is
/// the last update's, and what is measured on the first update alone (the sampler's mismatch) is taken from it.
struct StepMetrics {
  private var computed: [String: Double] = [:]
  /// What the rewards measured themselves, under the names that they gave.
  private let own: [String: Double]
  private var counts: [String: Int] = [:]

  /// Every metric by name.
  ///
  /// A reward's own goes by the name that it gave; where the program has a metric of that name, or where the
  /// name would say something else in `metrics.jsonl`, by `log_metric/NAME`.
  var values: [String: Double] {
    var values = computed
    for (name, value) in own {
      let isTaken =
        computed[name] != nil || name == "step" || name == "epoch" || name.hasPrefix("eval_")
        || name.hasPrefix("time/")
      values[isTaken ? "log_metric/\(name)" : name] = value
    }
    return values
  }

  init(rollout: StepRecord, rewards: RewardMetrics, rewardNames: [String]) {
    let scores = rollout.groups.lazy.flatMap(\.completions).flatMap(\.scores)
    own = RewardOwnMetrics(scores.map(\.scoring)).means
    for (name, value) in rewards.named(rewardNames) { computed[name] = value }
    let kept = rollout.groups.filter { !$0.isDropped }
    let completions = kept.flatMap(\.completions).map(\.completion)
    addLengths(completions)
    if rollout.groups.contains(where: \.isDropped) {
      computed["dropped_groups"] = Double(rollout.groups.count { $0.isDropped })
    }
    computed["num_tokens"] = Double(
      kept.reduce(0) { $0 + $1.promptTokens.count * $1.completions.count }
        + completions.reduce(0) { $0 + $1.tokens.count })
  }

  private mutating func addLengths(_ completions: [Completion]) {
    func add(_ prefix: String, _ lengths: [Int]) {
      let sum = Double(lengths.reduce(0, +))
      computed["completions/mean_\(prefix)length"] = sum / Double(max(1, lengths.count))
      computed["completions/min_\(prefix)length"] = Double(lengths.min() ?? 0)
      computed["completions/max_\(prefix)length"] = Double(lengths.max() ?? 0)
    }
    add("", completions.map(\.tokens.count))
    let ended = completions.filter { $0.finish == .stop }
    add("terminated_", ended.map(\.tokens.count))
    computed["completions/clipped_ratio"] =
      1 - Double(ended.count) / Double(max(1, completions.count))
  }

  /// Takes in an update's metrics.
  mutating func add(_ update: [String: Double]) {
    for (name, value) in update {
      let count = counts[name, default: 0]
      let old = computed[name] ?? 0
      switch name {
      case _ where count == 0: computed[name] = value
      case _ where name.hasSuffix("/min") || name.hasSuffix("low_min"):
        computed[name] = min(old, value)
      case _ where name.hasSuffix("max"): computed[name] = max(old, value)
      case "skipped_updates": computed[name] = old + value
      case "learning_rate", "loss_scale": computed[name] = value
      default: computed[name] = old + (value - old) / Double(count + 1)
      }
      counts[name] = count + 1
    }
  }

  subscript(name: String) -> Double? {
    get { computed[name] }
    set { computed[name] = newValue }
  }
}
