import BuiltInRewards
import Foundation
import RewardKit
import TestSupport

/// A temporary folder of plugin scripts, gone with the test.
final class PluginFolder {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory
      .appendingPathComponent("grpo-rewards-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit {
    try? FileManager.default.removeItem(at: url)
  }

  /// Writes a file; its path.
  func file(_ name: String, _ text: String, executable: Bool = false) throws -> String {
    let path = url.appendingPathComponent(name).path
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    if executable {
      try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    }
    return path
  }

  /// Writes an executable Python plugin whose loop handles one request `r` and may `reply(…)`.
  func plugin(_ body: String, greeting: String = "", setUp: String = "") throws -> String {
    let indented = body.split(separator: "\n").map { "    \($0)" }.joined(separator: "\n")
    return try file(
      "plugin.py",
      """
      #!/usr/bin/env python3
      import sys, json, os, time, signal
      def reply(**r): print(json.dumps(r), flush=True)
      hello = json.loads(sys.stdin.readline())["hello"]
      \(setUp)
      reply(grpo=1, name="test"\(greeting))
      for line in sys.stdin:
          r = json.loads(line)
          rid, text, columns = r["id"], r["completion"], r["columns"]
      \(indented)
      """, executable: true)
  }
}

/// A request about a text.
func request(
  _ id: Int, _ text: String, columns: JSONObject = [:], group: Int? = nil,
  prompt: Prompt = .text("?"), tokens: [TokenID] = [], finish: FinishReason = .stop
) -> RewardRequest {
  RewardRequest(
    id: id, group: group ?? id,
    problem: Problem(index: id, prompt: prompt, columns: columns),
    completion: Completion(text: text, tokens: tokens, finish: finish))
}

/// A suite of specifications in config form.
func suite(_ json: JSONValue, columns: [String]? = nil) throws -> RewardSuite {
  try RewardSuite(
    RewardSpecification.list(from: json), columns: columns, catalogue: .shipped)
}

extension ScoredCompletion {
  /// The score of the first reward, nil where it isn't scored.
  var score: Score? {
    if case .scored(let score) = outcomes[0].scoring { return score }
    return nil
  }

  /// The error of the first reward, nil where it didn't fail.
  var error: String? {
    if case .failed(let error) = outcomes[0].scoring { return error }
    return nil
  }
}

/// The processes whose command line holds a text, wherever they hang in the tree.
func processes(mentioning text: String) -> [String] {
  let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
  return names.filter { Int($0) != nil }.compactMap { name in
    guard let file = FileHandle(forReadingAtPath: "/proc/\(name)/cmdline"),
      let data = try? file.readToEnd()
    else { return nil }
    let line = String(decoding: data, as: UTF8.self).replacing("\0", with: " ")
    return line.contains(text) ? "\(name): \(line)" : nil
  }
}
