import Foundation
import PolicyOptimization
import Rollouts
import TestSupport
import Testing

/// TRL's own output in float64 over 55 settings (`golden/README.md`).
private enum Golden {
  static let folder = "golden/objectives"
  static let exists = SharedFiles.has("\(folder)/expected.json")

  static func json(_ file: String) throws -> JSONValue {
    try JSONValue.parse(bytes: Array(Data(contentsOf: SharedFiles.url("\(folder)/\(file)"))))
  }

  static let indices: Range<Int> = {
    guard exists, let results = try? json("expected.json")["results"]?.array else { return 0..<0 }
    return 0..<results.count
  }()
}

/// All numbers of nested lists; null is left out.
private func flat(_ value: JSONValue?) -> [Double] {
  guard let value else { return [] }
  return value.array?.flatMap { flat($0) } ?? value.double.map { [$0] } ?? []
}

@Suite("TRL's golden objectives", .enabled(if: Golden.exists, "needs shared/golden/objectives"))
struct GoldenObjectivesTests {
  // The tolerances are the issue's: TRL's constants emulated agree to 1e-7, a pure double
  // implementation to the 3e-8 (here) … 2e-7 (groups of 64) that its float32 constants are off.
  @Test("loss, advantages and gradients", arguments: Golden.indices, [true, false])
  func agrees(index: Int, inFloat32: Bool) throws {
    let expected = try #require(try Golden.json("expected.json")["results"]?.array?[index])
    let numbers = try ObjectiveCase(Golden.json("case.json"))
    var settings = Preset.trl.settings
    settings.float32Constants = inFloat32
    let config = try #require(expected["config"]?.object)
    let result = try CaseRun(numbers, config: config, over: settings).result()
    let tolerance = inFloat32 ? 1e-7 : 1e-6
    for key in ["loss", "advantages", "micro_losses"] {
      #expect(isClose(flat(result[key]), flat(expected[key]), tolerance), "\(key) of \(config)")
    }
    for key in ["grad_policy_logps", "grad_entropies"] {
      #expect(isClose(flat(result[key]), flat(expected[key]), 1e-6), "\(key) of \(config)")
    }
    #expect(result["mask"] == expected["mask"])
    #expect(result["num_items_in_batch"] == expected["num_items_in_batch"])
    #expect(result["grad_entropies"]?.isNull == expected["grad_entropies"]?.isNull)
  }

  // TRL's metrics are float32; where a group's rewards are equal and the baseline is the batch's,
  // its advantages are ±1e-17, which it counts as clipped and we as 0.
  @Test("metrics under TRL's names", arguments: Golden.indices)
  func metrics(index: Int) throws {
    let expected = try #require(try Golden.json("expected.json")["results"]?.array?[index])
    let config = try #require(expected["config"]?.object)
    let result = try CaseRun(
      ObjectiveCase(Golden.json("case.json")), config: config, over: Preset.trl.settings
    ).result()
    let countsRounding = config["multi_objective_aggregation"] != nil
    for (name, value) in try #require(expected["metrics"]?.object) {
      if countsRounding && name.hasPrefix("clip_ratio") { continue }
      #expect(
        isClose(flat(result["metrics"]?[name]), flat(value), 1e-6), "\(name) of \(config)")
    }
  }
}
