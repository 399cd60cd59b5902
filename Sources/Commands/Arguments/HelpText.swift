import Training

/// The text of `--help`, made from a command's declaration.
struct HelpText {
  private let path: String
  private let specification: CommandSpecification
  private let style: Style
  private let width: Int

  init(_ call: CommandList.Call, _ context: CommandContext) {
    path = call.path
    specification = call.command.specification
    style = context.style
    // Wider lines than this are hard to read, whatever the window.
    width = min(max(context.width, 60), 100)
  }

  /// The whole text, without a final line break.
  var text: String {
    var parts = [style.bold(path) + " — " + specification.summary, "usage: " + usage]
    if !specification.discussion.isEmpty {
      let paragraphs = specification.discussion.split(separator: "\n\n")
      parts += paragraphs.map { TextLayout.wrap(String($0), width: width).joined(separator: "\n") }
    }
    if !specification.subcommands.isEmpty { parts.append(commandList) }
    if !specification.positionals.isEmpty {
      let rows = specification.positionals.map { ($0.name, $0.help) }
      parts.append(section("Arguments", rows))
    }
    parts += optionSections
    if !specification.examples.isEmpty { parts.append(examples) }
    return parts.joined(separator: "\n\n")
  }

  private var usage: String {
    var words = [path]
    if !specification.subcommands.isEmpty { words.append("COMMAND") }
    if !specification.options.isEmpty { words.append("[options]") }
    for positional in specification.positionals {
      let name = positional.name + (positional.repeats ? "…" : "")
      words.append(positional.isRequired ? name : "[\(name)]")
    }
    return words.joined(separator: " ")
  }

  private var commandList: String {
    let rows = specification.subcommands.map { $0.specification }.filter { !$0.isHidden }
      .map { ($0.name, $0.summary) }
    return section("Commands", rows)
      + "\n\n" + "'\(path) COMMAND --help' explains each."
  }

  /// Options under their headings, in order of first appearance.
  private var optionSections: [String] {
    var headings: [String] = []
    var rows: [String: [(String, String)]] = [:]
    for option in specification.options {
      let heading = option.section ?? "Options"
      if rows[heading] == nil { headings.append(heading) }
      rows[heading, default: []].append((Self.face(of: option), Self.explanation(of: option)))
    }
    return headings.map { section($0, rows[$0] ?? []) }
  }

  /// `-o, --output FILE`.
  private static func face(of option: OptionSpecification) -> String {
    var face = option.short.map { "-\($0), " } ?? ""
    face += (option.kind == .boolean ? "--[no-]" : "--") + option.name
    if let placeholder = option.valueName ?? option.kind.placeholder { face += " " + placeholder }
    if option.acceptsNone { face += "|" + SettingDeclaration.none }
    return face
  }

  /// "how many rows (tokens; default 10; repeats)".
  private static func explanation(of option: OptionSpecification) -> String {
    var notes: [String] = []
    if let unit = option.unit { notes.append(unit) }
    if let text = option.defaultDescription ?? option.defaultValue {
      notes.append("default \(text.isEmpty ? "empty" : text)")
    }
    if option.repeats { notes.append("may be repeated") }
    return notes.isEmpty ? option.help : option.help + " (\(notes.joined(separator: "; ")))"
  }

  private var examples: String {
    var lines = [style.bold("Examples")]
    for example in specification.examples {
      lines.append("  " + example.line)
      lines += TextLayout.wrap(example.meaning, width: width - 6).map { "      " + style.dim($0) }
    }
    return lines.joined(separator: "\n")
  }

  /// A heading and two columns: names, and explanations wrapped beside them.
  private func section(_ heading: String, _ rows: [(String, String)]) -> String {
    let indent = 2
    let longest = rows.map { TextLayout.width(of: $0.0) }.filter { $0 <= 30 }.max() ?? 0
    let column = indent + longest + 2
    var lines = [style.bold(heading)]
    for (name, explanation) in rows {
      let wrapped = TextLayout.wrap(explanation, width: width - column)
      let head = String(repeating: " ", count: indent) + name
      let margin = String(repeating: " ", count: column)
      if TextLayout.width(of: head) + 2 > column {
        lines.append(head)
        lines += wrapped.map { margin + $0 }
      } else {
        lines.append(TextLayout.pad(head, to: column) + (wrapped.first ?? ""))
        lines += wrapped.dropFirst().map { margin + $0 }
      }
    }
    return lines.joined(separator: "\n")
  }
}
