// Mean and deviation of rewards, such that
//
// - the bits don't depend on the order of the rewards: they are summed in increasing order;
// - rewards that are equal up to rounding have deviation exactly 0, and each its own mean, so that
//   a group of 0.1 + 0.2 and 0.3 gets no spurious ±1 under a small epsilon.
//
// Equal up to rounding: max − min ≤ 2⁻⁴⁰ · max Σ_k |w_k R_k|, some 4,000 units in the last place of
// the numbers that were added up to the reward.

/// The mean and the spread of some rewards.
struct RewardStatistics {
  /// A reward and the size of the numbers that it was computed from.
  struct Sample {
    var value: Double
    var magnitude: Double

    init(_ value: Double, magnitude: Double? = nil) {
      self.value = value
      self.magnitude = magnitude ?? abs(value)
    }
  }

  /// The share of a reward's magnitude below which a difference is rounding.
  static let tolerance = 0x1p-40

  let count: Int
  let mean: Double
  /// Σ (r − mean)², exactly 0 where the rewards are equal up to rounding.
  let squares: Double
  /// Whether all rewards are equal up to rounding.
  let isConstant: Bool
  /// The greatest difference that is taken for rounding.
  private let rounding: Double
  /// The rewards in increasing order.
  private let sorted: [Double]

  init(_ samples: [Sample]) {
    count = samples.count
    rounding = Self.tolerance * samples.reduce(0) { max($0, $1.magnitude) }
    sorted = samples.map(\.value).sorted()
    guard let least = sorted.first, let greatest = sorted.last else {
      mean = 0
      squares = 0
      isConstant = true
      return
    }
    isConstant = greatest - least <= rounding
    let mean = isConstant ? least : sorted.reduce(0, +) / Double(count)
    self.mean = mean
    squares =
      isConstant ? 0 : sorted.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
  }

  /// r − mean, exactly 0 where that is rounding.
  func centred(_ value: Double) -> Double {
    isConstant || abs(value - mean) <= rounding ? 0 : value - mean
  }

  /// The standard deviation, nil where the estimator needs more rewards.
  ///
  /// TRL computes the sample deviation as √(Σ(r − r̄)²/n · n/(n − 1)) with the factor n/(n − 1) in
  /// float32.
  func deviation(_ estimator: DeviationEstimator, inFloat32: Bool = false) -> Double? {
    switch estimator {
    case .population: return count > 0 ? (squares / Double(count)).squareRoot() : nil
    case .sample, .leaveOneOut:
      guard count > 1 else { return nil }
      guard inFloat32 else { return (squares / Double(count - 1)).squareRoot() }
      let correction = Float(count) / Float(count - 1)
      return (squares / Double(count) * Double(correction)).squareRoot()
    }
  }

  /// The sample deviation of the rewards without one of them, nil where fewer than two are left.
  ///
  /// From Σ_(j≠i)(r_j − b_i)² = Σ_j(r_j − r̄)² − n/(n − 1)·(r_i − r̄)², in O(1).
  func deviationOfOthers(than value: Double) -> Double? {
    guard count > 2 else { return nil }
    let least = value == sorted[0] ? sorted[1] : sorted[0]
    let greatest = value == sorted[count - 1] ? sorted[count - 2] : sorted[count - 1]
    if greatest - least <= rounding { return 0 }
    let n = Double(count)
    let others = squares - (value - mean) * (value - mean) * n / (n - 1)
    return (max(others, 0) / (n - 2)).squareRoot()
  }
}
