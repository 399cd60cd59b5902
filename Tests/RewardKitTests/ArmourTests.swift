import Foundation
import Testing

@testable import RewardKit

@Suite("Nothing a plugin does harms the run") struct ArmourTests {
  @Test("a time limit kills every descendant, a setsid grandchild too")
  func descendants() throws {
    let folder = try PluginFolder()
    let marker = folder.url.path + "/sleeper.py"
    _ = try folder.file("sleeper.py", "import time\ntime.sleep(600)\n")
    let path = try folder.plugin(
      """
      import subprocess
      for _ in range(3):
          subprocess.Popen([sys.executable, "\(marker)"], start_new_session=True)
      if os.fork() == 0:
          os.setsid()
          if os.fork() == 0: os.execv(sys.executable, [sys.executable, "\(marker)"])
          os._exit(0)
      if text == "hang": time.sleep(600)
      reply(id=rid, score=1)
      """)
    let suite = try suite([["use": .string(path), "time_limit": 1, "failure_limit": 1]])
    #expect(try suite.score([request(0, "hang")])[0].error?.contains("longer than the 1 s") == true)
    #expect(processes(mentioning: marker).isEmpty)
    #expect(try suite.score([request(0, "reply")])[0].total == 1)
    // The last of them may still be on its way.
    for _ in 0..<500 where processes(mentioning: marker).count < 4 { usleep(10_000) }
    #expect(processes(mentioning: marker).count == 4)
    suite.shutDown()
    #expect(processes(mentioning: folder.url.path).isEmpty)
  }

