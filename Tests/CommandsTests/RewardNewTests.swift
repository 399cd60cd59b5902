import Foundation
import Rollouts
import Testing

@testable import Commands

/// A new plugin is one that works: what `grpo reward new` writes passes `grpo reward test` untouched.
@Suite("grpo reward new") struct RewardNewTests {
  private static let builds =
    ProcessInfo.processInfo.environment["GRPO_BUILD_PLUGINS"] != nil

  /// The checkout that these tests belong to.
  private static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path

  private func run(_ words: [String]) -> (code: ExitCode, output: String, errors: String) {
    let context = CommandContext.memory()
    let code = runCommandLine(words, context: context)
    return (code, context.standardOutput.text, context.standardError.text)
  }

  private func makeAndTest(_ language: String, entry: String) throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("reward-new-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let made = run([
      "reward", "new", "my-reward", "--language", language, "--folder", folder.path,
      "--package", Self.package,
    ])
    try #require(made.code == .done, "\(made.errors)")
    let plugin = folder.appendingPathComponent("my-reward")
    let tested = run([
      "reward", "test", entry.isEmpty ? plugin.path : plugin.appendingPathComponent(entry).path,
      "--json",
      "--input", plugin.appendingPathComponent("rows.jsonl").path,
    ])
    #expect(tested.code == .done, "\(tested.errors)")
    let scores = try tested.output.split(separator: "\n").map {
      try JSONValue.parse(String($0))["score"]?.double
    }
    // The rows are "4" and "It might be 5."; the shell's example looks for a digit alone.
    #expect(scores == (language == "shell" ? [1, 1] : [1, 0]))
    let again = run(["reward", "new", "my-reward", "--folder", folder.path])
    #expect(again.code == .usage && again.errors.contains("exists already"))
  }

  @Test(arguments: [
    ("python", "my_reward.py"), ("python-function", "my_reward.py"), ("shell", "my-reward.sh"),
  ])
  func scriptsWorkAsTheyAre(language: String, entry: String) throws {
    try makeAndTest(language, entry: entry)
  }

  @Test(.enabled(if: builds, "set GRPO_BUILD_PLUGINS to build a package, which takes a minute"))
  func aSwiftPackageBuildsAndWorksAsItIs() throws {
    try makeAndTest("swift", entry: "")
  }

  @Test(arguments: ["", "9lives", "a b", "../up", "ünï"])
  func namesThatCantBeFoldersAreRefused(name: String) {
    #expect(run(["reward", "new", name]).code == .usage)
  }
}
