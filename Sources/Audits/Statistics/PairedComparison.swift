// Two policies on the same problems. What differs between problems cancels, so that far fewer of them
// tell two policies apart than two separate shares would.
//
//   wins b, losses c over the n problems whose results differ:  p = min(1, 2 Σ_{i ≤ min(b,c)} C(n,i) 2⁻ⁿ)
//
// With one completion per problem this is McNemar's exact test, with several the sign test on the
// problems' mean rewards. Sources: McNemar 1947; Dixon and Mood 1946. The interval of the mean
// difference is the percentile bootstrap over problems (Efron 1979).

import Foundation
import Rollouts
import Tensors

/// How one policy compares with another, problem by problem.
public struct PairedComparison: Sendable, Equatable {
  /// Problems on which the first did better.
  public let wins: Int
  /// Problems on which the first did worse.
  public let losses: Int
  /// Problems without a difference.
  public let ties: Int
  /// The mean of first − second.
  public let meanDifference: Double
  /// Its 95% interval.
  public let interval: ClosedRange<Double>
  /// The two-sided probability of so uneven a split, were both equally good.
  public let pValue: Double

  /// Compares results that stand in the same order of problems.
  /// - Parameter seed: what the resamples are keyed by.
  /// - Complexity: O(problems × resamples).
  public init(first: [Double], second: [Double], seed: UInt64, resamples: Int = 2000) {
    precondition(first.count == second.count, "both were asked the same problems")
    let differences = zip(first, second).map { $0 - $1 }
    wins = differences.count { $0 > 1e-12 }
    losses = differences.count { $0 < -1e-12 }
    ties = differences.count - wins - losses
    meanDifference = differences.reduce(0, +) / Double(max(1, differences.count))
    interval = Self.bootstrap(differences, seed: seed, resamples: resamples)
    pValue = Self.signTest(wins, losses)
  }

  /// The two-sided p of a split of b against c under a fair coin, in double precision.
  static func signTest(_ b: Int, _ c: Int) -> Double {
    let n = b + c
    guard n > 0 else { return 1 }
    // Terms by logarithm: 2ⁿ overflows long before n is large.
    let scale = lgamma(Double(n) + 1) - Double(n) * log(2)
    var sum = 0.0
    for i in 0...min(b, c) {
      sum += exp(scale - lgamma(Double(i) + 1) - lgamma(Double(n - i) + 1))
    }
    return min(1, 2 * sum)
  }

  private static func bootstrap(
    _ values: [Double], seed: UInt64, resamples: Int
  ) -> ClosedRange<Double> {
    guard !values.isEmpty else { return 0...0 }
    let means = (0..<resamples).map { sample in
      let stream = Philox(seed: seed, purpose: .bootstrap, step: sample)
      var sum = 0.0
      for place in values.indices { sum += values[stream.integer(below: values.count, at: place)] }
      return sum / Double(values.count)
    }.sorted()
    let low = Int(clamping: 0.025 * Double(resamples - 1))
    let high = Int(clamping: (0.975 * Double(resamples - 1)).rounded(.up))
    return means[low]...means[high]
  }
}
