import Foundation
import TestSupport
import Testing

/// What a dice-throwing reward said once is what the run learns from, however often it is killed.
@Suite("A reward that is not deterministic, across kills")
struct NondeterministicRewardTests {
  /// Throws dice, and notes each throw in a file.
  private func reward(in folder: TemporaryFolder) throws -> String {
    let script = """
      #!/bin/sh
      read -r hello
      echo '{"grpo": 1, "name": "dice", "deterministic": false, "range": [0, 255]}'
      while read -r line; do
        id=$(printf %s "$line" | sed 's/^{"id":\\([0-9]*\\).*/\\1/')
        echo "$id" >> '\(folder["thrown.txt"].path)'
        score=$(od -An -N1 -tu1 /dev/urandom | tr -d ' ')
        echo "{\\"id\\": $id, \\"score\\": $score}"
      done
      """
    try Data(script.utf8).write(to: folder["dice.sh"])
    chmod(folder["dice.sh"].path, 0o755)
    return folder["dice.sh"].path
  }

  private func throwCount(_ folder: TemporaryFolder) -> Int {
    let text = (try? String(contentsOf: folder["thrown.txt"], encoding: .utf8)) ?? ""
    return text.count { $0 == "\n" }
  }

  /// What is committed of the first steps: every number of it that learning depends on.
  private func rows(_ folder: TemporaryFolder, through step: Int) throws -> String {
    let query = """
      SELECT step, draw, sample, reward, advantage, hex(token_ids), hex(sampler_logprobs), value \
      FROM trajectories JOIN completion_tokens USING (completion_id) \
      JOIN scores USING (completion_id) WHERE step <= \(step) ORDER BY step, draw, sample
      """
    let ended = try BuiltCommand.run(["query", "./run", query, "--csv"], in: folder.url)
    return try #require(ended.code == 0 ? ended.output : nil, "\(ended.errors)")
  }

  private func committed(_ folder: TemporaryFolder) throws -> Int {
    let ended = try BuiltCommand.run(
      ["query", "./run", "SELECT coalesce(max(step), 0) FROM steps", "--csv"], in: folder.url)
    let line = try #require(ended.output.split(separator: "\n").last, "\(ended.errors)")
    return try #require(Int(line))
  }

  @Test(
    "no committed row changes, none is scored twice, and the log retrains to the same weights")
  func kills() throws {
    _ = try ShortJob.referenceResult()
    let model = try #require(ShortJob.reference.folder)["run/final"].path
    let folder = try TemporaryFolder()
    let steps = 5
    let words = [
      "train", "--run", "./run", "--model", model, "--dataset", "arithmetic", "--max-steps",
      "\(steps)", "--prompts-per-step", "4", "--num-generations", "4", "--max-completion-length",
      "6", "--save-steps", "2", "--learning-rate", "1e-3", "--reward",
      try reward(in: folder), "--threads", "2",
    ]
    for (number, point) in ["updating:2", "logging", "checkpointing", "updating"].enumerated() {
      let before = number == 0 ? 0 : try committed(folder)
      let kept = number == 0 ? "" : try rows(folder, through: before)
      let thrown = throwCount(folder)
      let killed = try BuiltCommand.run(
        number == 0 ? words : ["train", "--resume", "./run"], in: folder.url,
        environment: ["GRPO_CRASH_AT": point])
      #expect(killed.code == -SIGKILL, "\(point): \(killed.errors)")
      let after = try committed(folder)
      if number > 0 { #expect(try rows(folder, through: before) == kept, "\(point)") }
      // Of a step that was scored and not committed nothing is known any more: it is scored again.
      let lost = point == "logging" ? 1 : 0
      #expect(throwCount(folder) - thrown == 16 * (after - before + lost), "\(point)")
    }
    let before = try committed(folder)
    let kept = try rows(folder, through: before)
    let thrown = throwCount(folder)
    let ended = try BuiltCommand.run(["train", "--resume", "./run"], in: folder.url)
    try #require(ended.code == 0, "\(ended.errors)")
    #expect(try rows(folder, through: before) == kept)
    #expect(throwCount(folder) - thrown == 16 * (steps - before))

    let again = try BuiltCommand.run(
      ["train", "--rollouts", "./run", "--run", "./again"], in: folder.url)
    try #require(again.code == 0, "\(again.errors)")
    let weights = try ["run", "again"].map {
      try Data(contentsOf: folder["\($0)/final/model.safetensors"])
    }
    let isSame = weights[0] == weights[1]
    #expect(isSame)
    #expect(try weights[0] != Data(contentsOf: URL(fileURLWithPath: model + "/model.safetensors")))
  }
}
