import Foundation
import TestSupport
import Testing

/// Stopping anywhere and going on changes nothing: `.ci/kill-test` does it thirty times and more.
@Suite("Stop anywhere, resume")
struct StopAndResumeTests {
  private func expectNothingLeftBehind(
    _ run: URL, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let paths = try FileManager.default.subpathsOfDirectory(atPath: run.path)
    let left = paths.filter { $0.hasSuffix(".partial") || $0.hasSuffix(".old") }
    #expect(left.isEmpty, sourceLocation: sourceLocation)
  }

  @Test(
    "killed at a named point, a run goes on as if nothing had been",
    arguments: [
      "creating", "begun", "opening", "started", "cold-start:7", "sampling:20", "scoring:2",
      "logging:3", "updating:4", "noting:4", "evaluated:3", "checkpointing:2", "renaming",
      "renaming:3", "placed:2", "placed:3", "pruning:3", "removing", "finishing", "finished",
    ])
  func crashPoints(point: String) throws {
    // One checkpoint beside the first is kept, so that others are removed.
    let reference = try #require(ShortJob.pruning.result, "\(ShortJob.pruning.said)")
    let folder = try TemporaryFolder()
    let killed = try ShortJob.train(
      "run", in: folder.url, ShortJob.keepingOne, environment: ["GRPO_CRASH_AT": point])
    #expect(killed.code == -SIGKILL, "\(killed.errors)")
    let ended = try ShortJob.resume("run", in: folder.url)
    try #require(ended.code == 0, "\(ended.errors)")
    try RunResult.expectSame(folder["run"], reference, "\(point)")
    let kept = try FileManager.default.contentsOfDirectory(atPath: folder["run/checkpoints"].path)
    #expect(kept.sorted() == ["step-000000", "step-000004"])
    try expectNothingLeftBehind(folder["run"])
  }

  @Test("killed again while it is redone, it still arrives")
  func twice() throws {
    let reference = try ShortJob.referenceResult()
    let folder = try TemporaryFolder()
    for point in ["updating:3", "updating:1", "sampling:1", "checkpointing:1"] {
      let words =
        point == "updating:3"
        ? ["train", "--run", "./run"] + ShortJob.words() : ["train", "--resume", "./run"]
      let killed = try BuiltCommand.run(
        words, in: folder.url, environment: ["GRPO_CRASH_AT": point])
      #expect(killed.code == -SIGKILL, "\(point): \(killed.errors)")
    }
    let ended = try ShortJob.resume("run", in: folder.url)
    try #require(ended.code == 0, "\(ended.errors)")
    try RunResult.expectSame(folder["run"], reference)
  }

  @Test("killed at random moments, from its first file on", arguments: [3, 40, 120, 300])
  func randomMoments(milliseconds: UInt32) throws {
    let reference = try ShortJob.referenceResult()
    let folder = try TemporaryFolder()
    let words = ["train", "--run", "./run"] + ShortJob.words()
    let running = try BuiltCommand.start(words, in: folder.url)
    _ = running.wait { FileManager.default.fileExists(atPath: folder["run"].path) }
    usleep(milliseconds * 1000)
    running.signal(SIGKILL)
    _ = try running.wait()
    let hasSettings = FileManager.default.fileExists(atPath: folder["run/config.json"].path)
    let ended =
      hasSettings
      ? try ShortJob.resume("run", in: folder.url) : try ShortJob.train("run", in: folder.url)
    try #require(ended.code == 0, "\(ended.errors)")
    try RunResult.expectSame(folder["run"], reference)
    try expectNothingLeftBehind(folder["run"])
  }

