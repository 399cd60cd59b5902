import Foundation
import TestSupport
import Testing

/// The embedded job, so short that it learns nothing but passes through everything.
enum ShortJob {
  /// Its settings, without those that a test sets otherwise.
  static func words(but changes: [String] = []) -> [String] {
    let settings = [
      ("--threads", "2"), ("--sft-steps", "20"), ("--sft-batch-size", "8"), ("--max-steps", "4"),
      ("--prompts-per-step", "4"), ("--num-generations", "4"), ("--warmup-steps", "0"),
      ("--max-eval-rows", "8"), ("--eval-steps", "2"), ("--save-steps", "2"),
      // Right sums are rare this early: what differs among so few completions is how they begin.
      ("--reward", #"{"use": "regex", "parameters": {"pattern": "^[0-2]"}}"#),
    ]
    return settings.filter { !changes.contains($0.0) }.flatMap { [$0, $1] } + changes
  }

  static func train(
    _ run: String, in folder: URL, _ more: [String] = [], environment: [String: String] = [:]
  ) throws -> BuiltCommand.Result {
    try BuiltCommand.run(
      ["train", "--run", "./\(run)"] + words(but: more), in: folder, environment: environment)
  }

  static func resume(
    _ run: String, in folder: URL, environment: [String: String] = [:]
  ) throws -> BuiltCommand.Result {
    try BuiltCommand.run(
      ["train", "--resume", "./\(run)"], in: folder, environment: environment)
  }

  /// The uninterrupted run that the others are held against; made once.
  static let reference: Reference = Reference()

  final class Reference: Sendable {
    let folder: TemporaryFolder?
    let result: RunResult?
    let said: String

    init(_ more: [String] = []) {
      folder = try? TemporaryFolder()
      guard let folder, let ended = try? ShortJob.train("run", in: folder.url, more) else {
        (result, said) = (nil, "the reference could not be run")
        return
      }
      said = ended.errors
      result = ended.code == 0 ? try? RunResult(folder["run"]) : nil
    }
  }

  /// The same of a run that keeps one checkpoint beside the first.
  static let pruning = Reference(keepingOne)
  static let keepingOne = ["--save-total-limit", "1"]

  static func referenceResult() throws -> RunResult {
    try #require(reference.result, "\(reference.said)")
  }
}
