import Foundation
import Testing

@testable import Commands

/// Kept texts that the program must print again.
///
/// After a wanted change: `GRPO_UPDATE_SNAPSHOTS=1 swift test --filter HelpSnapshotTests`, and the
/// difference is looked at before it is committed.
private enum Snapshots {
  static let package = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  static let folder = package.appendingPathComponent("Tests/CommandsTests/Snapshots")
  static let isUpdating = ProcessInfo.processInfo.environment["GRPO_UPDATE_SNAPSHOTS"] == "1"
}

@Suite("The text of --help")
struct HelpSnapshotTests {
  private static let commands = CommandNode(Program.self, path: ["grpo"]).all

  @Test("Each command explains itself as it did when somebody read it", arguments: commands)
  func snapshot(_ node: CommandNode) throws {
    let context = CommandContext.memory()
    #expect(runCommandLine(node.path.dropFirst() + ["--help"], context: context) == .done)
    let text = context.standardOutput.text
    let file = Snapshots.folder.appendingPathComponent(Self.fileName(node))
    if Snapshots.isUpdating { try Data(text.utf8).write(to: file) }
    let kept = try? String(contentsOf: file, encoding: .utf8)
    #expect(text == kept, "GRPO_UPDATE_SNAPSHOTS=1 keeps the new text of \(file.lastPathComponent)")
  }

  @Test("No text is kept of a command that is gone")
  func orphans() throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: Snapshots.folder.path)
    #expect(Set(files) == Set(Self.commands.map(Self.fileName)))
  }

  @Test("Help fits a window of 80 columns", arguments: commands)
  func width(_ node: CommandNode) {
    let context = CommandContext.memory()
    _ = runCommandLine(["help"] + node.path.dropFirst(), context: context)
    for line in context.standardOutput.text.split(separator: "\n") {
      // Examples and layouts of files are kept whole.
      if line.hasPrefix("  ") && !line.hasPrefix("   ") || !line.contains(" ") { continue }
      #expect(TextLayout.width(of: String(line)) <= 80, "\(line)")
    }
  }

  @Test("'help X', 'X --help' and 'X -h' say the same; nothing goes to standard error")
  func spellings() {
    let texts = [["help", "data", "make"], ["data", "make", "--help"], ["data", "make", "-h"]]
      .map { words -> String in
        let context = CommandContext.memory()
        #expect(runCommandLine(words, context: context) == .done)
        #expect(context.standardError.text.isEmpty)
        return context.standardOutput.text
      }
    #expect(Set(texts).count == 1)
  }

  @Test("Examples name commands that exist and options that they have", arguments: commands)
  func examples(_ node: CommandNode) throws {
    for example in node.specification.examples {
      guard example.line.hasPrefix("grpo ") else { continue }
      let words = example.line.split(separator: " ").dropFirst()
        .prefix { !["|", ">", "&&"].contains($0) }.map(String.init)
      // Commands that are written elsewhere may not be part of this build yet.
      guard let call = try? CommandList.resolve(Array(words)), call.path != "grpo" else { continue }
      let options = Set(call.command.specification.options.map { "--" + $0.name } + ["--help"])
      for word in call.words where word.hasPrefix("--") {
        let name = String(word.prefix { $0 != "=" })
        #expect(
          options.contains(name) || options.contains(name.replacing("--no-", with: "--")),
          "\(example.line)")
      }
    }
  }

  private static func fileName(_ node: CommandNode) -> String {
    node.path.joined(separator: "-") + ".txt"
  }
}

extension CommandNode: CustomTestStringConvertible {
  /// The command as it is called, in the output of tests.
  public var testDescription: String { path.joined(separator: " ") }
}

@Suite("docs/configuration.md")
struct SettingsDocumentTests {
  @Test("Its tables are those that 'grpo settings --markdown' prints")
  func tables() throws {
    let file = Snapshots.package.appendingPathComponent("docs/configuration.md")
    let (begin, end) = ("<!-- settings: begin -->\n", "\n<!-- settings: end -->")
    var text = try String(contentsOf: file, encoding: .utf8)
    let first = try #require(text.range(of: begin)?.upperBound)
    let last = try #require(text.range(of: end)?.lowerBound)
    if Snapshots.isUpdating {
      text.replaceSubrange(first..<last, with: SettingsCommand.markdown)
      try Data(text.utf8).write(to: file)
    } else {
      #expect(
        text[first..<last] == SettingsCommand.markdown, "GRPO_UPDATE_SNAPSHOTS=1 writes them anew")
    }
  }
}
