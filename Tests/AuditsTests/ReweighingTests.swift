import Foundation
import Rollouts
import Testing

@testable import Audits

@Suite("Reweighing")
struct ReweighingTests {
  @Test("AIF360's weights", arguments: 0..<4)
  func peers(_ number: Int) throws {
    let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("Goldens/fairness.json")
    let cases = try #require(
      try JSONValue.parse(String(contentsOf: url, encoding: .utf8)).array)
    let value = try #require(cases.indices.contains(number) ? cases[number] : nil)
    let groups = try #require(value["groups"]?.array).map { $0.string == "g0" ? "p" : "u" }
    let labels = try #require(value["labels"]?.array).map(\.jsonText)
    let expected = try #require(value["expected"]?["reweighing"]?.array).compactMap(\.double)
    let weights = Reweighing(groups: groups, labels: labels).weights
    #expect(weights.count == expected.count)
    #expect(zip(weights, expected).allSatisfy { abs($0 - $1) < 1e-12 })
  }

  @Test("Rows drawn by it have the same rate of labels in every group")
  func sample() {
    // 300 of a, 70% favourable; 100 of b, 20%.
    let groups = (0..<400).map { $0 < 300 ? "a" : "b" }
    let labels = (0..<400).map { ($0 < 300 ? $0 < 210 : $0 < 320) ? "1" : "0" }
    let reweighing = Reweighing(groups: groups, labels: labels)
    for count in [400, 200, 80] {
      let rows = reweighing.sample(count, seed: 3)
      #expect(rows.count == count)
      func rate(_ group: String) -> Double {
        let members = rows.filter { groups[$0] == group }
        return Double(members.count { labels[$0] == "1" }) / Double(members.count)
      }
      #expect(abs(rate("a") - rate("b")) < 0.03, "\(count)")
      #expect(abs(rate("a") - 230.0 / 400) < 0.02)
    }
    // Nothing is repeated before all of its kind were taken.
    let few = reweighing.sample(80, seed: 3)
    #expect(Set(few).count == few.count)
    #expect(reweighing.sample(80, seed: 3) == few && reweighing.sample(80, seed: 4) != few)
    #expect(Reweighing(groups: [], labels: []).sample(5, seed: 1) == [])
  }
}
