import Foundation
import PolicyOptimization
import Rollouts
import Synchronization
import Testing
import TrajectoryStore
import Transformer

@testable import Training

@Suite("Files of a run")
struct RunFilesTests {
  // MARK: metrics.jsonl

  private func metrics(_ text: String, through step: Int) throws -> String {
    let folder = try TemporaryFolder()
    try Data(text.utf8).write(to: folder["metrics.jsonl"])
    let log = try MetricsLog(folder["metrics.jsonl"], keepingStepsThrough: step)
    try log.append(step: 99, ["b": 1, "a": 0.5])
    try log.synchronize()
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
    #expect(names == ["metrics.jsonl"])
    return try String(contentsOf: folder["metrics.jsonl"], encoding: .utf8)
  }

  private static let lines = [
    "{\"step\":0,\"eval_reward\":1}", "{\"step\":1,\"loss\":1}",
    "{\"step\":2,\"loss\":2}", "{\"step\":2,\"eval_reward\":3}", "{\"step\":3,\"loss\":4}",
  ]
  private static let appended = "{\"step\":99,\"a\":0.5,\"b\":1.0}\n"

  @Test(
    "metrics are cut back to the step that training continues from",
    arguments: [(-1, 0), (0, 0), (1, 2), (2, 3), (3, 5), (9, 5)])
  func cut(step: Int, kept: Int) throws {
    let text = try metrics(Self.lines.map { $0 + "\n" }.joined(), through: step)
    #expect(text == Self.lines.prefix(kept).map { $0 + "\n" }.joined() + Self.appended)
  }

  @Test("a torn line goes with what follows it")
  func torn() throws {
    let text = Self.lines[1] + "\n{\"step\":2,\"lo"
    #expect(try metrics(text, through: 5) == Self.lines[1] + "\n" + Self.appended)
    #expect(try metrics("", through: 5) == Self.appended)
  }

