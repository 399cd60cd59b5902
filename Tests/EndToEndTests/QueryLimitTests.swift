import Foundation
import TestSupport
import Testing

/// What bounds a question to a log, whatever is asked.
@Suite("Limits of grpo query")
struct QueryLimitTests {
  @Test("a single SQL function that takes hours is stopped at the time limit")
  func oneFunction() throws {
    _ = try ShortJob.referenceResult()
    let folder = try #require(ShortJob.reference.folder)
    // The last digit is never found, and each of 16 million places is compared for millions of digits.
    let sql =
      "SELECT instr(hex(zeroblob(8000000)), hex(zeroblob(2000000)) || '1')"
    let ended = try BuiltCommand.run(
      ["query", "./run", sql, "--time-limit", "0.2"], in: folder.url)
    #expect(ended.code == 1, "\(ended.errors)")
    #expect(ended.errors.contains("took longer than its limit of 0.2 s"), "\(ended.errors)")
  }

  @Test("a named pipe in a log's place is a sentence, not a wait")
  func pipes() throws {
    let folder = try TemporaryFolder()
    let trained = try ShortJob.train("run", in: folder.url, ["--max-steps", "1"])
    try #require(trained.code == 0, "\(trained.errors)")
    try FileManager.default.removeItem(at: folder["run/trajectories.sqlite"])
    #expect(mkfifo(folder["run/trajectories.sqlite"].path, 0o600) == 0)
    for words in [
      ["query", "./run", "summary"], ["replay", "./run"], ["report", "./run", "-o", "-"],
      ["log", "export", "./run"], ["log", "import", "./run/trajectories.sqlite", "new.sqlite"],
      ["train", "--resume", "./run"], ["train", "--rollouts", "./run", "--run", "./again"],
    ] {
      let ended = try BuiltCommand.run(words, in: folder.url)
      #expect([1, 2].contains(ended.code), "\(words): \(ended.errors)")
      #expect(ended.errors.contains("is a named pipe"), "\(words): \(ended.errors)")
    }
  }
}
