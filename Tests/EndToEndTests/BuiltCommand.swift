import Foundation
import Rollouts
import Testing

/// The built `grpo`, run as a user runs it.
enum BuiltCommand {
  /// The executable that was built beside these tests.
  static let url: URL = {
    let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
    return URL(fileURLWithPath: tests ?? CommandLine.arguments[0])
      .deletingLastPathComponent().appendingPathComponent("grpo")
  }()

  /// How a command ended, and what it said.
  struct Result {
    /// The exit code, or minus the signal that ended it.
    var code: Int32
    var output: String
    var errors: String
  }

  /// Runs a command to its end.
  static func run(
    _ words: [String], in folder: URL, environment: [String: String] = [:]
  ) throws -> Result {
    try Running(words, in: folder, environment: environment).wait()
  }

  /// A command that runs; killed where it is forgotten.
  ///
  /// Not `Foundation.Process`: that learns of an exit by a descriptor that other children inherit, so that
  /// a server which another test started keeps it waiting for ever.
  final class Running {
    private let process: pid_t
    private let folder: TemporaryFolder
    private var status: Int32?

    init(_ words: [String], in place: URL, environment: [String: String] = [:]) throws {
      folder = try TemporaryFolder()
      var actions = posix_spawn_file_actions_t()
      posix_spawn_file_actions_init(&actions)
      defer { posix_spawn_file_actions_destroy(&actions) }
      posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
      // Into files: a pipe that nobody empties would stop the command.
      for (descriptor, name) in [(STDOUT_FILENO, "output"), (STDERR_FILENO, "errors")] {
        posix_spawn_file_actions_addopen(
          &actions, descriptor, folder[name].path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
      }
      // Threads of a test run block signals, and a child would inherit that.
      var attributes = posix_spawnattr_t()
      posix_spawnattr_init(&attributes)
      defer { posix_spawnattr_destroy(&attributes) }
      var none = sigset_t()
      sigemptyset(&none)
      posix_spawnattr_setsigmask(&attributes, &none)
      posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

      let all = ProcessInfo.processInfo.environment.merging(environment) { $1 }
      // env goes to the folder, which no portable action of posix_spawn does, and becomes the command.
      let line = ["env", "-C", place.path, BuiltCommand.url.path] + words
      var arguments = line.map { strdup($0) } + [nil]
      var variables = all.map { strdup("\($0)=\($1)") } + [nil]
      defer { for text in arguments + variables { free(text) } }
      var started = pid_t()
      let code = posix_spawn(
        &started, "/usr/bin/env", &actions, &attributes, &arguments, &variables)
      guard code == 0 else { throw POSIXError(POSIXErrorCode(rawValue: code) ?? .EIO) }
      process = started
    }

    deinit {
      guard status == nil else { return }
      kill(process, SIGKILL)
      var ignored: Int32 = 0
      waitpid(process, &ignored, 0)
    }

    func signal(_ number: Int32) { if isRunning { kill(process, number) } }

    var isRunning: Bool {
      look(WNOHANG)
      return status == nil
    }

    func wait() throws -> Result {
      while status == nil { look(0) }
      let status = status ?? 0
      let signal = status & 0x7F
      return Result(
        code: signal != 0 ? -signal : status >> 8 & 0xFF,
        output: try String(contentsOf: folder["output"], encoding: .utf8),
        errors: try String(contentsOf: folder["errors"], encoding: .utf8))
    }

    /// Waits until a condition holds; false where the command ended first.
    func wait(until condition: () -> Bool) -> Bool {
      while isRunning {
        if condition() { return true }
        usleep(1000)
      }
      return condition()
    }

    private func look(_ options: Int32) {
      guard status == nil else { return }
      var found: Int32 = 0
      if waitpid(process, &found, options) == process { status = found }
    }
  }
}

/// A folder of its own for one test, gone with it.
final class TemporaryFolder: Sendable {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory
      .appendingPathComponent("end-to-end-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  subscript(name: String) -> URL { url.appendingPathComponent(name) }
}

/// What a finished run left, as far as it is a function of its inputs.
struct RunResult: Equatable {
  var weights: Data
  var metrics: [String]
  var log: String

  init(_ run: URL) throws {
    let final = run.appendingPathComponent("final")
    let adapter = final.appendingPathComponent("adapter_model.safetensors")
    let isAdapter = FileManager.default.fileExists(atPath: adapter.path)
    weights = try Data(
      contentsOf: isAdapter ? adapter : final.appendingPathComponent("model.safetensors"))
    metrics = try Self.metrics(run).map { line in
      var line = line
      for key in line.keys where key.hasPrefix("time/") { line[key] = nil }
      return JSONValue.object(line).jsonText
    }
    let export = try BuiltCommand.run(
      ["log", "export", run.path, "--canonical"], in: run.deletingLastPathComponent())
    log = export.code == 0 ? export.output : try Self.trajectories(run)
  }

  /// The trajectories and what became of them, bit for bit, as the log's tables have them.
  private static func trajectories(_ run: URL) throws -> String {
    let queries = [
      """
      SELECT step, draw, sample, reward, advantage, hex(token_ids), hex(sampler_logprobs),
        hex(entropies)
      FROM completions JOIN completion_tokens ON completion_id = completions.id
        JOIN groups ON groups.id = group_id JOIN steps ON steps.id = completions.step_id
      ORDER BY step, draw, sample
      """,
      """
      SELECT step, update_index, name, value FROM metrics JOIN steps ON steps.id = step_id
      WHERE name NOT LIKE 'time/%' ORDER BY step, update_index, name
      """,
    ]
    return try queries.map { query in
      let ended = try BuiltCommand.run(
        ["query", run.path, query, "--csv"],
        in: run.deletingLastPathComponent())
      return try #require(ended.code == 0 ? ended.output : nil, "\(ended.errors)")
    }.joined()
  }

  /// The lines of `metrics.jsonl`.
  static func metrics(_ run: URL) throws -> [JSONObject] {
    let text = try String(contentsOf: run.appendingPathComponent("metrics.jsonl"), encoding: .utf8)
    return try text.split(separator: "\n").map { line in
      try #require(try JSONValue.parse(String(line)).object)
    }
  }

  /// Says whether two runs came to the same, part by part: a difference of megabytes is no message.
  static func expectSame(
    _ run: URL, _ reference: RunResult, _ comment: Comment? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let result = try RunResult(run)
    let sameWeights = result.weights == reference.weights
    let sameLog = result.log == reference.log
    #expect(sameWeights, comment, sourceLocation: sourceLocation)
    #expect(result.metrics == reference.metrics, comment, sourceLocation: sourceLocation)
    #expect(sameLog, comment, sourceLocation: sourceLocation)
  }
}
