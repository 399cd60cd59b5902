import RewardKit
import Rollouts

/// What rewards measured themselves (`metrics` of a reply, TRL's `log_metric`): the mean of each name over the
/// scores that carry it.
struct RewardOwnMetrics {
  private var sums: [String: (sum: Double, count: Int)] = [:]

  init(_ scorings: some Sequence<Scoring>) {
    for case .scored(let score) in scorings {
      for (name, value) in score.metrics {
        let (sum, count) = sums[name] ?? (0, 0)
        sums[name] = (sum + value, count + 1)
      }
    }
  }

  /// The means by name; a mean that is not a number is left out.
  var means: [String: Double] {
    sums.mapValues { $0.sum / Double($0.count) }.filter(\.value.isFinite)
  }
}
