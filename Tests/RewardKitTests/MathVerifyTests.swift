import Foundation
import RewardKit
import Testing

/// The reward that asks math-verify, with a stand-in for the library.
@Suite("math-verify") struct MathVerifyTests {
  /// A Python that finds a library of two functions under math-verify's name, or none.
  private func python(installed: Bool) throws -> (path: String, calls: URL) {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "math-verify-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let calls = folder.appendingPathComponent("calls")
    if installed {
      let library = """
        def parse(text, parsing_timeout):
            assert parsing_timeout is None
            open("\(calls.path)", "a").write(text + "\\n")
            if "unparsable" in text:
                return [text]
            if "raises" in text:
                raise ValueError("no such thing")
            return [float(word) for word in text.replace("$", " ").split() if word.isdigit()]
        def verify(gold, given, timeout_seconds, strict, **settings):
            assert timeout_seconds is None
            return gold == given
        """
      try library.write(
        to: folder.appendingPathComponent("math_verify.py"), atomically: true, encoding: .utf8)
      for name in ["math_verify", "latex2sympy2_extended", "sympy"] {
        let info = folder.appendingPathComponent("\(name)-1.2.3.dist-info")
        try FileManager.default.createDirectory(at: info, withIntermediateDirectories: true)
        try "Metadata-Version: 2.1\nName: \(name)\nVersion: 1.2.3\n".write(
          to: info.appendingPathComponent("METADATA"), atomically: true, encoding: .utf8)
      }
    }
    let wrapper = folder.appendingPathComponent("python")
    try "#!/bin/sh\nPYTHONPATH=\(folder.path) exec python3 -S \"$@\"\n".write(
      to: wrapper, atomically: true, encoding: .utf8)
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o755], ofItemAtPath: wrapper.path)
    return (wrapper.path, calls)
  }

  private func request(_ id: Int, _ text: String, _ answer: JSONValue) -> RewardRequest {
    RewardRequest(
      id: id, group: id,
      problem: Problem(index: id, prompt: .text("?"), columns: ["answer": answer]),
      completion: Completion(text: text, tokens: [], finish: .stop))
  }

  @Test("it judges, parses a gold once, and says which versions it used")
  func judges() throws {
    let (python, calls) = try python(installed: true)
    let suite = try suite([["use": "math-verify", "python": .string(python)]], columns: ["answer"])
    defer { suite.shutDown() }
    #expect(
      suite.rewards[0].version?.hasPrefix("math-verify 1.2.3, latex2sympy2_extended 1.2.3") == true)
    let scored = try suite.score([
      request(0, "so 7", "7"), request(1, "so 8", "7"), request(2, "so 6", ["7", "6"]),
      request(3, "so", "7"), request(4, "7", ""), request(5, "7", "unparsable"),
      request(6, "raises", "7"), request(7, "so 7", ["7", " "]),
    ])
    #expect(scored.map(\.total) == [1, 0, 1, 0, nil, nil, nil, nil])
    #expect(scored[6].error?.contains("ValueError: no such thing") == true)
    for index in [4, 5, 7] {
      guard case .unscorable = scored[index].outcomes[0].scoring else {
        Issue.record("row \(index) is not unscorable")
        continue
      }
    }
    let texts = try String(contentsOf: calls, encoding: .utf8).split(separator: "\n")
    #expect(texts.count { $0 == "$7$" } == 1)
  }

  @Test("rows without an answer are named before a run, by the data's own column")
  func emptyAnswers() throws {
    let (python, _) = try python(installed: true)
    let suite = try suite(
      [["use": "math-verify", "python": .string(python), "columns": ["answer": "gold"]]],
      columns: ["gold"])
    defer { suite.shutDown() }
    let folder = try PluginFolder()
    let path = try folder.file(
      "rows.jsonl",
      """
      {"prompt": "a", "gold": "5"}
      {"prompt": "b", "gold": " "}
      {"prompt": "c", "gold": null}

      """)
    let dataset = try Dataset.read(path)
    let faults = suite.faults(in: dataset)
    #expect(faults.count == 1)
    #expect(faults.first?.contains("cannot score 2 of 3 rows of \(dataset.name): line 2: ") == true)
  }

  @Test("its absence ends the start with what to install")
  func absent() throws {
    let (python, _) = try python(installed: false)
    do {
      _ = try suite([["use": "math-verify", "python": .string(python)]], columns: ["answer"])
      Issue.record("it started")
    } catch let error as RewardError {
      #expect(error.faults.joined().contains("-m pip install math-verify"))
    }
  }
}
