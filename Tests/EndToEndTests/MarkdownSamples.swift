import Foundation
import Testing

/// The samples of the project's own pages.
enum MarkdownSamples {
  /// A fenced block of a page.
  struct Block: Sendable, CustomTestStringConvertible {
    var page: String
    var line: Int
    var language: String
    var text: String

    var testDescription: String { "\(page):\(line)" }
  }

  /// The project's folder.
  static let project = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// Every block with a language of the README and of docs/.
  static let blocks: [Block] = {
    let docs = project.appendingPathComponent("docs")
    let names = (try? FileManager.default.contentsOfDirectory(atPath: docs.path)) ?? []
    let pages = names.filter { $0.hasSuffix(".md") }.sorted().map { "docs/\($0)" }
    return (["README.md"] + pages).flatMap(blocks)
  }()

  private static func blocks(of page: String) -> [Block] {
    let url = project.appendingPathComponent(page)
    guard let text = try? String(contentsOf: url, encoding: .utf8) else { return [] }
    var blocks: [Block] = []
    var open: Block?
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
    {
      guard line.hasPrefix("```") else {
        open?.text += line + "\n"
        continue
      }
      if let block = open {
        if !block.language.isEmpty { blocks.append(block) }
        open = nil
      } else {
        open = Block(page: page, line: index + 1, language: String(line.dropFirst(3)), text: "")
      }
    }
    return blocks
  }

  /// The examples of every command's help, from the snapshots that the help is held against.
  static let helpExamples: [String] = {
    let folder = project.appendingPathComponent("Tests/CommandsTests/Snapshots")
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.sorted().flatMap { name -> [String] in
      let help = try? String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
      guard let help, let start = help.range(of: "\nExamples\n") else { return [] }
      return help[start.upperBound...].split(separator: "\n")
        .filter { $0.hasPrefix("  grpo ") }.map { String($0.dropFirst(2)) }
    }
  }()
}
