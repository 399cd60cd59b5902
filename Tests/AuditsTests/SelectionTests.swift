import Foundation
import Testing

@testable import Audits

@Suite("Kinds, learning value, canaries")
struct SelectionTests {
  private static let texts: [String] =
    (0..<20).map { "What is \(11 * $0 + 3) + \($0 + 40)?" }
    + (0..<10).map { "Translate the word number \($0) into German, please." }
    + (0..<5).map { "def f\($0)(x): return x * \($0)" }

  @Test("Texts of three makes are three kinds, the largest first; the same seed the same kinds")
  func kinds() {
    let vectors = TextVectors(Self.texts)
    let kinds = vectors.kinds(3, seed: 1)
    #expect(
      kinds == [Int](repeating: 0, count: 20) + [Int](repeating: 1, count: 10)
        + [Int](repeating: 2, count: 5))
    #expect(vectors.kinds(3, seed: 1) == kinds)
    #expect(TextVectors([]).kinds(3, seed: 1) == [])
    #expect(TextVectors(["", "", ""]).kinds(5, seed: 1) == [0, 0, 0])
  }

  @Test("Farthest first takes one of each kind before it repeats one")
  func novelty() {
    let order = TextVectors(Self.texts).farthestFirst(3)
    #expect(Set(order.map { $0 < 20 ? 0 : $0 < 30 ? 1 : 2 }) == [0, 1, 2])
    #expect(Set(TextVectors(Self.texts).farthestFirst(99)).count == 35)
    #expect(TextVectors(["a", "a", "a"]).farthestFirst(3) == [0, 1, 2])
  }

  @Test("The learning value is the posterior mean of p (1 − p)")
  func value() {
    #expect(abs(LearningValue.expected(solved: 0, of: 0) - 1.0 / 6) < 1e-15)
    // By Simpson's rule over the density of Beta(4, 3), 60 p³ (1 − p)².
    let steps = 2000
    let sum = (0...steps).reduce(0.0) { sum, index in
      let p = Double(index) / Double(steps)
      let weight = index == 0 || index == steps ? 1.0 : index.isMultiple(of: 2) ? 2 : 4
      return sum + weight * 60 * pow(p, 4) * pow(1 - p, 3)
    }
    #expect(abs(LearningValue.expected(solved: 3, of: 5) - sum / (3 * Double(steps))) < 1e-9)
    #expect(LearningValue.expected(solved: 4, of: 4) < 1.0 / 6)
    #expect(LearningValue.best([0.1, 0.3, 0.3, 0.2], count: 3) == [1, 2, 3])
    #expect(
      LearningValue.balanced([0.1, 0.3, 0.3, 0.2], kinds: [0, 0, 0, 1], count: 3) == [1, 3, 2])
  }

  @Test("Canaries are functions of the seed; candidates are all others, or distinct random ones")
  func canaries() {
    let canaries = Canary.make(4, copies: [0, 3], digits: 2, template: "Code {}:", seed: 7)
    #expect(canaries.map(\.copies) == [0, 3, 0, 3] && canaries[1].prompt == "Code 2:")
    #expect(canaries == Canary.make(4, copies: [0, 3], digits: 2, template: "Code {}:", seed: 7))
    let all = canaries[0].candidates(limit: 99, seed: 1)
    #expect(all.isComplete && Set(all.secrets).count == 99)
    let some = Canary(prompt: "", secret: "123456", copies: 1).candidates(limit: 50, seed: 1)
    #expect(!some.isComplete && Set(some.secrets).count == 50 && !some.secrets.contains("123456"))
  }

  @Test("Exposure by its definition")
  func exposure() {
    let known = Exposure(secret: -1, candidates: (0..<1023).map { -2 - Double($0) })
    #expect(known.rank == 1 && known.bits == 10 && known.pValue == 1.0 / 1024)
    let last = Exposure(secret: -9, candidates: [-1, -9])
    #expect(last.rank == 3 && last.bits == 0)
  }
}
