import Foundation
import Rollouts
import TestSupport
import Testing

/// Rewards that compare completions make a run no less a function of its inputs.
@Suite("Rewards that see a group or a step, in whole runs")
struct RewardScopeTests {
  /// Pays what is shorter than the mean of its call, after a random wait; notes what it was told of each call.
  private func plugin(_ scope: String, in folder: TemporaryFolder) throws -> String {
    let script = """
      #!/usr/bin/env python3
      import json, os, sys, time
      sys.stdin.readline()
      print(json.dumps({"grpo": 1, "name": "\(scope)", "scope": "\(scope)", "range": [0, 1]}), flush=True)
      for line in sys.stdin:
          call = json.loads(line)
          call = call if isinstance(call, list) else [call]
          time.sleep(os.urandom(1)[0] / 255 * 0.02)
          lengths = [len(r["completion_ids"]) for r in call]
          mean = sum(lengths) / len(call) if "\(scope)" != "completion" else 6
          with open("\(scope).txt", "a") as f:
              f.write(json.dumps([len(call), call[0]["trainer_state"]]) + "\\n")
          for r, n in zip(call, lengths):
              print(json.dumps({"id": r["id"], "score": float(n <= mean), "reason": f"{n} of {mean}",
                "metrics": {"call/\(scope)": len(call), "step": n}}), flush=True)
      """
    let url = folder["\(scope).py"]
    try Data(script.utf8).write(to: url)
    chmod(url.path, 0o755)
    return "./\(scope).py"
  }

  private func words(_ run: String, _ rewards: [String], _ more: [String] = []) -> [String] {
    [
      "train", "--model", "tiny", "--dataset", "arithmetic", "--prompts-per-step", "4",
      "--num-generations", "3", "--max-completion-length", "12", "--learning-rate", "1e-3",
      "--no-eval-on-start", "--eval-dataset", "held.jsonl", "--save-steps", "2", "--run",
      "./\(run)",
    ] + rewards.flatMap { ["--reward", $0] } + more
  }

  /// A small model, randomly initialised, and five problems to evaluate it on.
  private func makeModel(in folder: TemporaryFolder) throws {
    let rows = (0..<5).map { "{\"prompt\": \"1+\($0)=\", \"answer\": \"\($0 + 1)\"}\n" }.joined()
    try Data(rows.utf8).write(to: folder["held.jsonl"])
    let ended = try BuiltCommand.run(
      [
        "init", "tiny", "--hidden-size", "32", "--layers", "1", "--heads", "2", "--kv-heads", "1",
        "--intermediate-size", "64",
      ], in: folder.url)
    try #require(ended.code == 0, "\(ended.errors)")
  }

