import Foundation
import Testing

@testable import PolicyOptimization

@Suite("docs/objective.md")
struct DocumentationTests {
  private static let text: String? = {
    let package = URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    return try? String(
      contentsOf: package.appendingPathComponent("docs/objective.md"), encoding: .utf8)
  }()

  @Test("names every setting, choice, preset and metric")
  func complete() throws {
    let text = try #require(Self.text)
    for key in ObjectiveKey.all {
      #expect(text.contains("`\(key.name)`"), "setting \(key.name)")
      if case .choice(let names) = key.kind, key.name != "importance_sampling_mode" {
        for name in names { #expect(text.contains("`\(name)`"), "choice \(name) of \(key.name)") }
      }
    }
    for preset in Preset.allCases { #expect(text.contains("| `\(preset.rawValue)` |")) }
    var statistics = UpdateStatistics()
    statistics.tokens = 1
    statistics.hasEntropy = true
    statistics.mismatch.add(0)
    statistics.samplerWeights.add(1)
    for loss in LossType.allCases {
      let settings = ObjectiveSettings().with {
        $0.lossType = loss
        $0.beta = 1
        $0.entropyCoefficient = 1
        $0.topEntropyQuantile = 0.5
      }
      for metric in statistics.metrics(settings) {
        let family = metric.name.replacingOccurrences(
          of: "/(max|mean)$", with: "", options: .regularExpression)
        #expect(text.contains(family), "metric \(metric.name)")
      }
    }
  }
}