  @Test("a program that is run to its end is ended when it is cancelled, with all that it started")
  func supervisedProgram() throws {
    let folder = try PluginFolder()
    let marker = folder.url.path + "/sleep"
    let program = try folder.file(
      "program",
      "#!/bin/sh\necho out; echo err >&2\nsetsid sh -c 'sleep 600; : \(marker)' &\ncat\nexit $1\n",
      executable: true)
    func run(_ code: String, isCancelled: () -> Bool = { false }) -> (
      SupervisedProgram.End, String, String
    ) {
      var texts = ["", ""]
      let launch = ChildLaunch(
        executable: program, arguments: [program, code], environment: ["PATH=/usr/bin:/bin"],
        directory: folder.url.path)
      let end = SupervisedProgram.run(launch, isCancelled: isCancelled) { bytes, isError in
        texts[isError ? 1 : 0] += String(decoding: bytes, as: UTF8.self)
      }
      return (end, texts[0], texts[1])
    }
    #expect(run("0") == (.exited(0), "out\n", "err\n"))
    #expect(run("7").0 == .exited(7))
    #expect(processes(mentioning: marker).isEmpty)
    let absent = ChildLaunch(
      executable: marker, arguments: [marker], environment: [], directory: "/")
    #expect(
      SupervisedProgram.run(absent) { _, _ in } == .couldNotStart("No such file or directory"))
    let stubborn = try folder.file("stubborn", "#!/bin/sh\nsleep 600\n", executable: true)
    let launch = ChildLaunch(
      executable: stubborn, arguments: [stubborn], environment: ["PATH=/usr/bin:/bin"],
      directory: "/")
    #expect(SupervisedProgram.run(launch, isCancelled: { true }) { _, _ in } == .cancelled)
    #expect(processes(mentioning: stubborn).isEmpty)
  }

  @Test("a Swift package's hash follows links, through a circle of them too")
  func linkedSources() throws {
    let folder = try PluginFolder()
    let outside = try PluginFolder()
    let source = try outside.file("Source.swift", "let a = 1\n")
    let package = folder.url.appendingPathComponent("Package")
    try FileManager.default.createDirectory(at: package, withIntermediateDirectories: true)
    let link = package.path + "/Source.swift"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: source)
    try FileManager.default.createSymbolicLink(
      atPath: package.path + "/Folder", withDestinationPath: outside.url.path)
    try FileManager.default.createSymbolicLink(
      atPath: outside.url.path + "/circle", withDestinationPath: package.path)
    mkfifo(package.path + "/pipe", 0o600)
    let before = ContentHash.of(folder: package.path)
    #expect(ContentHash.of(folder: package.path) == before)
    _ = try outside.file("Source.swift", "let a = 2\n")
    let after = ContentHash.of(folder: package.path)
    #expect(after != before)
    _ = try outside.file("Other.swift", "let b = 1\n")
    #expect(ContentHash.of(folder: package.path) != after)
  }

  @Test("a fork bomb ends at the limit of processes")
  func forkBomb() throws {
    let folder = try PluginFolder()
    let path = try folder.plugin(
      """
      if text == "bomb":
          while True:
              try: os.fork()
              except OSError: pass
      reply(id=rid, score=1)
      """)
    let suite = try suite([["use": .string(path), "process_limit": 16, "failure_limit": 1]])
    let scored = try suite.score([request(0, "bomb"), request(1, "good")])
    #expect(scored[0].error?.contains("process_limit") == true, "\(scored[0].outcomes)")
    #expect(scored[1].total == 1)
    #expect(processes(mentioning: folder.url.path).count <= 2)
  }

  @Test("limits of memory and file size hold")
  func limits() throws {
    let folder = try PluginFolder()
    let file = folder.url.appendingPathComponent("big").path
    let path = try folder.plugin(
      """
      try:
          if text == "memory": x = bytearray(1 << 30)
          if text == "file":
              signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
              with open("\(file)", "wb") as f: f.write(b"x" * (1 << 21))
          reply(id=rid, score=1)
      except Exception as e: reply(id=rid, error=type(e).__name__)
      """)
    let suite = try suite([
      ["use": .string(path), "memory_limit": "256 MiB", "file_limit": "1MiB", "failure_limit": 1]
    ])
    let scored = try suite.score([request(0, "memory"), request(1, "file"), request(2, "good")])
    #expect(scored.map(\.error) == ["MemoryError", "OSError", nil])
  }

  @Test("the environment is scrubbed, and a secret that was passed on is not shown")
  func environment() throws {
    setenv("GRPO_TEST_SECRET", "hunter2-hunter2", 1)
    setenv("GRPO_TEST_OTHER", "not for you", 1)
    let folder = try PluginFolder()
    let path = try folder.plugin(
      """
      sys.stderr.write("key " + os.environ["GRPO_TEST_SECRET"]); sys.stderr.flush()
      time.sleep(0.05)
      reply(id=rid, error=os.environ["GRPO_TEST_SECRET"] + os.environ.get("GRPO_TEST_OTHER", " none"))
      """)
    let suite = try suite([
      ["use": .string(path), "environment": ["GRPO_TEST_SECRET"], "failure_limit": 1]
    ])
    let scored = try suite.score([request(0, "x")])
    #expect(scored[0].error == "[GRPO_TEST_SECRET] none")
    #expect(scored[0].outcomes[0].standardError == "key [GRPO_TEST_SECRET]")
  }

  @Test("in completion scope a call that fails fails what it has not answered, and no more")
  func batches() throws {
    let folder = try PluginFolder()
    let path = try folder.file(
      "plugin.py",
      """
      #!/usr/bin/env python3
      import sys, json, os, time
      sys.stdin.readline()
      print(json.dumps({"grpo": 1, "name": "b", "batch": 4}), flush=True)
      for line in sys.stdin:
          batch = json.loads(line)
          assert isinstance(batch, list) and len(batch) <= 4
          for r in batch:
              if r["completion"] == "crash": os._exit(9)
              if r["completion"] == "hang": time.sleep(600)
              print(json.dumps({"id": r["id"], "score": len(batch)}), flush=True)
      """, executable: true)
    let suite = try suite([["use": .string(path), "time_limit": 0.4, "failure_limit": 1]])
    let texts = ["a", "b", "crash", "d", "e", "hang", "g", "h", "i", "j", "k"]
    let scored = try suite.score(texts.enumerated().map { request($0, $1, group: $0 / 3) })
    #expect(scored.map(\.total) == [4, 4, nil, nil, 4, nil, nil, nil, 2, 2, 1])
    #expect(scored[2].error?.contains("status 9") == true && scored[2].error == scored[3].error)
    #expect(scored[7].error?.contains("1.6 s of batch_time_limit") == true)
  }

  @Test("on_error: zero counts, stop ends the run, and too many failures do")
  func effects() throws {
    let folder = try PluginFolder()
    let path = try folder.plugin(
      "reply(id=rid, error='down') if text == 'x' else reply(id=rid, score=1)")
    let requests = ["x", "y", "y", "y"].enumerated().map { request($0, $1) }
    let zero = try suite([["use": .string(path), "on_error": "zero"]])
    #expect(try zero.score(requests).map(\.total) == [0, 1, 1, 1])
    let stop = try suite([["use": .string(path), "on_error": "stop"]])
    #expect(throws: RewardError.self) { try stop.score(requests) }
    let limited = try suite([["use": .string(path), "failure_limit": 0.2]])
    do {
      _ = try limited.score(requests)
      Issue.record("no error")
    } catch {
      #expect(error.kind == .stopped)
      #expect(error.description.contains("1 of 4") && error.description.contains("down"))
    }
  }

  @Test("a plugin that dies every time is given up, with a sentence, and not for ever")
  func givenUp() throws {
    let folder = try PluginFolder()
    let path = try folder.plugin("sys.exit(7) if text == 'x' else reply(id=rid, score=1)")
    let suite = try suite([["use": .string(path), "restart_limit": 3, "failure_limit": 1]])
    let scored = try suite.score((0..<6).map { request($0, "x") })
    #expect(scored.allSatisfy { $0.error != nil })
    #expect(scored[5].error?.contains("3 times in a row") == true)
    #expect(try suite.score([request(0, "y")])[0].total == 1)
  }

  @Test(
    "a start that fails says why",
    arguments: [
      ("#!/bin/sh\nexit 4\n", "status 4"), ("#!/bin/sh\necho '{}'; sleep 100\n", "no greeting"),
      ("#!/bin/sh\necho '{\"grpo\":2,\"name\":\"x\"}'; sleep 100\n", "version 2"),
      ("#!/bin/sh\necho hello; sleep 100\n", "no JSON"), ("#!/bin/sh\nsleep 100\n", "start_limit"),
      ("#!/nonexistent/interpreter\n", "can't be executed"),
    ])
  func starts(script: String, expected: String) throws {
    let folder = try PluginFolder()
    let path = try folder.file("plugin.sh", script, executable: true)
    do {
      _ = try suite([["use": .string(path), "start_limit": 0.5]])
      Issue.record("no error")
    } catch let error as RewardError {
      #expect(error.description.contains(expected), "\(error)")
    }
    #expect(processes(mentioning: folder.url.path).isEmpty)
  }

  @Test("a plugin that leaves after each reply is started again, and harms no completion")
  func oneShot() throws {
    let folder = try PluginFolder()
    let path = try folder.plugin("reply(id=rid, score=1)\nsys.exit(0)")
    let suite = try suite([.string(path)])
    #expect(try suite.score((0..<6).map { request($0, "x\($0)") }).allSatisfy { $0.total == 1 })
  }

  @Test("an interrupt ends the wait, and the end of the suite ends every process")
  func interrupt() throws {
    let folder = try PluginFolder()
    let path = try folder.plugin("time.sleep(600)")
    var suite: RewardSuite? = try suite([["use": .string(path), "time_limit": 600]])
    suite?.open(ScoringRound(groups: [0]))
    suite?.submit([request(0, "x")])
    let interrupt = suite?.interrupt
    DispatchQueue.global().asyncAfter(deadline: .now() + 0.2) { interrupt?() }
    #expect(throws: RewardError(.interrupted, "interrupted while rewards were scoring")) {
      try suite?.collect()
    }
    suite = nil
    #expect(processes(mentioning: folder.url.path).isEmpty)
  }

  @Test("1,000 completions with every fault among them are each scored or marked")
  func faultInjection() throws {
    let folder = try PluginFolder()
    let path = try folder.plugin(
      """
      k = int(text) % 125
      if k == 3: os.kill(os.getpid(), signal.SIGKILL)
      elif k == 7: sys.exit(1)
      elif k == 11 and int(text) < 150: time.sleep(600)
      elif k == 13: print("garbage", flush=True)
      elif k == 17: reply(id=-1, score=1)
      elif k == 19: reply(id=rid, score=None)
      elif k == 23: sys.stderr.write("e" * 300000); sys.stderr.flush(); reply(id=rid, score=1)
      elif k == 29 and int(text) < 150: sys.stdout.write("y" * 100_000_000)
      elif k == 31: reply(id=rid, unscorable="no")
      elif k == 37:
          if os.fork() == 0:
              os.setsid(); time.sleep(600)
          reply(id=rid, score=1)
      elif k == 41: os.close(0); reply(id=rid, score=1)
      elif k == 43: reply(score=1)
      elif k == 47: reply(id=rid, score="one")
      elif k == 53: print('{"id": %d, "score": NaN}' % rid, flush=True)
      elif k == 59 and int(text) < 150: os.close(1); time.sleep(600)
      elif k == 61 and int(text) < 150:
          while True:
              try: os.fork()
              except OSError: pass
      else: reply(id=rid, score=1)
      """,
      // Every third start fails; where it does, the request goes to the next one.
      setUp: """
        count = os.path.join(os.path.dirname(sys.argv[0]), f"starts-{os.getppid() % 7}")
        open(count, "a").write("x")
        if os.path.getsize(count) % 3 == 0: sys.exit(5)
        """)
    let suite = try suite([
      [
        "use": .string(path), "time_limit": 0.4, "failure_limit": 1, "workers": 2,
        "restart_limit": 1000, "process_limit": 16,
      ]
    ])
    let before = residentMegabytes()
    let scored = try suite.score((0..<1000).map { request($0, "\($0)") })
    #expect(scored.count == 1000)
    for completion in scored {
      let number = completion.id % 125
      let early = completion.id < 150
      let fails =
        [3, 7, 13, 17, 19, 43, 47, 53].contains(number)
        || early && [11, 29, 59, 61].contains(number)
      switch completion.outcomes[0].scoring {
      case .scored: #expect(!fails && number != 31, "\(completion.id)")
      case .unscorable: #expect(number == 31)
      case .failed(let error): #expect(fails, "\(completion.id): \(error)")
      }
    }
    // 100 MB lines and floods were among them; our memory saw none of it.
    #expect(residentMegabytes() - before < 64)
    suite.shutDown()
    #expect(processes(mentioning: folder.url.path).isEmpty)
  }

  private func residentMegabytes() -> Double {
    let statm = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
    let pages = statm.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? 0
    return pages * 4096 / 1_048_576
  }
}
