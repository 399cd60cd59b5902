import BuiltInRewards
import Foundation
import RewardKit
import Rollouts

/// `grpo reward list [NAME …]`: the rewards that ship, and those in a folder.
struct RewardListCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "list", summary: "the rewards there are, or the settings of some",
      positionals: [
        PositionalSpecification(
          "NAME", help: "built-in rewards whose settings are shown", isRequired: false,
          repeats: true, suggestions: RewardCatalogue.shipped.names)
      ],
      options: [
        OptionSpecification(
          "folder", .path, valueName: "FOLDER", default: "Rewards",
          help: "a folder whose plugins are listed as well"),
        .json,
      ],
      examples: [.init("grpo reward list numeric", "the settings of a built-in")])
  }

  /// A reward that was found.
  private struct Found {
    var name: String
    var place: String
    var kind: String
    var range: String
    var summary: String
  }

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    if !arguments.positionals.isEmpty {
      for name in arguments.positionals { try describe(name, arguments, context) }
      return .done
    }
    let found = shipped() + plugins(in: arguments.string("folder") ?? "Rewards")
    if arguments.flag("json") {
      let list: [JSONValue] = found.map {
        [
          "name": .string($0.name), "place": .string($0.place), "kind": .string($0.kind),
          "range": .string($0.range), "summary": .string($0.summary),
        ]
      }
      context.print(exactly: JSONValue.array(list).prettyJSONText)
      return .done
    }
    var table = Table([
      .text("reward"), .text("kind"), .text("range"), .text("where"), .text("what it rewards"),
    ])
    for reward in found {
      table.append(reward.name, reward.kind, reward.range, reward.place, reward.summary)
    }
    context.print(table.text(width: context.width, style: context.style))
    return .done
  }

  private func shipped() -> [Found] {
    let catalogue = RewardCatalogue.shipped
    let inProcess = catalogue.builtIns.map { type in
      // The range may follow from settings that must be given: then it isn't known here.
      let reward = try? type.init(
        parameters: RewardParameters([:], declared: type.about.parameters))
      return Found(
        name: type.about.name, place: "grpo", kind: RewardKind.builtIn.rawValue,
        range: reward.map { RewardWords.text(of: $0.range) } ?? "by settings",
        summary: type.about.summary)
    }
    let scripts = catalogue.scripts.map {
      Found(
        name: $0.about.name, place: "grpo", kind: RewardKind.shipped.rawValue, range: "0 … 1",
        summary: $0.about.summary)
    }
    let executables = catalogue.executables.map {
      Found(
        name: $0.name, place: $0.file, kind: RewardKind.shipped.rawValue, range: "any",
        summary: "scores from an HTTP service or an OpenAI-compatible judge")
    }
    return inProcess + scripts + executables
  }

  /// Packages, executables and Python files, at most two folders deep.
  private func plugins(in folder: String) -> [Found] {
    let files = FileManager.default
    func names(_ path: String) -> [String] {
      ((try? files.contentsOfDirectory(atPath: path)) ?? []).filter { !$0.hasPrefix(".") }.sorted()
    }
    var found: [Found] = []
    func look(at path: String, depth: Int) {
      var isFolder: ObjCBool = false
      guard files.fileExists(atPath: path, isDirectory: &isFolder) else { return }
      let name = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
      func add(_ kind: RewardKind, _ summary: String = "") {
        found.append(
          Found(name: name, place: path, kind: kind.rawValue, range: "any", summary: summary))
      }
      if isFolder.boolValue {
        if files.fileExists(atPath: path + "/Package.swift") { return add(.swiftPackage) }
        if depth < 2 { for name in names(path) { look(at: "\(path)/\(name)", depth: depth + 1) } }
      } else if files.isExecutableFile(atPath: path) {
        add(.executable)
      } else if path.hasSuffix(".py"), !path.contains("/BuiltIn/") {
        add(.pythonFunction, "name a function: \(path):FUNCTION")
      }
    }
    for name in names(folder) { look(at: "\(folder)/\(name)", depth: 1) }
    return found
  }

  private func describe(
    _ name: String, _ arguments: ParsedArguments, _ context: CommandContext
  ) throws {
    let catalogue = RewardCatalogue.shipped
    let all = catalogue.builtIns.map { $0.about } + catalogue.scripts.map(\.about)
    guard let about = all.first(where: { $0.name == name.replacing("-", with: "_") }) else {
      let nearest = Spelling.nearest(to: name, among: all.map(\.name))
      throw UsageError(
        "no built-in reward is named '\(name)'"
          + (nearest.map { "; did you mean '\($0)'?" } ?? "; see 'grpo reward list'"))
    }
    context.print("\(context.style.bold(about.name)): \(about.summary)")
    if !about.columns.isEmpty { context.print("reads: \(about.columns.joined(separator: ", "))") }
    if !about.source.isEmpty { context.print("source: \(about.source)") }
    guard !about.parameters.isEmpty else { return }
    var table = Table([.text("parameter"), .text("default"), .text("what it does")])
    for parameter in about.parameters {
      table.append(
        parameter.name, parameter.standard?.jsonText ?? "must be given", parameter.summary)
    }
    context.print(table.text(width: context.width, style: context.style) + "\n")
  }
}
