import Foundation
import Rollouts
import Tensors
import Testing
import Transformer

@testable import Training

@Suite("Runs and folders held against each other")
struct VerificationTests {
  private func run(
    _ root: TemporaryFolder, _ name: String, metrics: [JSONObject],
    change: (Parameters) -> Void = { _ in }
  ) throws -> RunFolder {
    let folder = RunFolder(root[name])
    let model = try SmallPolicy().model
    change(model.parameters)
    for place in [folder.checkpoint(step: 2), folder.final] {
      try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
      try model.parameters.write(to: place.appendingPathComponent("model.safetensors"))
    }
    let lines = metrics.map { JSONValue.object($0).jsonText + "\n" }.joined()
    try Data(lines.utf8).write(to: folder.metrics)
    return folder
  }

  private static let metrics: [JSONObject] = [
    ["step": 1, "loss": 0.5, "time/step": 1], ["step": 2, "loss": 0.25, "time/step": 1],
  ]

  @Test("runs that differ in times alone are the same")
  func same() throws {
    let root = try TemporaryFolder()
    var later = Self.metrics
    later[1]["time/step"] = 7
    let a = try run(root, "a", metrics: Self.metrics)
    let b = try run(root, "b", metrics: later)
    #expect(try RunComparison(a, b).firstDifference() == nil)
  }

  @Test("a metric that differs is named with its step")
  func metric() throws {
    let root = try TemporaryFolder()
    var other = Self.metrics
    other[1]["loss"] = 0.75
    let a = try run(root, "a", metrics: Self.metrics)
    let b = try run(root, "b", metrics: other)
    let difference = try #require(try RunComparison(a, b).firstDifference())
    #expect(difference.description.contains("loss") && difference.description.contains("step 2"))
    let c = try run(root, "c", metrics: [Self.metrics[0]])
    let shorter = try #require(try RunComparison(a, c).firstDifference())
    #expect(shorter.description == "line 2 of metrics.jsonl is only in the first run")
  }

  @Test("a weight that differs is named with its checkpoint, tensor and element")
  func weight() throws {
    let root = try TemporaryFolder()
    let a = try run(root, "a", metrics: Self.metrics)
    let b = try run(root, "b", metrics: Self.metrics) { parameters in
      guard let tensor = parameters.tensors.last(where: { $0.shape.count == 2 }) else { return }
      var values = tensor.values
      values[tensor.shape[1] + 3] += 1
      tensor.storage.fill(from: values)
    }
    let difference = try #require(try RunComparison(a, b).firstDifference())
    #expect(difference.place.contains("[1, 3] in model.safetensors after step 2"))
  }

  @Test("a folder is held against its own fingerprints")
  func folder() throws {
    let root = try TemporaryFolder()
    #expect(throws: CheckpointError.self) { try FolderVerification(of: root.url) }
    // A named pipe that nobody writes to is no record, and is not waited for.
    for name in ["provenance.json", "trainer.json"] { mkfifo(root[name].path, 0o600) }
    #expect(throws: CheckpointError.self) { try FolderVerification(of: root.url) }
    for name in ["provenance.json", "trainer.json"] { unlink(root[name].path) }
    try Data("weights".utf8).write(to: root["model.safetensors"])
    try Data("words".utf8).write(to: root["tokenizer.json"])
    try Provenance.write(["seed": 7], to: root.url)
    let whole = try FolderVerification(of: root.url)
    #expect(whole.isIntact && whole.record == "provenance.json" && whole.files.count == 3)
    try Data("weightz".utf8).write(to: root["model.safetensors"])
    try FileManager.default.removeItem(at: root["tokenizer.json"])
    let damaged = try FolderVerification(of: root.url)
    #expect(damaged.files.map(\.state) == [.intact, .damaged, .missing])
    let text = try String(contentsOf: root["provenance.json"], encoding: .utf8)
    try text.replacing("7", with: "8", maxReplacements: 1)
      .write(to: root["provenance.json"], atomically: true, encoding: .utf8)
    #expect(try FolderVerification(of: root.url).files[0].state == .damaged)
  }
}
