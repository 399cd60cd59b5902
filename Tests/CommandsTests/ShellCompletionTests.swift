import Foundation
import TestSupport
import Testing

@testable import Commands

@Suite("Completion in shells")
struct ShellCompletionTests {
  private static let root = CommandNode(Program.self, path: ["grpo"])

  private static func path(of program: String) -> String? {
    ["/bin/", "/usr/bin/", "/usr/local/bin/"].map { $0 + program }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  /// What a shell prints for a script.
  private func output(_ shell: String, _ arguments: [String], _ script: String) throws -> String {
    let program = try #require(Self.path(of: shell))
    let ended = try ChildProcess.run([program] + arguments, input: script)
    return ended.output + ended.errors
  }

  @Test(
    "bash offers commands, options and values", .enabled(if: path(of: "bash") != nil),
    arguments: [
      (["grpo", "dat"], "data"), (["grpo", "data", "ma"], "make"),
      (["grpo", "data", "make", "count"], "countdown"),
      (["grpo", "data", "make", "sort", "--ev"], "--eval-rows"),
      (["grpo", "objective", "--scale-rewards", "b"], "batch"),
      (["grpo", "completions", "z"], "zsh"),
      (["grpo", "train", "--like", "dr"], "dr-grpo"),
      (["grpo", "train", "--reward", "num"], "numeric"),
      (["grpo", "query", "latest", "wor"], "worst"),
    ])
  func bash(words: [String], offer: String) throws {
    let list = words.map { "'\($0)'" }.joined(separator: " ")
    let script =
      ShellCompletion.bash(Self.root)
      + "\nCOMP_WORDS=(\(list)); COMP_CWORD=\(words.count - 1); _grpo; printf '%s\\n' \"${COMPREPLY[@]}\"\n"
    let offers = try output("bash", ["--norc"], script).split(separator: "\n").map(String.init)
    #expect(offers.contains(offer), "\(offers)")
  }

  @Test("zsh reads its script", .enabled(if: path(of: "zsh") != nil))
  func zsh() throws {
    #expect(try output("zsh", ["-n"], ShellCompletion.zsh(Self.root)).isEmpty)
  }

  @Test("fish reads its script", .enabled(if: path(of: "fish") != nil))
  func fish() throws {
    #expect(try output("fish", ["--no-execute"], ShellCompletion.fish(Self.root)).isEmpty)
  }

  @Test("Each script knows each command and option")
  func completeness() {
    let scripts = [
      ShellCompletion.bash(Self.root), ShellCompletion.zsh(Self.root),
      ShellCompletion.fish(Self.root),
    ]
    for node in Self.root.all {
      for option in node.options {
        for script in scripts { #expect(script.contains(option.name), "\(option.name)") }
      }
    }
  }
}
