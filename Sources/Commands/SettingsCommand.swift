import Rollouts
import Training

/// `grpo settings`: every setting of a run, for people, programs and the documentation.
struct SettingsCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "settings", summary: "every setting with default, unit and other toolkits' names",
      discussion: """
        The settings are keys of a config file and options of 'grpo train', whose --help explains \
        them; here they are listed, and found by the names that TRL, verl and others give them.
        """,
      positionals: [
        PositionalSpecification(
          "NAME", help: "a setting, or another toolkit's name for it", isRequired: false)
      ],
      options: [
        .json, .flag("markdown", help: "print the tables of docs/configuration.md"),
      ],
      examples: [
        .init("grpo settings rollout.n", "num_generations, and what it means"),
        .init("grpo settings --json", "all of them, for programs"),
      ])
  }

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    var settings = SettingDeclaration.all
    if let name = arguments.positional(0) {
      settings = settings.filter { setting in
        setting.name == name.replacing("-", with: "_")
          || setting.peers.contains { $0.matches(name) }
      }
      if settings.isEmpty {
        let reason = SettingDeclaration.reason(ofAbsent: name)
        throw UsageError("'\(name)' is \(reason ?? "not a setting; see 'grpo settings'")")
      }
    }
    if arguments.flag("markdown") {
      context.print(exactly: Self.markdown)
    } else if arguments.flag("json") {
      context.print(exactly: JSONValue.array(settings.map(Self.json)).prettyJSONText)
    } else {
      var table = Table([.text("setting"), .text("default"), .text("unit"), .text("meaning")])
      for setting in settings {
        table.append(setting.name, Self.defaultText(setting), setting.unit ?? "", setting.help)
      }
      context.print(
        // What was asked by name is read whole.
        table.text(
          width: context.isTerminal ? context.width : nil,
          folds: arguments.positional(0) != nil, style: context.style))
    }
    return .done
  }

  /// The tables of docs/configuration.md: one for each section.
  static var markdown: String {
    var lines: [String] = []
    var section = ""
    for setting in SettingDeclaration.all {
      if setting.section != section {
        section = setting.section
        lines += [
          "", "### \(section)", "", "| setting | default | legal | meaning | elsewhere |",
          "| --- | --- | --- | --- | --- |",
        ]
      }
      let unit = setting.unit.map { " (\($0))" } ?? ""
      let peers = setting.peers.map { "\($0.peer) `\($0.name)`" }.joined(separator: ", ")
      let isFixed = setting.defaultText != nil
      let text = defaultText(setting)
      let legal = (setting.legalValues ?? setting.kind.word) + (setting.acceptsNone ? ", none" : "")
      let cells = [
        "`\(setting.name)`", isFixed ? "`\(text)`" : text, legal, setting.help + unit, peers,
      ]
      lines.append(
        "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |")
    }
    return lines.dropFirst().joined(separator: "\n")
  }

  private static func defaultText(_ setting: SettingDeclaration) -> String {
    setting.defaultText ?? setting.absent ?? ""
  }

  private static func json(_ setting: SettingDeclaration) -> JSONValue {
    .object([
      "name": .string(setting.name), "section": .string(setting.section),
      "kind": .string(setting.kind.word),
      "default": setting.value(in: RunConfiguration()),
      "absent": setting.absent.map(JSONValue.string) ?? .null,
      "unit": setting.unit.map(JSONValue.string) ?? .null,
      "legal": setting.legalValues.map(JSONValue.string) ?? .null,
      "nullable": .bool(setting.acceptsNone),
      "help": .string(setting.help),
      "elsewhere": .array(
        setting.peers.map { peer in
          ["toolkit": .string(peer.peer), "name": .string(peer.name)]
        }),
    ])
  }
}

extension SettingKind {
  /// The kind in a word.
  fileprivate var word: String {
    switch self {
    case .boolean: "boolean"
    case .integer: "whole number"
    case .number: "number"
    case .choice: "choice"
    case .text: "text"
    case .path: "path"
    case .bytes: "size"
    case .object: "object"
    case .list: "list of texts"
    case .values: "list of texts or objects"
    }
  }
}
