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

  /// How long a command may be tried: what takes long in the short run is left to the long one.
  private static var seconds: Double { ByteMutator.rounds > 2000 ? 60 : 5 }

  @Test func commandLines() async throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("command-fuzz-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let files = folder.appendingPathComponent("files")
    try FileManager.default.createDirectory(at: files, withIntermediateDirectories: true)
    await #expect(processExitsWith: .success) { [place = files.path as String] in
      _ = FileManager.default.changeCurrentDirectoryPath(place)
      try CommandFuzz.prepare()
    }
    for index in CommandFuzz.subjects.indices {
      let place = folder.appendingPathComponent("subject-\(index)")
      try FileManager.default.copyItem(at: files, to: place)
      try await commandLines(index: index, in: place)
      try FileManager.default.removeItem(at: place)
    }
  }

  private func commandLines(index: Int, in folder: URL) async throws {
    let start = ContinuousClock.now
    // A process of its own, which a trap may end; SIGALRM ends what hangs.
    await #expect(processExitsWith: .success) {
      [
        place = folder.path as String, rounds = Self.rounds as Int, index = index as Int,
        seconds = Self.seconds as Double
      ] in
      _ = FileManager.default.changeCurrentDirectoryPath(place)
      let count = CommandFuzz.run(index, seed: UInt64(index) + 1, rounds: rounds, seconds: seconds)
      {
        words in
        alarm(20)
        try? Data(words.joined(separator: "\u{0}").utf8).write(to: URL(fileURLWithPath: "case"))
      }
      try Data("\(count)".utf8).write(to: URL(fileURLWithPath: "count"))
    }
    let count = try? String(contentsOf: folder.appendingPathComponent("count"), encoding: .utf8)
    if ProcessInfo.processInfo.environment["GRPO_FUZZ"] != nil {
      print(
        "fuzz", CommandFuzz.subjects[index].path, count ?? "stopped", ContinuousClock.now - start)
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
