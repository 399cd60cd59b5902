import Rollouts
import Training

/// Turns words into `ParsedArguments`, collecting every fault before it speaks.
struct ArgumentParser {
  private let specification: CommandSpecification
  private let optionsByName: [String: OptionSpecification]
  private var arguments: ParsedArguments
  private var faults: [String] = []
  private var words: ArraySlice<String>

  /// Reads the words that follow the command's name.
  /// - Throws: `UsageError` with all faults, unless the command reports them itself.
  static func parse(
    _ words: ArraySlice<String>, for specification: CommandSpecification, commandPath: String
  ) throws(UsageError) -> ParsedArguments {
    var parser = ArgumentParser(words, specification, commandPath)
    parser.readWords()
    parser.checkPositionals()
    if specification.reportsFaultsItself {
      parser.arguments.faults = parser.faults
    } else if !parser.faults.isEmpty {
      throw UsageError(parser.faults)
    }
    return parser.arguments
  }

  private init(
    _ words: ArraySlice<String>, _ specification: CommandSpecification, _ commandPath: String
  ) {
    self.words = words
    self.specification = specification
    arguments = ParsedArguments(commandPath: commandPath, options: specification.options)
    optionsByName = Dictionary(specification.options.map { ($0.name, $0) }) { first, _ in first }
  }

  private mutating func readWords() {
    while let word = words.popFirst() {
      if word == "--" {
        arguments.positionals += words
        words = []
      } else if word.hasPrefix("--") {
        readLong(word.dropFirst(2))
      } else if word.hasPrefix("-"), word.count > 1, Double(word) == nil {
        readShort(word.dropFirst())
      } else {
        arguments.positionals.append(word)
      }
    }
  }

  /// Reads `--name`, `--name=value`, `--name value`, `--no-name`.
  private mutating func readLong(_ body: Substring) {
    let parts = body.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let written = String(parts[0])
    let value = parts.count > 1 ? String(parts[1]) : nil
    let name = written.replacing("_", with: "-").lowercased()
    if let option = optionsByName[name] {
      read(option, spelled: "--" + written, value: value)
    } else if name.hasPrefix("no-"), let option = optionsByName[String(name.dropFirst(3))],
      option.kind == .boolean, value == nil
    {
      arguments.add("false", to: option)
    } else {
      faults.append(unknown(option: "--" + written, name: written))
      // The word after an unknown option is most likely its value, not a fault of its own.
      if value == nil, let next = words.first, !next.hasPrefix("-") { words.removeFirst() }
    }
  }

  /// Reads `-o value`, `-ovalue` and runs of flags such as `-ab`.
  private mutating func readShort(_ body: Substring) {
    var letters = body
    while let letter = letters.popFirst() {
      guard let option = specification.options.first(where: { $0.short == letter }) else {
        faults.append(unknown(option: "-\(letter)", name: String(body)))
        return
      }
      let spelled = "-\(letter)"
      if option.kind == .flag || option.kind == .boolean {
        read(option, spelled: spelled, value: nil)
      } else {
        if letters.first == "=" { letters.removeFirst() }
        read(option, spelled: spelled, value: letters.isEmpty ? nil : String(letters))
        return
      }
    }
  }

  private mutating func read(_ option: OptionSpecification, spelled: String, value: String?) {
    switch (option.kind, value) {
    case (.flag, nil), (.boolean, nil): arguments.add("true", to: option)
    case (_, let value?): check(value, of: option, spelled: spelled)
    case (_, nil):
      if let next = words.first, !isKnownOption(next) {
        words.removeFirst()
        check(next, of: option, spelled: spelled)
      } else {
        let placeholder = option.valueName ?? option.kind.placeholder ?? "VALUE"
        faults.append("\(spelled) needs a value: \(spelled) \(placeholder)")
      }
    }
  }

  private mutating func check(_ value: String, of option: OptionSpecification, spelled: String) {
    let isNone = option.acceptsNone && value == SettingDeclaration.none
    if !isNone, let fault = option.kind.fault(in: value) {
      faults.append("\(spelled) \(fault)")
    } else {
      arguments.add(value, to: option)
    }
  }

  private func isKnownOption(_ word: String) -> Bool {
    guard word.hasPrefix("--"), word.count > 2 else { return false }
    let name = String(word.dropFirst(2).prefix { $0 != "=" }).replacing("_", with: "-")
    return optionsByName[name] != nil || name == "help"
  }

  private mutating func checkPositionals() {
    let declared = specification.positionals
    for (positional, word) in zip(declared, arguments.positionals) {
      if let fault = positional.kind.fault(in: word) {
        faults.append("\(positional.name) \(fault)")
      }
    }
    for positional in declared.dropFirst(arguments.positionals.count) where positional.isRequired {
      faults.append("\(positional.name) is missing: \(positional.help)")
    }
    if declared.last?.repeats != true {
      for word in arguments.positionals.dropFirst(declared.count) {
        faults.append(unexpected(word))
      }
    }
  }

  private func unexpected(_ word: String) -> String {
    let key = String(word.prefix { $0 != "=" })
    if word.contains("="), let known = meaning(of: key) { return known }
    if ["true", "false"].contains(word.lowercased()) {
      return
        "unexpected word '\(word)': what is true or false is said as --x, --no-x or --x=\(word)"
    }
    return "unexpected word '\(word)'"
  }

  private func unknown(option spelled: String, name: String) -> String {
    if let known = meaning(of: name) { return known }
    if specification.options.contains(where: { SettingDeclaration.named($0.name) != nil }),
      let reason = SettingDeclaration.reason(ofAbsent: name)
    {
      return "'\(name)' is \(reason)"
    }
    let nearest = Spelling.nearest(to: name, among: specification.options.lazy.map(\.name))
    let hint =
      nearest.map { "; did you mean --\($0)?" } ?? "; see '\(arguments.commandPath) --help'"
    return "unknown option \(spelled)\(hint)"
  }

  /// Where the name is one that another toolkit uses: whose, and ours.
  private func meaning(of name: String) -> String? {
    for option in specification.options {
      if let peer = option.peerNames.first(where: { $0.matches(name) }) {
        let difference = peer.difference.map { " (\($0))" } ?? ""
        return "'\(name)' is \(peer.peer)'s name for --\(option.name)" + difference
      }
    }
    return nil
  }
}
