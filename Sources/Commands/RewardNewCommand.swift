import Foundation
import Rollouts

/// `grpo reward new NAME`: a plugin that works as it is, to begin from.
struct RewardNewCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "new", summary: "begin a reward plugin",
      positionals: [
        PositionalSpecification("NAME", help: "letters, digits and hyphens; also the folder's name")
      ],
      options: [
        OptionSpecification(
          "language", .choice(["python", "python-function", "swift", "shell"]), default: "python",
          help: "what it is written in"),
        OptionSpecification(
          "folder", .path, valueName: "FOLDER", default: ".", help: "where its folder is made"),
        OptionSpecification(
          "package", .path, valueName: "FOLDER", defaultDescription: "that of this executable",
          help: "grpo's own checkout, which a Swift plugin depends on"),
      ],
      examples: [
        .init("grpo reward new brevity --language swift", "a package with RewardKit, and rows")
      ])
  }

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    let name = arguments.positional(0) ?? ""
    let folder = try ScaffoldFolder.make(name: name, in: arguments.string("folder"))
    let scaffold: RewardScaffold
    switch arguments.string("language") {
    case "swift":
      scaffold = .swift(
        name: name, package: try ScaffoldFolder.package(arguments.string("package")))
    case "shell": scaffold = .shell(name: name)
    case "python-function": scaffold = .pythonFunction(name: name)
    default: scaffold = .python(name: name)
    }
    try scaffold.write(to: folder)
    context.print("made \(folder.path)")
    for file in scaffold.files { context.print("  \(file.path)") }
    let use = scaffold.use(in: folder)
    let rows = folder.appendingPathComponent("rows.jsonl").relativePath
    context.print("\ntry it:  grpo reward test \(use) --input \(rows)")
    context.print("use it:  grpo train --reward \(use)")
    return .done
  }
}

/// Where a new plugin goes, and what a Swift one depends on.
enum ScaffoldFolder {
  /// The folder of a plugin of this name, which must not be there yet.
  static func make(name: String, in parent: String?) throws -> URL {
    guard name.wholeMatch(of: /[A-Za-z][A-Za-z0-9-]{0,63}/) != nil else {
      throw UsageError(
        "'\(name)' can't be a plugin's name: letters, digits and hyphens, a letter first")
    }
    let folder = URL(fileURLWithPath: parent ?? ".").appendingPathComponent(name)
    guard !FileManager.default.fileExists(atPath: folder.path) else {
      throw UsageError("\(folder.path) exists already: choose another name, or remove it")
    }
    return folder
  }

  /// The checkout that has RewardKit: as given, or the one that this executable was built in.
  static func package(_ given: String?) throws -> URL {
    var folder = URL(fileURLWithPath: given ?? "/proc/self/exe").resolvingSymlinksInPath()
    if given != nil {
      guard isPackage(folder) else {
        throw UsageError("--package \(folder.path) is no checkout of grpo: it has no RewardKit")
      }
      return folder
    }
    while folder.path != "/" {
      if isPackage(folder) { return folder }
      folder.deleteLastPathComponent()
    }
    throw UsageError(
      "a Swift plugin needs grpo's sources, and this executable doesn't lie in a checkout: name one "
        + "with --package")
  }

  private static func isPackage(_ folder: URL) -> Bool {
    ["Package.swift", "Sources/RewardKit"].allSatisfy {
      FileManager.default.fileExists(atPath: folder.appendingPathComponent($0).path)
    }
  }
}
