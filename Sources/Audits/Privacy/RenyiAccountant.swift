// What Gaussian noise on sampled gradients protects: (ε, δ) by Rényi differential privacy.
//
// A step draws each unit with probability q (Poisson), clips its gradient to norm C, and adds N(0, σ²C²) to the sum. Its
// Rényi divergence of order α is ≤ log A(α) / (α − 1), with, for whole α,
//
//   A(α) = Σ_{k=0}^{α} C(α, k) (1 − q)^{α−k} q^k exp((k² − k) / 2σ²)
//
// and for other α the two series of Mironov et al., section 3.3. Orders add over steps, and
//
//   ε = min over α of  T·rdp(α) + log((α − 1)/α) − (log δ + log α) / (α − 1)
//
// Sources: Mironov, Talwar and Zhang 2019, arXiv 1908.10530; the conversion is proposition 12 of Canonne, Kamath and
// Steinke 2020, arXiv 2004.00010. Opacus computes the same, to which a test holds it; Google's dp-accounting sums the
// series of other than whole orders without their signs, which is an upper bound.

import Foundation

/// Adds up what the steps of differentially private training give away.
public struct RenyiAccountant: Sendable, Equatable {
  /// The orders at which the divergence is kept: 1.1 to 10.9 by tenths, 11 to 63, and four large ones.
  public static let orders: [Double] = {
    let tenths: [Double] = (1...99).map { 1 + Double($0) / 10 }
    let whole: [Double] = (11...63).map { Double($0) }
    return tenths + whole + [128, 256, 512, 1024]
  }()

  /// The divergence so far, by order.
  public private(set) var divergences = [Double](repeating: 0, count: Self.orders.count)

  /// An accountant that has seen nothing.
  public init() {}

  /// Adds steps.
  /// - Parameters:
  ///   - count: How many.
  ///   - noiseMultiplier: σ, the noise by the clipping norm; 0 protects nothing.
  ///   - samplingRate: q, the probability that a unit is drawn, from 0 to 1.
  public mutating func add(steps count: Int, noiseMultiplier: Double, samplingRate: Double) {
    guard count > 0, samplingRate > 0 else { return }
    for (index, order) in Self.orders.enumerated() {
      divergences[index] +=
        Double(count) * Self.divergence(order, noise: noiseMultiplier, rate: samplingRate)
    }
  }

  /// The least ε at a δ, with the order that gives it.
  public func epsilon(delta: Double) -> (epsilon: Double, order: Double) {
    guard divergences.contains(where: { $0 > 0 }) else { return (0, Self.orders[0]) }
    var best = (epsilon: Double.infinity, order: Self.orders[0])
    for (order, divergence) in zip(Self.orders, divergences) {
      let epsilon =
        divergence + log1p(-1 / order) - (log(delta) + log(order)) / (order - 1)
      if epsilon < best.epsilon { best = (max(0, epsilon), order) }
    }
    return best
  }

  /// The Rényi divergence of one step.
  static func divergence(_ order: Double, noise: Double, rate: Double) -> Double {
    // So little noise that its square is 0 protects nothing.
    guard noise * noise > 0 else { return .infinity }
    if rate >= 1 { return order / (2 * noise * noise) }
    let floor = order.rounded(.down)
    if order == floor { return max(0, wholeMoment(order, noise, rate)) / (order - 1) }
    // The divergence grows with the order: below that of the whole order beneath, the series has cancelled out.
    let moment = fractionalMoment(order, noise, rate)
    guard moment.isFinite, moment > -1e-6, floor >= 2 || noise >= 0.1 else { return .infinity }
    let divergence = max(0, moment) / (order - 1)
    guard floor >= 2 else { return divergence }
    return max(divergence, max(0, wholeMoment(floor, noise, rate)) / (floor - 1))
  }

  /// log A(α) of a whole order.
  private static func wholeMoment(_ order: Double, _ noise: Double, _ rate: Double) -> Double {
    var sum = -Double.infinity
    for k in stride(from: 0.0, through: order, by: 1) {
      let binomial: Double = lgamma(order + 1) - lgamma(k + 1) - lgamma(order - k + 1)
      let drawn: Double = k * log(rate) + (order - k) * log1p(-rate)
      let term: Double = binomial + drawn + (k * k - k) / (2 * noise * noise)
      sum = logSum(sum, term)
    }
    return sum
  }

  /// log A(α) of any other order: two alternating series, summed until their terms vanish.
  private static func fractionalMoment(_ order: Double, _ noise: Double, _ rate: Double) -> Double {
    let variance = noise * noise
    let split = variance * log(1 / rate - 1) + 0.5
    let scale = 2.0.squareRoot() * noise
    var sums = (-Double.infinity, -Double.infinity)
    var coefficient = (sign: 1.0, logarithm: 0.0)
    for index in 0..<10_000 {
      let i = Double(index)
      let j = order - i
      let base: Double = coefficient.logarithm - log(2)
      let firstDrawn: Double = i * log(rate) + j * log1p(-rate)
      let secondDrawn: Double = j * log(rate) + i * log1p(-rate)
      let firstTail: Double = (i * i - i) / (2 * variance) + logErfc((i - split) / scale)
      let secondTail: Double = (j * j - j) / (2 * variance) + logErfc((split - j) / scale)
      let first = base + firstDrawn + firstTail
      let second = base + secondDrawn + secondTail
      if coefficient.sign > 0 {
        sums = (logSum(sums.0, first), logSum(sums.1, second))
      } else {
        sums = (logDifference(sums.0, first), logDifference(sums.1, second))
      }
      if max(first, second) < -30, i > order { break }
      // C(α, i + 1) = C(α, i) (α − i) / (i + 1)
      coefficient.sign *= j < 0 ? -1 : 1
      coefficient.logarithm += log(j.magnitude) - log(i + 1)
    }
    return logSum(sums.0, sums.1)
  }

  private static func logSum(_ a: Double, _ b: Double) -> Double {
    let (least, greatest) = (min(a, b), max(a, b))
    return least == -.infinity ? greatest : greatest + log1p(exp(least - greatest))
  }

  private static func logDifference(_ a: Double, _ b: Double) -> Double {
    if b == -.infinity { return a }
    return a > b ? a + log1p(-exp(b - a)) : -.infinity
  }

  /// log erfc(x), by its asymptotic series where erfc itself would vanish.
  private static func logErfc(_ x: Double) -> Double {
    guard x > 20 else { return log(erfc(x)) }
    let square = x * x
    let inverse: Double = 1 / (2 * square)
    let series: Double = 1 - inverse * (1 - 3 * inverse * (1 - 5 * inverse))
    return -square - log(x) - 0.5 * log(Double.pi) + log(series)
  }

  /// The least noise multiplier whose steps stay within ε at δ, to three digits; nil where even 10⁶ does not.
  public static func noiseMultiplier(
    epsilon: Double, delta: Double, steps: Int, samplingRate: Double
  ) -> Double? {
    func isEnough(_ noise: Double) -> Bool {
      var accountant = RenyiAccountant()
      accountant.add(steps: steps, noiseMultiplier: noise, samplingRate: samplingRate)
      return accountant.epsilon(delta: delta).epsilon <= epsilon
    }
    var high = 1.0
    while !isEnough(high) {
      high *= 2
      if high > 1e6 { return nil }
    }
    var low = 0.0
    while high - low > 5e-4 * high {
      let middle = (low + high) / 2
      if isEnough(middle) { high = middle } else { low = middle }
    }
    return high
  }
}
