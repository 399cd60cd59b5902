import Foundation
import Testing

@testable import Audits
@testable import Training

@Suite("Two models on the same problems, and votes")
struct ComparisonTests {
  @Test("The sign test against binomial tables")
  func signTest() {
    // Two-sided exact values: 2 · Σ C(n, i) / 2ⁿ.
    #expect(PairedComparison.signTest(0, 0) == 1)
    #expect(abs(PairedComparison.signTest(5, 0) - 2.0 / 32) < 1e-12)
    #expect(abs(PairedComparison.signTest(1, 7) - 2.0 * 9 / 256) < 1e-12)
    #expect(PairedComparison.signTest(4, 4) == 1)
    // In whole numbers: 2 · Σ_{i ≤ 60} C(140, i) / 2¹⁴⁰.
    #expect(abs(PairedComparison.signTest(60, 80) - 0.10798762998355274) < 1e-10)
    // Far in the tail nothing overflows.
    #expect(PairedComparison.signTest(3000, 5000) > 0)
  }

  @Test("Wins, losses and ties, and an interval about the mean difference")
  func comparison() {
    let first: [Double] = [1, 1, 0, 0, 1, 0.5]
    let second: [Double] = [0, 0, 1, 0, 1, 0.25]
    let result = PairedComparison(first: first, second: second, seed: 7)
    #expect((result.wins, result.losses, result.ties) == (3, 1, 2))
    #expect(abs(result.meanDifference - 1.25 / 6) < 1e-12)
    #expect(result.interval.contains(result.meanDifference))
    #expect(result == PairedComparison(first: first, second: second, seed: 7))
    let same = PairedComparison(first: first, second: first, seed: 7)
    #expect(same.interval == 0...0)
  }

  @Test("The most frequent answer votes; of equals the first")
  func majority() {
    #expect(majorityIsRight(answers: ["a", "b", "b"], isRight: [true, false, false]) == false)
    #expect(majorityIsRight(answers: ["a", "b", "b", "a"], isRight: [true, false, false, true]))
    #expect(majorityIsRight(answers: ["a", "b"], isRight: [false, true]) == false)
    #expect(majorityIsRight(answers: [String](), isRight: []) == false)
  }
}
