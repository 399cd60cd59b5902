import Foundation
import Testing

@testable import Audits

@Suite("Rényi accountant")
struct RenyiAccountantTests {
  /// (σ, q, steps, δ, ε and order by Opacus 1.6, ε by dp-accounting 0.6); Tests/Reference/audits/accountant.py printed it.
  private static let known: [(Double, Double, Int, Double, Double, Double, Double)] = [
    (1.1, 0.01, 1000, 1e-05, 1.711770091, 9.6, 1.711770166),
    (0.8, 0.05, 200, 1e-05, 8.731829932, 2.9, 8.743239136),
    (2.0, 0.25, 64, 1e-06, 6.186593366, 4.7, 6.190468698),
    (4.0, 1.0, 100, 1e-05, 14.13222616, 2.8, 14.13222616),
    (0.6, 0.002, 5000, 1e-07, 5.902970117, 3.9, 5.903249295),
    (10.0, 0.5, 3000, 1e-05, 15.90630514, 2.7, 16.12230912),
    (1.0, 0.0123, 1, 0.0001, 0.7390786368, 9.5, 0.7390786379),
    (0.4, 0.1, 50, 0.001, 31.73542693, 1.4, 39.54511474),
  ]

  @Test(
    "ε and its order as Opacus has them, and within dp-accounting's bound", arguments: known.indices
  )
  func peers(_ index: Int) {
    let (noise, rate, steps, delta, epsilon, order, bound) = Self.known[index]
    var accountant = RenyiAccountant()
    accountant.add(steps: steps, noiseMultiplier: noise, samplingRate: rate)
    let found = accountant.epsilon(delta: delta)
    #expect(abs(found.epsilon - epsilon) < 1e-8 * epsilon, "\(found)")
    #expect(abs(found.order - order) < 1e-9)
    #expect(found.epsilon < bound * (1 + 1e-8))
  }

  @Test("A whole order's sum and the series of other orders meet")
  func continuity() {
    for (noise, rate) in [(1.1, 0.01), (0.7, 0.1), (3.0, 0.4)] {
      let whole = RenyiAccountant.divergence(5, noise: noise, rate: rate)
      let near = RenyiAccountant.divergence(5 + 1e-7, noise: noise, rate: rate)
      #expect(abs(whole - near) < 1e-5 * whole)
    }
  }

  @Test("Nothing drawn gives nothing away, no noise gives all, more steps give more")
  func limits() {
    var accountant = RenyiAccountant()
    #expect(accountant.epsilon(delta: 1e-5).epsilon == 0)
    accountant.add(steps: 100, noiseMultiplier: 1, samplingRate: 0)
    #expect(accountant.epsilon(delta: 1e-5).epsilon == 0)
    accountant.add(steps: 10, noiseMultiplier: 1, samplingRate: 0.1)
    let ten = accountant.epsilon(delta: 1e-5).epsilon
    accountant.add(steps: 10, noiseMultiplier: 1, samplingRate: 0.1)
    #expect(accountant.epsilon(delta: 1e-5).epsilon > ten && ten > 0)
    accountant.add(steps: 1, noiseMultiplier: 0, samplingRate: 0.1)
    #expect(accountant.epsilon(delta: 1e-5).epsilon == .infinity)
  }

  @Test("Noise and rates at the ends of what a number holds give no false comfort")
  func extremes() {
    let least = Double.leastNonzeroMagnitude
    for (noise, rate) in [(1e-200, 0.1), (1e-6, 0.5), (least, 0.999_999), (1, 1 - 1e-16)] {
      var accountant = RenyiAccountant()
      accountant.add(steps: 1, noiseMultiplier: noise, samplingRate: rate)
      #expect(accountant.epsilon(delta: 1e-5).epsilon > 1, "\(noise) \(rate)")
    }
    var accountant = RenyiAccountant()
    accountant.add(steps: 1, noiseMultiplier: 1, samplingRate: least)
    #expect(accountant.epsilon(delta: 1e-5).epsilon < 1)
  }

  @Test("The noise that an ε needs is the least that keeps within it")
  func calibration() throws {
    let noise = try #require(
      RenyiAccountant.noiseMultiplier(epsilon: 2, delta: 1e-5, steps: 500, samplingRate: 0.02))
    func epsilon(_ noise: Double) -> Double {
      var accountant = RenyiAccountant()
      accountant.add(steps: 500, noiseMultiplier: noise, samplingRate: 0.02)
      return accountant.epsilon(delta: 1e-5).epsilon
    }
    #expect(epsilon(noise) <= 2 && epsilon(noise * 0.998) > 2)
    #expect(
      RenyiAccountant.noiseMultiplier(epsilon: 0, delta: 1e-5, steps: 1, samplingRate: 1) == nil)
  }
}