  /// The calls that a plugin noted: completions, and what it was told of the trainer.
  private func calls(_ scope: String, in folder: TemporaryFolder) throws -> [(Int, JSONValue)] {
    try String(contentsOf: folder["\(scope).txt"], encoding: .utf8).split(separator: "\n").map {
      let value = try JSONValue.parse(String($0)).array ?? []
      return (try #require(value[0].integer), value[1])
    }
  }

  @Test("equal commands give equal weights, metrics and logs, however long the rewards take")
  func equalRuns() throws {
    let folder = try TemporaryFolder()
    try makeModel(in: folder)
    let rewards = try ["completion", "group", "step"].map { try plugin($0, in: folder) }
    for run in ["a", "b"] {
      let ended = try BuiltCommand.run(
        words(run, rewards, ["--max-steps", "3", "--reward-workers", "2"]), in: folder.url)
      try #require(ended.code == 0, "\(ended.errors)")
    }
    let same = try BuiltCommand.run(["doctor", "--same", "a", "b"], in: folder.url)
    #expect(same.code == 0 && same.output.contains("identical"), "\(same.output)")
    let line = try #require(RunResult.metrics(folder["a"]).first { $0["reward"] != nil })
    let own = ["completion", "group", "step"].map { line["call/\($0)"]?.double }
    #expect(own == [1, 3, 12])
    #expect(line["step"] == 1 && line["log_metric/step"] == line["completions/mean_length"])
    // Twice 3 steps and an evaluation after the last.
    #expect(try calls("step", in: folder).map(\.0) == [12, 12, 12, 5, 12, 12, 12, 5])
    #expect(try calls("group", in: folder).map(\.0).count { $0 == 3 } == 24)
  }

  @Test("the trainer's state is TRL's, and goes on after a kill")
  func trainerState() throws {
    let folder = try TemporaryFolder()
    try makeModel(in: folder)
    let reward = try plugin("step", in: folder)
    let killed = try BuiltCommand.run(
      words("run", [reward], ["--max-steps", "5"]), in: folder.url,
      environment: ["GRPO_CRASH_AT": "updating:3"])
    #expect(killed.code == -SIGKILL, "\(killed.errors)")
    let resumed = try BuiltCommand.run(["train", "--resume", "./run"], in: folder.url)
    try #require(resumed.code == 0, "\(resumed.errors)")
    let states = try calls("step", in: folder).map(\.1)
    #expect(states.map { $0["global_step"]?.integer } == [0, 1, 2, 3, 4, 5])
    #expect(states.allSatisfy { $0["max_steps"] == 5 && $0["num_train_epochs"] == 1 })
    let problems = 4 / (try #require(states[1]["epoch"]?.double))
    #expect(problems == problems.rounded() && problems > 100)
    #expect(states.map { $0["epoch"]?.double } == (0..<6).map { Double(4 * $0) / problems })
  }

  @Test("with dynamic_sampling a step reward is called once a round of drawing")
  func rounds() throws {
    let folder = try TemporaryFolder()
    try makeModel(in: folder)
    let ended = try BuiltCommand.run(
      words("run", [try plugin("step", in: folder)], ["--max-steps", "2", "--dynamic-sampling"]),
      in: folder.url)
    try #require(ended.code == 0, "\(ended.errors)")
    let sizes = try calls("step", in: folder).map(\.0).dropLast()
    #expect(sizes.allSatisfy { $0 % 3 == 0 } && sizes.first == 12)
    let query = try BuiltCommand.run(
      ["query", "./run", "SELECT count(*) FROM completions", "--csv"], in: folder.url)
    #expect(query.output.split(separator: "\n").last == "\(sizes.reduce(0, +))", "\(query.output)")

    // A rescored log is called as the run called.
    try FileManager.default.removeItem(at: folder["step.txt"])
    let rescored = try BuiltCommand.run(
      ["reward", "rescore", "./run", "--reward", "./step.py", "--into", "./again"], in: folder.url)
    try #require(rescored.code == 0, "\(rescored.errors)")
    #expect(try calls("step", in: folder).map(\.0) == Array(sizes))
  }

  @Test("a run without a score says so at once, shows no number for it, and stops")
  func silence() throws {
    let folder = try TemporaryFolder()
    try makeModel(in: folder)
    let script = """
      #!/bin/sh
      read -r hello
      echo '{"grpo": 1, "name": "mute"}'
      while read -r line; do
        id=$(printf %s "$line" | sed 's/^{"id":\\([0-9]*\\).*/\\1/')
        echo "{\\"id\\": $id, \\"unscorable\\": \\"nothing to compare with\\"}"
      done
      """
    try Data(script.utf8).write(to: folder["mute.sh"])
    chmod(folder["mute.sh"].path, 0o755)
    let ended = try BuiltCommand.run(
      words("run", ["./mute.sh"], ["--max-steps", "30", "--logging-steps", "1"]), in: folder.url)
    #expect(ended.code == 1)
    #expect(ended.errors.contains("none of the step's 12 completions got a reward"))
    #expect(ended.errors.contains("nothing to compare with (12 of 12)"))
    #expect(ended.errors.contains("the run learns nothing and is stopped"))
    #expect(ended.errors.contains("reward – ± –") && !ended.errors.contains("reward 0.000"))
    let lines = try RunResult.metrics(folder["run"])
    #expect(lines.count == 4)
    #expect(lines.allSatisfy { $0["reward"] == nil && $0["reward_std"] == nil })
    #expect(lines.allSatisfy { $0["frac_unscorable"]?.double == 1 })
  }
}
