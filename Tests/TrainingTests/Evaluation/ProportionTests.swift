import Testing

@testable import Audits
@testable import Training

@Suite("Shares of right answers")
struct ProportionTests {
  /// statsmodels.stats.proportion.proportion_confint(c, n, method="wilson").
  @Test(
    "Wilson's interval",
    arguments: [
      (8, 10, 0.4901625, 0.9433178), (0, 10, 0.0, 0.2775328), (0, 12, 0.0, 0.2424940),
      (10, 10, 0.7224672, 1.0),
      (1, 2, 0.0945312, 0.9054688), (450, 500, 0.8705781, 0.9233224),
    ])
  func wilson(successes: Int, trials: Int, lower: Double, upper: Double) {
    let interval = ProportionInterval(successes: successes, trials: trials)
    #expect(abs(interval.lower - lower) < 2e-6 && abs(interval.upper - upper) < 2e-6)
    // Nothing right and everything right are exact.
    #expect((interval.lower == 0) == (successes == 0))
    #expect((interval.upper == 1) == (successes == trials))
    #expect(interval.share == Double(successes) / Double(trials))
  }

  @Test("no trials say nothing")
  func nothing() {
    let interval = ProportionInterval(successes: 0, trials: 0)
    #expect(interval.lower == 0 && interval.upper == 1)
  }

  /// 1 − C(n−c, k)/C(n, k), counted over all subsets.
  @Test("pass@k is the share of subsets with a right answer")
  func passAtKBySubsets() {
    let n = 7
    for c in 0...n {
      for k in 1...n {
        var hits = 0
        var subsets = 0
        for subset in 0..<(1 << n) where subset.nonzeroBitCount == k {
          subsets += 1
          if subset & ((1 << c) - 1) != 0 { hits += 1 }
        }
        let want = Double(hits) / Double(subsets)
        #expect(abs(passAtK(k, correct: c, of: n) - want) < 1e-12, "k \(k), c \(c)")
      }
    }
  }
}
