import Foundation
import Rollouts
import TestSupport
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
  typealias Result = ChildProcess.Result

  /// Runs a command to its end.
  static func run(
    _ words: [String], in folder: URL, environment: [String: String] = [:]
  ) throws -> Result {
    try start(words, in: folder, environment: environment).wait()
  }

  /// Starts a command.
  static func start(
    _ words: [String], in folder: URL, environment: [String: String] = [:]
  ) throws -> ChildProcess {
    try ChildProcess([url.path] + words, in: folder, environment: environment)
  }

  /// Runs lines of shell to their end or the first that fails.
  static func shell(
    _ script: String, in folder: URL, environment: [String: String] = [:]
  ) throws -> Result {
    try ChildProcess(["/bin/sh", "-ec", script], in: folder, environment: environment).wait()
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