  @Test("Ctrl-C saves, says how to go on, and changes nothing", arguments: ["eval", "step"])
  func interrupts(moment: String) throws {
    let reference = try ShortJob.referenceResult()
    let folder = try TemporaryFolder()
    let running = try BuiltCommand.start(
      ["train", "--run", "./run"] + ShortJob.words(), in: folder.url)
    let wanted = moment == "eval" ? "\"step\":2" : "\"step\":1"
    _ = running.wait {
      let text = try? String(contentsOf: folder["run/metrics.jsonl"], encoding: .utf8)
      return text?.contains(wanted) == true
    }
    running.signal(SIGINT)
    let stopped = try running.wait()
    // A slow signal finds the run done; then there is nothing to resume, and that is no fault.
    if stopped.code != 0 {
      #expect(stopped.code == 130, "\(stopped.errors)")
      #expect(stopped.errors.contains("grpo train --resume"))
      let ended = try ShortJob.resume("run", in: folder.url)
      try #require(ended.code == 0, "\(ended.errors)")
    }
    try RunResult.expectSame(folder["run"], reference)
    try expectNothingLeftBehind(folder["run"])
  }

  @Test("a finished run that is resumed stays as it is")
  func finished() throws {
    let reference = try ShortJob.referenceResult()
    let folder = try TemporaryFolder()
    try FileManager.default.copyItem(
      at: #require(ShortJob.reference.folder)["run"], to: folder["run"])
    let ended = try ShortJob.resume("run", in: folder.url)
    try #require(ended.code == 0, "\(ended.errors)")
    try RunResult.expectSame(folder["run"], reference)
  }

  // MARK: Faults

  @Test(
    "a damaged checkpoint is not used; the one before it is, and that is said",
    arguments: ["flipped", "truncated", "missing"])
  func damagedCheckpoint(damage: String) throws {
    let reference = try ShortJob.referenceResult()
    let folder = try TemporaryFolder()
    let killed = try ShortJob.train(
      "run", in: folder.url, environment: ["GRPO_CRASH_AT": "updating:4"])
    #expect(killed.code == -SIGKILL)
    let file = folder["run/checkpoints/step-000002/optimizer.safetensors"]
    switch damage {
    case "flipped":
      var bytes = try Data(contentsOf: file)
      bytes[bytes.count / 2] ^= 1
      try bytes.write(to: file)
    case "truncated": try FileHandle(forUpdating: file).truncate(atOffset: 1000)
    default: try FileManager.default.removeItem(at: file)
    }
    let ended = try ShortJob.resume("run", in: folder.url)
    try #require(ended.code == 0, "\(ended.errors)")
    #expect(ended.errors.contains("optimizer.safetensors"))
    #expect(ended.errors.contains("the one before it is used"))
    try RunResult.expectSame(folder["run"], reference)
  }

  @Test("a damaged log is a sentence that says what can be saved")
  func damagedLog() throws {
    _ = try ShortJob.referenceResult()
    let folder = try TemporaryFolder()
    try FileManager.default.copyItem(
      at: #require(ShortJob.reference.folder)["run"], to: folder["run"])
    let log = folder["run/trajectories.sqlite"]
    var bytes = try Data(contentsOf: log)
    // Every page but the first, whose header says what the file is.
    for index in stride(from: 8192, to: bytes.count, by: 1) { bytes[index] = 0xA5 }
    try bytes.write(to: log)
    let ended = try ShortJob.resume("run", in: folder.url)
    #expect(ended.code == 1, "\(ended.errors)")
    #expect(ended.errors.contains("trajectories.sqlite"))
  }

  @Test("two trainers of one run: the second is told")
  func secondTrainer() throws {
    let folder = try TemporaryFolder()
    let first = try BuiltCommand.start(
      ["train", "--run", "./run"] + ShortJob.words(but: ["--max-steps", "100000"]), in: folder.url)
    let begun = first.wait {
      FileManager.default.fileExists(atPath: folder["run/initial"].path)
    }
    try #require(begun)
    let second = try ShortJob.resume("run", in: folder.url)
    #expect(second.code != 0 && second.errors.contains("Another process"))
    first.signal(SIGKILL)
    _ = try first.wait()
  }
}
