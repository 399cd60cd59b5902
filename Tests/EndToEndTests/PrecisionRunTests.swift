import Foundation
import Rollouts
import TestSupport
import Testing

/// Runs in bf16 and fp16 keep the promises of float32's.
@Suite("Runs in two bytes")
struct PrecisionRunTests {
  /// In fp16 the first updates overflow: what is left out is left out again when it is redone.
  static func words(_ precision: String) -> [String] {
    precision == "fp16"
      ? ["--precision", "fp16", "--loss-scale", "1e9", "--loss-scale-factor", "1024"]
      : ["--precision", precision]
  }

  @Test(
    "killed and resumed, a run comes to the same bytes; its ratios are 1",
    arguments: ["bf16", "fp16"])
  func resumed(precision: String) throws {
    let folder = try TemporaryFolder()
    let words = Self.words(precision)
    let whole = try ShortJob.train("whole", in: folder.url, words)
    try #require(whole.code == 0, "\(whole.errors)")
    let killed = try ShortJob.train(
      "run", in: folder.url, words, environment: ["GRPO_CRASH_AT": "updating:4"])
    #expect(killed.code == -SIGKILL, "\(killed.errors)")
    let ended = try ShortJob.resume("run", in: folder.url)
    try #require(ended.code == 0, "\(ended.errors)")
    try RunResult.expectSame(folder["run"], RunResult(folder["whole"]))
    let metrics = try RunResult.metrics(folder["whole"])
    #expect(metrics.compactMap { $0["sampler/logp_difference_max"]?.double }.allSatisfy { $0 == 0 })
    let skipped = metrics.compactMap { $0["skipped_updates"]?.double }.reduce(0, +)
    #expect(precision == "fp16" ? skipped > 0 : skipped == 0)
    let replay = try BuiltCommand.run(["replay", "./whole"], in: folder.url)
    #expect(replay.code == 0, "\(replay.errors)")
  }

  @Test("a resumed run keeps its precision, and what makes no sense is refused before any work")
  func refused() throws {
    let folder = try TemporaryFolder()
    let begun = try ShortJob.train("run", in: folder.url, ["--max-steps", "1"])
    try #require(begun.code == 0, "\(begun.errors)")
    let other = try BuiltCommand.run(
      ["train", "--resume", "./run", "--precision", "bf16"], in: folder.url)
    #expect(other.code == 2 && other.errors.contains("precision"), "\(other.errors)")
    let faults = [
      (["--precision", "bfloat16"], "bf16"), (["--bf16", "true"], "precision"),
      (["--precision", "bf16", "--kv-cache-type", "fp16"], "cannot be combined with"),
      (["--precision", "bf16", "--loss-scale", "8"], "fp16"),
    ]
    for (words, said) in faults {
      let result = try ShortJob.train("new", in: folder.url, words)
      #expect(result.code == 2 && result.errors.contains(said), "\(words) \(result.errors)")
    }
  }
}
