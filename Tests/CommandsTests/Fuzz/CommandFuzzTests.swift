import Foundation
import TestSupport
import Testing

@testable import Commands

/// Every command line must be done or refused; a trap or a hang fails the test and names it.
@Suite("Command lines of boundary values", .serialized)
struct CommandFuzzTests {
  /// How many of each command: 2,000 in all by default; `GRPO_FUZZ=100000` for the long run of each.
  private static var rounds: Int {
    ByteMutator.rounds > 2000 ? ByteMutator.rounds : 2000 / CommandFuzz.subjects.count
  }

  @Test(arguments: CommandFuzz.subjects.indices)
  func commandLines(index: Int) async throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("command-fuzz-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    // A process of its own, which a trap may end; SIGALRM ends what hangs.
    await #expect(processExitsWith: .success) {
      [place = folder.path as String, rounds = Self.rounds as Int, index = index as Int] in
      _ = FileManager.default.changeCurrentDirectoryPath(place)
      try CommandFuzz.prepare()
      let count = CommandFuzz.run(index, seed: UInt64(index) + 1, rounds: rounds, seconds: 60) {
        words in
        alarm(20)
        try? Data(words.joined(separator: "\u{0}").utf8).write(to: URL(fileURLWithPath: "case"))
      }
      try Data("\(count)".utf8).write(to: URL(fileURLWithPath: "count"))
    }
    let count = try? String(contentsOf: folder.appendingPathComponent("count"), encoding: .utf8)
    if ByteMutator.rounds > 2000 {
      print("fuzz", CommandFuzz.subjects[index].path, count ?? "stopped")
    }
    if count == nil {
      let config = try? String(
        contentsOf: folder.appendingPathComponent("c.json5"), encoding: .utf8)
      let words = try? String(contentsOf: folder.appendingPathComponent("case"), encoding: .utf8)
      let line = (words ?? "before the first").split(
        separator: "\u{0}", omittingEmptySubsequences: false)
      Issue.record(
        """
        grpo \(line.map { ShellWord.quoted(String($0)) }.joined(separator: " "))
        c.json5: \(config ?? "none")
        """)
    }
  }
}
