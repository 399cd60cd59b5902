import Foundation
import Rollouts
import TestSupport
import Testing

@Suite("What a step asks, and what is done between iterations")
struct BatchChoiceTests {
  @Test("problems by solve rate: killed and resumed, the same bytes; other problems than in order")
  func solveRate() throws {
    let folder = try TemporaryFolder()
    let words = ["--prompt-priority", "solve_rate"]
    let whole = try ShortJob.train("whole", in: folder.url, words)
    try #require(whole.code == 0, "\(whole.errors)")
    let killed = try ShortJob.train(
      "killed", in: folder.url, words, environment: ["GRPO_CRASH_AT": "updating:3"])
    try #require(killed.code == -SIGKILL, "\(killed.errors)")
    let resumed = try ShortJob.resume("killed", in: folder.url)
    try #require(resumed.code == 0, "\(resumed.errors)")
    try RunResult.expectSame(folder["killed"], RunResult(folder["whole"]))
    let inOrder = try ShortJob.referenceResult()
    #expect(try RunResult(folder["whole"]).log != inOrder.log)
  }

  @Test("dynamic sampling draws on until the batch is full, and logs what it dropped")
  func dynamicSampling() throws {
    let folder = try TemporaryFolder()
    let ended = try ShortJob.train(
      "run", in: folder.url,
      [
        // So slow that the policy keeps what its groups differ by.
        "--learning-rate", "1e-6", "--dynamic-sampling", "--dynamic-sampling-limit", "20",
        "--reward",
        #"{"use": "regex", "parameters": {"pattern": "[13579]"}}"#,
      ])
    try #require(ended.code == 0, "\(ended.errors)")
    let rows = try BuiltCommand.run(
      [
        "query", "./run", "SELECT groups, dropped_groups, tied_groups FROM steps ORDER BY step",
        "--jsonl",
      ], in: folder.url)
    let steps = try rows.output.split(separator: "\n").map {
      try #require(try JSONValue.parse(String($0)).object)
    }
    #expect(steps.count == 4)
    for step in steps {
      #expect(step["groups"]?.integer == 4 && step["tied_groups"]?.integer == 0, "\(step)")
    }
    #expect(steps.contains { ($0["dropped_groups"]?.integer ?? 0) > 0 }, "\(steps)")
  }

  @Test("between iterations a program gets new completions and a tenth of older ones, once each")
  func iterationHook() throws {
    let folder = try TemporaryFolder()
    let hook = """
      #!/bin/sh
      echo "$GRPO_ITERATION $GRPO_STEP $(wc -l < "$1")" >> "$GRPO_RUN/../calls"

      """
    try Data(hook.utf8).write(to: folder["hook"])
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o755], ofItemAtPath: folder["hook"].path)
    let words = [
      "--beta", "0.1", "--sync-ref-model", "--ref-model-sync-steps", "1", "--iteration-hook",
      "./hook",
    ]
    let killed = try ShortJob.train(
      "run", in: folder.url, words, environment: ["GRPO_CRASH_AT": "updating:3"])
    try #require(killed.code == -SIGKILL, "\(killed.errors)")
    let ended = try ShortJob.resume("run", in: folder.url)
    try #require(ended.code == 0, "\(ended.errors)")
    // 16 completions per step; round(0.1/0.9 · 16) = 2 of those before.
    let calls = try String(contentsOf: folder["calls"], encoding: .utf8)
    #expect(calls == "1 1 16\n2 2 18\n3 3 18\n")
    let file = try String(contentsOf: folder["run/iterations/3.jsonl"], encoding: .utf8)
    let steps = try file.split(separator: "\n").map {
      try #require(try JSONValue.parse(String($0))["step"]?.integer)
    }
    #expect(steps.count { $0 == 3 } == 16 && steps.count { $0 < 3 } == 2)
  }

  @Test(
    "kill -9 of grpo ends the program and all that it started, before a resumed run could start its own"
  )
  func killedHook() throws {
    let folder = try TemporaryFolder()
    try Data(
      "#!/bin/sh\nsetsid sleep 600 &\necho $! $$ > pids.new; mv pids.new pids; sleep 600\n".utf8
    )
    .write(to: folder["hook"])
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o755], ofItemAtPath: folder["hook"].path)
    let training = try BuiltCommand.start(
      [
        "train", "--run", "run", "--max-steps", "2", "--beta", "0.1", "--sync-ref-model",
        "--ref-model-sync-steps", "1",
        "--iteration-hook", "./hook",
      ], in: folder.url)
    let pids = folder["pids"].path
    try #require(
      training.wait { FileManager.default.fileExists(atPath: pids) }, "\(training.output)")
    let processes = try String(contentsOfFile: pids, encoding: .utf8).split(
      whereSeparator: \.isWhitespace
    )
    .compactMap { pid_t($0) }
    try #require(processes.count == 2 && processes.allSatisfy { kill($0, 0) == 0 })
    training.signal(SIGKILL)
    _ = try training.wait()
    for _ in 0..<500 where processes.contains(where: { kill($0, 0) == 0 }) { usleep(10_000) }
    #expect(processes.allSatisfy { kill($0, 0) != 0 })
  }

  @Test("a program that fails stops the run, and resuming runs it again")
  func failingHook() throws {
    let folder = try TemporaryFolder()
    func write(_ text: String) throws {
      try Data(text.utf8).write(to: folder["hook"])
      try FileManager.default.setAttributes(
        [.posixPermissions: 0o755], ofItemAtPath: folder["hook"].path)
    }
    try write("#!/bin/sh\nexit 3\n")
    let ended = try ShortJob.train(
      "run", in: folder.url,
      [
        "--beta", "0.1", "--sync-ref-model", "--ref-model-sync-steps", "2", "--iteration-hook",
        "./hook",
      ])
    #expect(ended.code == 1)
    #expect(ended.errors.contains("ended with code 3; mend it and resume the run"))
    try write("#!/bin/sh\ntouch was-run\n")
    let resumed = try ShortJob.resume("run", in: folder.url)
    #expect(resumed.code == 0, "\(resumed.errors)")
    #expect(FileManager.default.fileExists(atPath: folder["was-run"].path))
  }
}
