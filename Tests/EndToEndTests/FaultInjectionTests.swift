import Foundation
import Rollouts
import TestSupport
import Testing

/// What the machine does to a run: each fault is a sentence, and costs nothing that was committed.
///
/// `.ci/disk-full-test` has the full and the read-only disks, `StopAndResumeTests` the damaged checkpoints.
@Suite("Faults of the machine")
struct FaultInjectionTests {
  /// A run that was stopped with its third step committed and a checkpoint after the second.
  private func stopped() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let killed = try ShortJob.train(
      "run", in: folder.url, environment: ["GRPO_CRASH_AT": "updating:3"])
    try #require(killed.code == -SIGKILL, "\(killed.errors)")
    return folder
  }

  // MARK: The log

  @Test("a corrupt page that the resumed run needs stops it, and names the log")
  func corruptPage() throws {
    let folder = try stopped()
    // Reading through the log brings its journal into it.
    let place = try BuiltCommand.run(
      [
        "query", "./run",
        "SELECT hex(token_ids) || hex(sampler_logprobs) FROM trajectories "
          + "JOIN completion_tokens USING (completion_id) WHERE step = 3 AND length >= 3 LIMIT 1",
        "--csv",
      ], in: folder.url)
    let digits = try #require(place.output.split(separator: "\n").last, "\(place.errors)")
    let bytes = Data(try ReplayTests.bytes(ofHexadecimal: String(digits)))
    for name in ["trajectories.sqlite", "trajectories.sqlite-wal"] {
      guard var file = try? Data(contentsOf: folder["run/\(name)"]),
        let found = file.firstRange(of: bytes)
      else { continue }
      // A page's first bytes say what it is; the whole page is lost here. (Of a journal's page the checksum
      // no longer holds, and what was committed with it is gone: then the step is drawn again.)
      let start = found.lowerBound / 8192 * 8192
      for index in start..<min(start + 8192, file.count) { file[index] = 0xA5 }
      try file.write(to: folder["run/\(name)"])
    }
    let ended = try ShortJob.resume("run", in: folder.url)
    if ended.code == 0 {
      try RunResult.expectSame(folder["run"], try ShortJob.referenceResult())
    } else {
      #expect(ended.code == 1, "\(ended.errors)")
      #expect(ended.errors.contains("trajectories.sqlite"), "\(ended.errors)")
      #expect(ended.errors.contains(".recover"), "\(ended.errors)")
    }
  }

  // MARK: The clock

  private static let compiler = ["/usr/bin/cc", "/usr/bin/clang", "/usr/bin/gcc"].first {
    FileManager.default.isExecutableFile(atPath: $0)
  }

  /// A library that moves the wall clock by so many seconds at its `look`th look, an expression in C; unless
  /// told otherwise it jumps back and forth by days.
  private func clock(
    in folder: TemporaryFolder, offset: String = "86400 * ((look * 7) % 13 - 9)"
  ) throws -> String {
    let source = """
      #define _GNU_SOURCE
      #include <dlfcn.h>
      #include <sys/time.h>
      #include <time.h>
      static long jump(void) {
        static long looks;
        long look = __atomic_add_fetch(&looks, 1, __ATOMIC_RELAXED);
        return \(offset);
      }
      int clock_gettime(clockid_t clock, struct timespec *time) {
        static int (*real)(clockid_t, struct timespec *);
        if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
        int code = real(clock, time);
        if (code == 0 && clock == CLOCK_REALTIME) time->tv_sec += jump();
        return code;
      }
      int gettimeofday(struct timeval *restrict value, void *restrict zone) {
        struct timespec now;
        int code = clock_gettime(CLOCK_REALTIME, &now);
        value->tv_sec = now.tv_sec;
        value->tv_usec = now.tv_nsec / 1000;
        return code;
      }
      time_t time(time_t *store) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        if (store) *store = now.tv_sec;
        return now.tv_sec;
      }
      """
    try Data(source.utf8).write(to: folder["clock.c"])
    let library = folder["clock.so"].path
    let words = [
      Self.compiler ?? "cc", "-shared", "-fPIC", "-O1", "-o", library, folder["clock.c"].path,
      "-ldl",
    ]
    let compiled = try ChildProcess.run(words)
    try #require(compiled.code == 0, "\(compiled.errors)")
    return library
  }

  @Test(
    "a wall clock that jumps changes nothing, killed and resumed in the middle",
    .enabled(if: compiler != nil, "needs a C compiler"))
  func clockJumps() throws {
    let folder = try TemporaryFolder()
    let jumping = ["LD_PRELOAD": try clock(in: folder)]
    let killed = try ShortJob.train(
      "run", in: folder.url, environment: jumping.merging(["GRPO_CRASH_AT": "updating:3"]) { $1 })
    #expect(killed.code == -SIGKILL, "\(killed.errors)")
    let ended = try ShortJob.resume("run", in: folder.url, environment: jumping)
    try #require(ended.code == 0, "\(ended.errors)")
    try RunResult.expectSame(folder["run"], try ShortJob.referenceResult())
    // Durations are of a clock that never goes back.
    for line in try RunResult.metrics(folder["run"]) {
      for (name, value) in line where name.hasPrefix("time/") {
        let seconds = try #require(value.double)
        #expect(seconds >= 0 && (name.contains("per_second") || seconds < 3600), "\(name)")
      }
    }
    // The log was written under this clock: its times say so.
    let times = try BuiltCommand.run(
      ["query", "./run", "SELECT count(DISTINCT date(committed_at)) FROM steps", "--csv"],
      in: folder.url)
    #expect(times.output.split(separator: "\n").last.map { $0 != "1" } == true, "\(times.output)")
  }

  @Test(
    "a wall clock after the year 9999 changes nothing either",
    .enabled(if: compiler != nil, "needs a C compiler"))
  func clockBeyondAllDates() throws {
    let folder = try TemporaryFolder()
    let far = ["LD_PRELOAD": try clock(in: folder, offset: "252455616000 + 0 * look")]
    let ended = try ShortJob.train("run", in: folder.url, environment: far)
    try #require(ended.code == 0, "\(ended.errors)")
    try RunResult.expectSame(folder["run"], try ShortJob.referenceResult())
    let times = try BuiltCommand.run(
      ["query", "./run", "SELECT min(committed_at) FROM steps", "--csv"], in: folder.url)
    #expect(times.output.hasSuffix("\n9999-12-31T23:59:59.999Z\n"), "\(times.output)")
  }

  // MARK: Numbers that are not finite

  private let exploding = [
    "--learning-rate", "1e15", "--lr-scheduler-type", "constant", "--max-grad-norm", "0",
    "--eval-steps", "100",
  ]

  @Test("weights that explode stop the run at their step, and the trajectory is named")
  func stopsAtNonfinite() throws {
    let folder = try TemporaryFolder()
    let ended = try ShortJob.train("run", in: folder.url, exploding)
    #expect(ended.code == 1, "\(ended.errors)")
    let sentence = try #require(
      ended.errors.split(separator: "\n").last { $0.contains("error: ") }, "\(ended.errors)")
    for part in ["step 2", "update 1", "row ", "sample ", "on_nonfinite"] {
      #expect(sentence.contains(part), "\(sentence)")
    }
  }

  @Test("weights beyond all numbers stop it at once, and nothing of them is saved")
  func nonfiniteWeights() throws {
    let folder = try TemporaryFolder()
    let more = ["--learning-rate", "1e300", "--on-nonfinite", "skip", "--max-steps", "1"]
    let ended = try ShortJob.train("run", in: folder.url, more)
    #expect(ended.code == 1)
    #expect(ended.errors.contains("is not finite in step 1, update 1"), "\(ended.errors)")
    #expect(!FileManager.default.fileExists(atPath: folder["run/final"].path))
  }

  @Test("or its updates are skipped, as configured, and counted")
  func skipsNonfinite() throws {
    let folder = try TemporaryFolder()
    let ended = try ShortJob.train("run", in: folder.url, exploding + ["--on-nonfinite", "skip"])
    #expect(ended.code == 0, "\(ended.errors)")
    let skipped = try RunResult.metrics(folder["run"]).compactMap { $0["skipped_updates"]?.double }
    #expect(skipped.count == 3 && skipped.allSatisfy { $0 == 1 })
    // The trajectory at fault is named, on the screen and in the log.
    let events = try BuiltCommand.run(
      ["query", "./run", "SELECT message FROM events WHERE kind = 'skipped update'", "--csv"],
      in: folder.url)
    for said in [ended.errors, events.output] {
      #expect(said.contains("is not finite in step 2, update 1, row "), "\(said)")
    }
  }

  @Test("a reward that is no finite number is the completion's failure, not the run's score")
  func nonfiniteReward() throws {
    let folder = try TemporaryFolder()
    let script = """
      #!/bin/sh
      read -r hello
      echo '{"grpo": 1, "name": "wild"}'
      while read -r line; do
        id=$(printf %s "$line" | sed 's/^{"id":\\([0-9]*\\).*/\\1/')
        case $((id % 4)) in
          0) echo "{\\"id\\": $id, \\"score\\": 1e999}" ;;
          1) echo "{\\"id\\": $id, \\"score\\": NaN}" ;;
          *) echo "{\\"id\\": $id, \\"score\\": $((id % 5))}" ;;
        esac
      done
      """
    try Data(script.utf8).write(to: folder["wild.sh"])
    chmod(folder["wild.sh"].path, 0o755)
    let reward = #"{"use": "./wild.sh", "failure_limit": 0.9}"#
    let ended = try ShortJob.train(
      "run", in: folder.url, ["--reward", reward, "--eval-steps", "100", "--sft-stop-at", "none"])
    try #require(ended.code == 0, "\(ended.errors)")
    let counted = try BuiltCommand.run(
      [
        "query", "./run",
        "SELECT status, count(*), count(value), sum(advantage <> 0) FROM scores "
          + "JOIN completions ON id = completion_id GROUP BY status ORDER BY status", "--csv",
      ], in: folder.url)
    let lines = counted.output.split(separator: "\n").map(String.init)
    #expect(lines.count == 3, "\(counted.output)\(counted.errors)")
    #expect(lines.contains("failed,32,0,0"), "\(counted.output)")
    #expect(lines.contains { $0.hasPrefix("scored,32,32,") }, "\(counted.output)")
  }
}
