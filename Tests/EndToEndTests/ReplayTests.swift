import Foundation
import Rollouts
import TestSupport
import Testing

/// What the log says that the policy drew is drawn again, and compared with it.
@Suite("grpo replay")
struct ReplayTests {
  private func replay(_ words: [String], in folder: URL) throws -> BuiltCommand.Result {
    try BuiltCommand.run(["replay"] + words, in: folder)
  }

  @Test("a run is drawn again in every bit, and arrives at its checkpoints")
  func whole() throws {
    _ = try ShortJob.referenceResult()
    let folder = try #require(ShortJob.reference.folder)
    let before = try Data(contentsOf: folder["run/trajectories.sqlite"])
    let ended = try replay(["./run"], in: folder.url)
    #expect(ended.code == 0, "\(ended.errors)")
    #expect(ended.output.hasPrefix("all 64 completions of 4 steps ("), "\(ended.output)")
    #expect(ended.output.contains("so do the 2 checkpoints"), "\(ended.output)")
    #expect(try Data(contentsOf: folder["run/trajectories.sqlite"]) == before)
  }

  @Test("steps and single completions are reached from the checkpoint before them")
  func parts() throws {
    _ = try ShortJob.referenceResult()
    let folder = try #require(ShortJob.reference.folder)
    let steps = try replay(["./run", "--step", "3..", "--json", "--threads", "1"], in: folder.url)
    #expect(steps.code == 0, "\(steps.errors)")
    let report = try JSONValue.parse(steps.output)
    #expect(report["completions"]?.integer == 32)
    // The last step's updates lead to the last checkpoint.
    #expect(report["redone_steps"]?.integer == 2 && report["checkpoints"]?.integer == 1)
    #expect(steps.errors.contains("from the checkpoint of step 2"))
    let one = try replay(["./run", "--completion", "37", "--json"], in: folder.url)
    #expect(one.code == 0, "\(one.errors)")
    #expect(one.errors.contains("replaying step "))
    let single = try JSONValue.parse(one.output)
    #expect(single["completions"]?.integer == 1 && single["redone_steps"]?.integer == 0)
  }

  @Test(
    "whatever draws and updates: truncation, passes, parts, a reference, dropped groups",
    arguments: [
      [
        "--top-k", "6", "--top-p", "0.95", "--min-new-tokens", "2", "--temperature", "1.3",
        "--max-steps", "2", "--save-steps", "1",
      ],
      [
        "--num-iterations", "2", "--updates-per-rollout", "2", "--beta", "0.1", "--max-steps", "3",
        "--save-steps", "100", "--learning-rate", "0.01", "--micro-batch-tokens", "64",
      ],
      [
        "--dynamic-sampling", "--loss-type", "dapo", "--max-steps", "3", "--save-steps", "3",
        "--stop", "2",
      ],
    ])
  func settings(more: [String]) throws {
    let folder = try TemporaryFolder()
    let trained = try ShortJob.train("run", in: folder.url, more)
    try #require(trained.code == 0, "\(trained.errors)")
    let ended = try replay(["./run"], in: folder.url)
    #expect(ended.code == 0, "\(ended.output)\(ended.errors)")
    #expect(ended.output.contains("agree in every bit"))
  }

