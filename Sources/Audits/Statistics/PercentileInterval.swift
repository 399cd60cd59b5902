import Rollouts

/// The middle 95% of what resamples gave (Efron 1979).
enum PercentileInterval {
  /// The interval; nil where fewer than ten resamples had a value.
  static func of(_ draws: [Double]) -> ClosedRange<Double>? {
    guard draws.count >= 10 else { return nil }
    let sorted = draws.sorted()
    let last = Double(sorted.count - 1)
    let low = Int(clamping: 0.025 * last)
    let high = Int(clamping: (0.975 * last).rounded(.up))
    return sorted[low]...sorted[high]
  }
}
