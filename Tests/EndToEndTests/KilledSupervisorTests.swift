import Foundation
import TestSupport
import Testing

@Suite("A plugin that kills its supervisor")
struct KilledSupervisorTests {
  @Test("fails its completion alone and leaves nothing behind, a setsid grandchild neither")
  func leavesNothing() throws {
    let folder = try TemporaryFolder()
    let marker = folder["sleeper.py"].path
    try Data("import time\ntime.sleep(600)\n".utf8).write(to: folder["sleeper.py"])
    try Data(Self.plugin.replacing("MARKER", with: marker).utf8).write(to: folder["plugin"])
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o755], ofItemAtPath: folder["plugin"].path)
    let rows = ["kill", "good"].map { #"{"prompt": "p", "completion": "\#($0)"}"# }
    try Data((rows.joined(separator: "\n") + "\n").utf8).write(to: folder["rows.jsonl"])
    let ended = try BuiltCommand.run(
      ["reward", "test", "./plugin", "--input", "rows.jsonl", "--json"], in: folder.url)
    let lines = ended.output.split(separator: "\n")
    try #require(lines.count == 2, "\(ended.output) \(ended.errors)")
    #expect(lines[0].contains("its supervisor was killed"), "\(lines[0])")
    #expect(lines[1].contains("\"score\":1"), "\(lines[1])")
    #expect(try Self.processes(mentioning: marker).isEmpty)
  }

  private static let plugin = """
    #!/usr/bin/env python3
    import json, os, signal, sys, time
    sys.stdin.readline()
    print(json.dumps({"grpo": 1, "name": "killer"}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if request["completion"] == "kill":
            for _ in range(3):
                if os.fork() == 0:
                    os.setsid()
                    if os.fork() == 0: os.execv(sys.executable, [sys.executable, "MARKER"])
                    os.execv(sys.executable, [sys.executable, "MARKER"])
            time.sleep(0.2)
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(600)
        print(json.dumps({"id": request["id"], "score": 1}), flush=True)
    """

  /// The processes whose command line holds a text.
  private static func processes(mentioning text: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { name in
      guard Int(name) != nil,
        let words = try? Data(contentsOf: URL(fileURLWithPath: "/proc/\(name)/cmdline"))
      else { return false }
      return String(decoding: words, as: UTF8.self).contains(text)
    }
  }
}
