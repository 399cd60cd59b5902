import Foundation
import TestSupport
import Testing

@testable import RewardKit

/// The Python adapter by itself: what it answers to lines of the protocol.
struct AdapterSession {
  /// The greeting; nil where the start failed.
  var greeting: JSONValue?
  /// The replies, in order.
  var replies: [JSONValue]
  /// Standard error.
  var errors: String
  var code: Int32

  /// Starts the adapter for a function, greets it, and sends lines.
  init(
    _ target: String, _ function: String, columns: [String]? = ["answer", "level"],
    parameters: JSONObject = [:], _ lines: [JSONValue], in folder: URL? = nil
  ) throws {
    let hello: JSONValue = [
      "grpo": 1,
      "hello": [
        "columns": columns.map { .array($0.map { .string($0) }) } ?? .null,
        "parameters": .object(parameters), "batch": 1,
      ],
    ]
    let ended = try ChildProcess.run(
      ["python3", "-c", PythonAdapter.source, target, function], in: folder,
      environment: ["PYTHONHASHSEED": "0"],
      input: ([hello] + lines).map { $0.jsonText + "\n" }.joined())
    code = ended.code
    errors = ended.errors
    replies = try ended.output.split(separator: "\n").map { try JSONValue.parse(String($0)) }
    if !replies.isEmpty { greeting = replies.removeFirst() }
  }

  /// The scores, nil for an unscorable completion; `unscorable` and `error` are texts.
  var outcomes: [String] {
    replies.map { reply in
      reply["score"]?.plainText ?? reply["unscorable"]?.string ?? "error: "
        + (reply["error"]?.string ?? "none")
    }
  }

  /// A step's requests: completions with their rows' columns, two to a group.
  static func line(
    _ rows: [(completion: String, columns: JSONObject)], state: JSONValue? = nil,
    isChat: Bool = false
  ) -> JSONValue {
    .array(
      rows.enumerated().map { index, row in
        var request: JSONObject = [
          "id": .integer(Int64(index + 7)), "group": .integer(Int64(index / 2)),
          "prompt": "?", "completion": .string(row.completion),
          "completion_ids": .array(row.completion.utf8.map { .integer(Int64($0)) }),
          "finish": "stop", "columns": .object(row.columns),
        ]
        if isChat {
          request["prompt"] = [["role": "user", "content": "?"]]
          request["completion"] = [["role": "assistant", "content": .string(row.completion)]]
        }
        if let state { request["trainer_state"] = state }
        return .object(request)
      })
  }

  /// Three completions of two groups.
  static let three = line([
    ("a", ["answer": "a", "level": 1]), ("bb", ["answer": "x", "level": 2]),
    ("ccc", ["answer": "ccc", "level": 3]),
  ])
}