  @Test("a file that is deleted, moved or replaced while it is written is there again, whole")
  func restored() throws {
    let folder = try TemporaryFolder()
    let file = folder["metrics.jsonl"]
    final class Said: @unchecked Sendable { var sentences: [String] = [] }
    let said = Said()
    let log = try MetricsLog(file, keepingStepsThrough: -1) { said.sentences.append($0) }
    try log.append(step: 1, ["a": 1])
    try FileManager.default.removeItem(at: file)
    try log.append(step: 2, ["a": 2])
    try FileManager.default.moveItem(at: file, to: folder["elsewhere"])
    try Data("not ours".utf8).write(to: file)
    try log.append(step: 3, ["a": 3])
    try log.append(step: 4, ["a": 4])
    #expect(
      try String(contentsOf: file, encoding: .utf8)
        == (1...4).map { "{\"step\":\($0),\"a\":\($0).0}\n" }.joined())
    #expect(said.sentences.count == 2 && said.sentences[0].contains("metrics.jsonl was deleted"))
  }

  // MARK: The folder

  @Test("a run's name is a folder under runs/, a path is itself")
  func names() {
    #expect(RunFolder.named("first").url.path.hasSuffix("/runs/first"))
    #expect(RunFolder.named("/tmp/x/first").url.path == "/tmp/x/first")
    #expect(RunFolder.named("./first").url.path.hasSuffix("/first"))
    let folder = RunFolder(URL(fileURLWithPath: "/r"))
    #expect(folder.checkpoint(step: 7).path == "/r/checkpoints/step-000007")
    #expect(folder.checkpoint(step: 12_345_678).path == "/r/checkpoints/step-12345678")
  }

  @Test("checkpoints are listed by step; what is not whole is no checkpoint and is removed")
  func checkpoints() throws {
    let root = try TemporaryFolder()
    let folder = RunFolder(root.url)
    #expect(folder.checkpointSteps.isEmpty)
    for name in ["step-000100", "step-000020", "step-000300.partial", "other"] {
      try FileManager.default.createDirectory(
        at: folder.checkpoints.appendingPathComponent(name), withIntermediateDirectories: true)
    }
    #expect(folder.checkpointSteps == [20, 100])
    try Data().write(to: root["config.json.partial"])
    folder.removeUnfinished()
    let left = try FileManager.default.contentsOfDirectory(atPath: folder.checkpoints.path)
    #expect(left.sorted() == ["other", "step-000020", "step-000100"])
    #expect(!FileManager.default.fileExists(atPath: root["config.json.partial"].path))
  }

  @Test("what a kill left between the renames of an exchange is put right")
  func exchanges() throws {
    let root = try TemporaryFolder()
    let folder = RunFolder(root.url)
    func make(_ name: String, _ text: String) throws {
      let inner = folder.checkpoints.appendingPathComponent(name)
      try FileManager.default.createDirectory(at: inner, withIntermediateDirectories: true)
      try Data(text.utf8).write(to: inner.appendingPathComponent("file"))
    }
    // The old one stands aside and the new one has no place yet; then both have moved.
    try make("step-000001.old", "old")
    try make("step-000001.partial", "new")
    try make("step-000002.old", "old")
    try make("step-000002", "new")
    try make("others.old", "theirs")
    folder.removeUnfinished()
    let left = try FileManager.default.contentsOfDirectory(atPath: folder.checkpoints.path)
    #expect(left.sorted() == ["others.old", "step-000001", "step-000002"])
    func text(_ step: Int) throws -> String {
      try String(
        contentsOf: folder.checkpoint(step: step).appendingPathComponent("file"), encoding: .utf8)
    }
    #expect(try text(1) == "old" && text(2) == "new")
  }

  @Test("settings that were written aside go, whatever process or container wrote them")
  func aside() throws {
    let root = try TemporaryFolder()
    // Process 1 lives, and so may one that has got the number of a killed one.
    for name in ["config.json.1.partial", "config.json.7A.partial", "config.json.partial.partial"] {
      try Data().write(to: root[name])
    }
    RunFolder(root.url).removeUnfinished()
    #expect(try FileManager.default.contentsOfDirectory(atPath: root.url.path) == [])
  }

  @Test("a folder is taken where anything whole is in it")
  func taken() throws {
    let root = try TemporaryFolder()
    #expect(!RunFolder(root.url).isTaken)
    #expect(!RunFolder(root["missing"]).isTaken)
    try Data().write(to: root["config.json.partial"])
    #expect(!RunFolder(root.url).isTaken)
    try Data().write(to: root["config.json"])
    #expect(RunFolder(root.url).isTaken)
    // A file is not overwritten, and other people's unfinished files are not ours.
    #expect(RunFolder(root["config.json"]).isTaken)
    try FileManager.default.removeItem(at: root["config.json"])
    try Data().write(to: root["thesis.partial"])
    #expect(RunFolder(root.url).isTaken)
  }

  @Test("of several that make a file at once, one does")
  func exclusiveFile() throws {
    let root = try TemporaryFolder()
    #expect(try AtomicFile.create("first", at: root["file"]))
    #expect(try !AtomicFile.create("second", at: root["file"]))
    #expect(try String(contentsOf: root["file"], encoding: .utf8) == "first")
    #expect(try FileManager.default.contentsOfDirectory(atPath: root.url.path) == ["file"])
  }

  @Test("those that had begun to make it are told that it is taken, though theirs is removed")
  func exclusiveFileUnderRemoval() throws {
    for _ in 0..<20 {
      let root = try TemporaryFolder()
      let made = Mutex(0)
      let failures = Mutex<[String]>([])
      DispatchQueue.concurrentPerform(iterations: 8) { index in
        do {
          guard try AtomicFile.create("\(index)", at: root["config.json"]) else { return }
          made.withLock { $0 += 1 }
          RunFolder(root.url).removeUnfinished()
        } catch {
          failures.withLock { $0.append("\(error)") }
        }
      }
      #expect(made.withLock { $0 } == 1)
      #expect(failures.withLock { $0 } == [])
      #expect(try FileManager.default.contentsOfDirectory(atPath: root.url.path) == ["config.json"])
    }
  }

  @Test("what is no run is refused in a sentence")
  func notARun() throws {
    let root = try TemporaryFolder()
    let error = #expect(throws: RunFolderError.self) { try RunFolder.find(root.url.path) }
    #expect(try #require(error).description.contains(root.url.path))
  }

  // MARK: Checkpoints

  private func manifest(_ files: [String: String]) -> CheckpointManifest {
    CheckpointManifest(
      step: 5, updates: 10, problemsDrawn: 40, entropy: EntropyController(ObjectiveSettings()),
      configurationHash: "c", programVersion: "1", files: files)
  }

  @Test("a checkpoint is what its manifest says, and any damage to it is seen")
  func damage() throws {
    let folder = try TemporaryFolder()
    try FileManager.default.createDirectory(
      at: folder["reference"], withIntermediateDirectories: false)
    for (name, text) in [("model.safetensors", "weights"), ("reference/m", "others")] {
      try Data(text.utf8).write(to: folder[name])
    }
    let written = manifest(try CheckpointManifest.hashes(of: folder.url))
    #expect(Set(written.files.keys) == ["model.safetensors", "reference/m"])
    let sealed = try written.sealed()
    try sealed.write(to: folder[CheckpointManifest.name])
    #expect(try CheckpointManifest.verified(in: folder.url).files == written.files)

    func reason() throws -> String {
      let error = #expect(throws: CheckpointError.self) {
        try CheckpointManifest.verified(in: folder.url)
      }
      return try #require(error).reason
    }
    // Every digit of the manifest itself is covered by its seal.
    for (place, byte) in sealed.enumerated() where (48...57).contains(byte) {
      var bytes = sealed
      bytes[place] = byte == 48 ? 49 : byte - 1
      try bytes.write(to: folder[CheckpointManifest.name])
      #expect(try reason().contains("trainer.json is damaged"))
    }
    try sealed.write(to: folder[CheckpointManifest.name])
    try Data("weightz".utf8).write(to: folder["model.safetensors"])
    #expect(try reason().contains("model.safetensors is damaged"))
    try Data("weight".utf8).write(to: folder["model.safetensors"])
    #expect(try reason().contains("model.safetensors is damaged"))
    try FileManager.default.removeItem(at: folder["model.safetensors"])
    #expect(try reason().contains("model.safetensors is missing"))
    try Data("{".utf8).write(to: folder[CheckpointManifest.name])
    #expect(try reason().contains("trainer.json"))
    try FileManager.default.removeItem(at: folder[CheckpointManifest.name])
    #expect(try reason().contains("trainer.json"))
  }

  // MARK: Host

  @Test("the record of the host comes back, and what is different now is said once")
  func hostRecord() throws {
    let begun = RunHost(
      threads: 2, compute: "threads: 2\ninstruction set: avx2", microBatchTokens: 2048, clock: 17)
    #expect(RunHost(begun.json) == begun)
    #expect(RunHost(["threads": 2]) == nil)
    #expect(begun.differences(to: begun).isEmpty)
    var now = begun
    now.compute = "threads: 4\ninstruction set: avx2"
    now.microBatchTokens = 512
    let sentence = try #require(begun.differences(to: now).first)
    #expect(sentence.contains("threads was 2 and is 4"))
    #expect(sentence.contains("micro_batch_tokens was 2048 and is 512"))
    #expect(!sentence.contains("avx2"))
    // Of a record that is older than a fact, nothing can be said.
    now = begun
    now.processor = "another"
    #expect(begun.differences(to: now).isEmpty)
    var recorded = begun
    recorded.processor = "one"
    #expect(
      recorded.differences(to: now).first?.contains("processor was one and is another") == true)
  }

  @Test("crash points are off unless one is named")
  func crashPoints() {
    #expect(CrashPoint.parse(nil) == nil)
    #expect(CrashPoint.parse("nowhere") == nil)
    #expect(CrashPoint.parse("") == nil)
    #expect(CrashPoint.parse("cold-start")?.point == .coldStart)
    #expect(CrashPoint.parse("updating:3")?.arrival == 3)
    #expect(CrashPoint.parse("updating")?.arrival == 1)
    CrashPoint.updating.reach()
  }
}
