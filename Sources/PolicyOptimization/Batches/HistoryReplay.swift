// The replay of iterative GRPO (DeepSeekMath §4.1.4, Algorithm 1): when the reward model is trained
// on for a new iteration, 10% of its data are historical. Which historical items those are is a
// function of seed and iteration alone:
//
//   n_history = round(share/(1 − share) · n_fresh), at most what there is, drawn without repeats

import Rollouts

/// Which items of the history are replayed beside fresh ones.
public struct HistoryReplay: Sendable, Hashable {
  /// The share of historical items in the whole, from 0 to below 1; the paper's is 0.1.
  public var share: Double

  /// Makes a replay; a share outside 0..<1 is taken to its nearest end.
  public init(share: Double = 0.1) { self.share = min(max(share, 0), 0.99) }

  /// The indices of the historical items to replay, in increasing order.
  ///
  /// - Parameters:
  ///   - history: how many historical items there are.
  ///   - fresh: how many new items they stand beside.
  ///   - seed: the run's seed.
  ///   - iteration: the iteration, so that each draws its own.
  /// - Complexity: O(history), by Knuth's selection sampling (TAOCP 3.4.2, algorithm S).
  public func indices(history: Int, fresh: Int, seed: UInt64, iteration: Int) -> [Int] {
    let wanted = (share / (1 - share) * Double(max(fresh, 0))).rounded()
    var missing = Int(clamping: min(wanted, Double(max(history, 0))))
    var chosen: [Int] = []
    for index in 0..<max(history, 0) where missing > 0 {
      let draw = Self.uniform(seed: seed, iteration: iteration, index: index)
      if draw * Double(history - index) < Double(missing) {
        chosen.append(index)
        missing -= 1
      }
    }
    return chosen
  }

  /// A number in 0..<1 for a place: SplitMix64's mixer over the three counters, no state.
  private static func uniform(seed: UInt64, iteration: Int, index: Int) -> Double {
    func mixed(_ value: UInt64) -> UInt64 {
      var z = value &+ 0x9E37_79B9_7F4A_7C15
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      return z ^ (z >> 31)
    }
    let key = mixed(mixed(seed) ^ UInt64(bitPattern: Int64(iteration)))
    return Double(mixed(key ^ UInt64(bitPattern: Int64(index))) >> 11) * 0x1p-53
  }
}