  @Test(
    "a log that was tampered with is caught, and the place is named",
    arguments: [
      ("token_ids", "the token"), ("sampler_logprobs", "the log-probability"),
      ("entropies", "the entropy"),
    ])
  func tampered(column: String, quantity: String) throws {
    _ = try ShortJob.referenceResult()
    let folder = try TemporaryFolder()
    try FileManager.default.copyItem(
      at: #require(ShortJob.reference.folder)["run"], to: folder["run"])
    // The second token of a completion of step 3, found by the bytes of its array.
    let found = try BuiltCommand.run(
      [
        "query", "./run",
        "SELECT completion_id, hex(\(column)) FROM trajectories JOIN completion_tokens "
          + "USING (completion_id) WHERE step = 3 AND length >= 3 LIMIT 1", "--csv",
      ], in: folder.url)
    try #require(found.code == 0, "\(found.errors)")
    let row = try #require(found.output.split(separator: "\n").last).split(separator: ",")
    let bytes = Data(try Self.bytes(ofHexadecimal: String(row[1])))
    var log = try Data(contentsOf: folder["run/trajectories.sqlite"])
    // Short arrays may occur twice: the damage is in the first place that has these bytes.
    let place = try #require(log.firstRange(of: bytes))
    log[place.lowerBound + 4] ^= 1
    try log.write(to: folder["run/trajectories.sqlite"])
    let ended = try replay(["./run"], in: folder.url)
    #expect(ended.code == 1, "\(ended.output)\(ended.errors)")
    #expect(ended.output.contains("first difference: step "), "\(ended.output)")
    #expect(ended.output.contains("token 1: \(quantity) is "), "\(ended.output)")
  }

  private static let python = ["/usr/bin/python3", "/usr/local/bin/python3"].first {
    FileManager.default.isExecutableFile(atPath: $0)
  }

  @Test(
    "a score, a reward or an advantage that was altered in the log shows, alone or all alike",
    .enabled(if: python != nil, "needs Python's sqlite3"),
    arguments: [
      ("UPDATE completions SET reward = reward + 0.5 WHERE id = ?1", ": the reward is "),
      ("UPDATE completions SET advantage = advantage - 0.25 WHERE id = ?1", ": the advantage is "),
      ("UPDATE scores SET value = value - 0.5 WHERE completion_id = ?1", ": the reward is "),
      // Score and reward agree, and the advantages of the group no longer follow from them.
      (
        "UPDATE scores SET value = 7 WHERE completion_id = ?1; "
          + "UPDATE completions SET reward = 7 WHERE id = ?1", ": the advantage is "
      ),
    ])
  func alteredReward(change: String, quantity: String) throws {
    _ = try ShortJob.referenceResult()
    let folder = try TemporaryFolder()
    try FileManager.default.copyItem(
      at: #require(ShortJob.reference.folder)["run"], to: folder["run"])
    let script = """
      import sqlite3, sys
      log = sqlite3.connect(sys.argv[1])
      found = log.execute("SELECT min(completions.id) FROM completions "
        "JOIN steps ON steps.id = step_id WHERE step = 4").fetchone()[0]
      for change in sys.argv[2].split(";"):
          assert log.execute(change.replace("?1", str(found))).rowcount == 1
      log.commit()
      """
    let altered = try ChildProcess.run([
      Self.python ?? "", "-c", script, folder["run/trajectories.sqlite"].path, change,
    ])
    try #require(altered.code == 0, "\(altered.errors)")
    let ended = try replay(["./run"], in: folder.url)
    #expect(ended.code == 1, "\(ended.output)\(ended.errors)")
    // Every completion was drawn before that update.
    #expect(ended.output.contains("64 of 64 completions of 4 steps agree"), "\(ended.output)")
    #expect(ended.output.contains("first difference: step 4, row "), "\(ended.output)")
    #expect(ended.output.contains(quantity), "\(ended.output)")
  }

  @Test("what can't be replayed is a sentence")
  func refusals() throws {
    _ = try ShortJob.referenceResult()
    let folder = try TemporaryFolder()
    try FileManager.default.copyItem(
      at: #require(ShortJob.reference.folder)["run"], to: folder["run"])
    for (words, sentence) in [
      (["./nowhere"], "is not a run's folder"),
      (["./run", "--step", "7.."], "it has steps 1 to 4"),
      (["./run", "--completion", "999999"], "no completion 999999"),
      (["./run", "--completion", "1", "--step", "1"], "exclude each other"),
    ] {
      let ended = try replay(words, in: folder.url)
      #expect(ended.code == 2 && ended.errors.contains(sentence), "\(ended.errors)")
    }
    try FileManager.default.removeItem(at: folder["run/checkpoints/step-000000"])
    let ended = try replay(["./run"], in: folder.url)
    #expect(ended.code == 2 && ended.errors.contains("no whole checkpoint before step 1"))
  }

  static func bytes(ofHexadecimal text: String) throws -> [UInt8] {
    let digits = Array(text.filter(\.isHexDigit))
    return try stride(from: 0, to: digits.count - 1, by: 2).map { place in
      try #require(UInt8(String(digits[place...place + 1]), radix: 16))
    }
  }
}
