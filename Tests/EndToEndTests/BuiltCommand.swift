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
  final class Running {
    private let process = Process()
    private let folder: TemporaryFolder

    init(_ words: [String], in place: URL, environment: [String: String] = [:]) throws {
      folder = try TemporaryFolder()
      process.executableURL = BuiltCommand.url
      process.arguments = words
      process.currentDirectoryURL = place
      process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
      // Into files: a pipe that nobody empties would stop the command.
      for name in ["output", "errors"] {
        FileManager.default.createFile(atPath: folder[name].path, contents: nil)
      }
      process.standardOutput = try FileHandle(forWritingTo: folder["output"])
      process.standardError = try FileHandle(forWritingTo: folder["errors"])
      process.standardInput = FileHandle.nullDevice
      try process.run()
    }

    deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

    var isRunning: Bool { process.isRunning }

    func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    func wait() throws -> Result {
      process.waitUntilExit()
      let code = process.terminationStatus
      return Result(
        code: process.terminationReason == .uncaughtSignal ? -code : code,
        output: try String(contentsOf: folder["output"], encoding: .utf8),
        errors: try String(contentsOf: folder["errors"], encoding: .utf8))
    }

    /// Waits until a condition holds; false where the command ended first.
    func wait(until condition: () -> Bool) -> Bool {
      while process.isRunning {
        if condition() { return true }
        usleep(1000)
      }
      return condition()
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
    weights = try Data(contentsOf: run.appendingPathComponent("final/model.safetensors"))
    metrics = try Self.metrics(run).map { line in
      var line = line
      for key in line.keys where key.hasPrefix("time/") { line[key] = nil }
      return JSONValue.object(line).jsonText
    }
    let export = try BuiltCommand.run(
      ["log", "export", run.path, "--canonical"], in: run.deletingLastPathComponent())
    log = export.code == 0 ? export.output : export.errors
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
