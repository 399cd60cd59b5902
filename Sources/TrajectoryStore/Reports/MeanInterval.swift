/// The mean of a few runs with its 95% confidence interval: x̄ ± t₀.₉₇₅(n − 1) · s / √n.
///
/// Student's t, since a sweep has few seeds; s divides by n − 1. One run has no interval. Source: Student 1908;
/// quantiles as in NIST's table of t, four digits.
struct MeanInterval: Equatable {
  let mean: Double
  let lower: Double?
  let upper: Double?

  /// Nil where there are no values.
  init?(_ values: [Double]) {
    guard !values.isEmpty else { return nil }
    let count = Double(values.count)
    let mean = values.reduce(0, +) / count
    self.mean = mean
    guard values.count > 1 else {
      (lower, upper) = (nil, nil)
      return
    }
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)
    let half = Self.quantile(values.count - 1) * (variance / count).squareRoot()
    (lower, upper) = (mean - half, mean + half)
  }

  /// t₀.₉₇₅ of 1, 2, … degrees of freedom.
  private static let quantiles = [
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281, 2.2010,
    2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860, 2.0796, 2.0739,
    2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423,
  ]

  private static func quantile(_ degrees: Int) -> Double {
    degrees <= quantiles.count ? quantiles[degrees - 1] : 1.96 + 2.4 / Double(degrees)
  }
}
