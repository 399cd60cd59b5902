import Foundation

/// A share of successes with its Wilson score interval.
///
///     centre = (p̂ + z²/2n) / (1 + z²/n),   half = z √(p̂(1−p̂)/n + z²/4n²) / (1 + z²/n)
///
/// At 0 or n successes it still has a width, unlike the normal interval. Source: Wilson 1927.
public struct ProportionInterval: Sendable, Equatable {
  /// Successes over trials; 0 where there are no trials.
  public let share: Double
  /// The lower end.
  public let lower: Double
  /// The upper end.
  public let upper: Double

  /// The interval of `successes` in `trials` at 95% (z = 1.96).
  public init(successes: Int, trials: Int) {
    guard trials > 0 else {
      (share, lower, upper) = (0, 0, 1)
      return
    }
    let z = 1.959963984540054
    let n = Double(trials)
    let p = Double(successes) / n
    let scale = 1 / (1 + z * z / n)
    let centre = (p + z * z / (2 * n)) * scale
    let half = z * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot() * scale
    share = p
    // At the ends the two terms cancel up to rounding.
    lower = successes == 0 ? 0 : max(0, centre - half)
    upper = successes == trials ? 1 : min(1, centre + half)
  }
}

/// The chance that at least one of k samples is right, without bias, from n samples of which c are.
///
///     pass@k = 1 − C(n−c, k) / C(n, k) = 1 − Π_{i=n−c+1}^{n} (1 − k/i)
///
/// Source: Chen et al. 2021, arXiv 2107.03374, equation 1.
public func passAtK(_ k: Int, correct c: Int, of n: Int) -> Double {
  precondition(k <= n && c <= n, "k and c are at most n")
  if n - c < k { return 1 }
  var miss = 1.0
  for i in (n - c + 1)..<(n + 1) where c > 0 { miss *= 1 - Double(k) / Double(i) }
  return 1 - miss
}
