/// Completion scripts, made from the commands' declarations.
enum ShellCompletion {
  // MARK: bash

  /// A function that finds the command among the words, then offers what it takes.
  static func bash(_ root: CommandNode) -> String {
    let commandCases = root.all.filter { !$0.children.isEmpty }.flatMap { node in
      node.children.map { child in
        "      '\(key(node))/\(child.specification.name)') path='\(key(child))' ;;"
      }
    }
    let wordCases = root.all.map { node in
      let options = node.options.map { "--" + $0.name } + values(of: node).words
      let words = node.children.map(\.specification.name) + options
      return "    '\(key(node))') words='\(words.joined(separator: " "))' ;;"
    }
    let valueCases = root.all.flatMap { node in
      node.options.compactMap { option -> String? in
        let words = words(of: option)
        guard !words.isEmpty else { return nil }
        return "    '\(key(node)) --\(option.name)') values='\(words.joined(separator: " "))' ;;"
      }
    }
    let pathOptions = Set(
      root.all.flatMap(\.options).filter { $0.kind == .path }.map { "--" + $0.name }
    ).sorted()
    return """
      # Completion of grpo for bash.
      _grpo() {
        local word path='grpo' words='' values=''
        local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}"
        for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
          case "$path/$word" in
      \(commandCases.joined(separator: "\n"))
          esac
        done
        case "$path $previous" in
      \(valueCases.joined(separator: "\n"))
        esac
        if [[ -n "$values" ]]; then
          COMPREPLY=($(compgen -W "$values" -- "$current"))
          return
        fi
        case "$previous" in
          \(pathOptions.joined(separator: "|"))) COMPREPLY=($(compgen -f -- "$current")); return ;;
        esac
        case "$path" in
      \(wordCases.joined(separator: "\n"))
        esac
        COMPREPLY=($(compgen -W "$words" -- "$current"))
        if [[ "$current" != -* ]]; then COMPREPLY+=($(compgen -f -- "$current")); fi
      }
      complete -o filenames -F _grpo grpo
      """
  }

  // MARK: zsh

  /// A function for each command; one with subcommands calls theirs.
  static func zsh(_ root: CommandNode) -> String {
    let functions = root.all.map { node -> String in
      var lines = ["\(function(node))() {"]
      let options = node.options.map { "    \(zshArgument($0))" }
      if node.children.isEmpty {
        lines.append("  _arguments -s \\")
        lines.append((options + zshPositionals(node)).joined(separator: " \\\n"))
      } else {
        let commands = node.children.map {
          "    '\(quoted($0.specification.name)):\(quoted($0.specification.summary))'"
        }
        let cases = node.children.map {
          "        \($0.specification.name)) \(function($0)) ;;"
        }
        lines += [
          "  local state", "  local -a commands=(", commands.joined(separator: "\n"), "  )",
          "  _arguments -C \\", options.joined(separator: " \\\n") + " \\",
          "    '1:command:->command' '*::argument:->argument'",
          "  case $state in",
          "    command) _describe command commands ;;",
          "    argument)",
          "      case $words[1] in", cases.joined(separator: "\n"), "      esac ;;",
          "  esac",
        ]
      }
      return (lines + ["}"]).joined(separator: "\n")
    }
    return "#compdef grpo\n# Completion of grpo for zsh.\n\n" + functions.joined(separator: "\n\n")
      + "\n\nif [ \"$funcstack[1]\" = _grpo ]; then _grpo \"$@\"; else compdef _grpo grpo; fi"
  }

  private static func zshArgument(_ option: OptionSpecification) -> String {
    let repeats = option.repeats ? "*" : ""
    let help = quoted(option.help).replacing("[", with: "(").replacing("]", with: ")")
    let action: String
    switch option.kind {
    case .flag, .boolean: return "'\(repeats)--\(option.name)[\(help)]'"
    case .choice(let choices): action = "(\(choices.joined(separator: " ")))"
    case .path: action = "_files"
    case .text, .integer, .number:
      action = option.suggestions.isEmpty ? " " : "(\(option.suggestions.joined(separator: " ")))"
    }
    return "'\(repeats)--\(option.name)=[\(help)]:value:\(action)'"
  }

  private static func zshPositionals(_ node: CommandNode) -> [String] {
    node.specification.positionals.enumerated().map { index, positional in
      let place = positional.repeats ? "*" : "\(index + 1)"
      switch positional.kind {
      case .choice(let choices):
        return "    '\(place):\(positional.name):(\(choices.joined(separator: " ")))'"
      case _ where !positional.suggestions.isEmpty:
        return
          "    '\(place):\(positional.name):{ compadd \(positional.suggestions.joined(separator: " ")); _files }'"
      default: return "    '\(place):\(positional.name):_files'"
      }
    }
  }

  // MARK: fish

  /// A line for each command and option, under the condition that its command is being written.
  static func fish(_ root: CommandNode) -> String {
    var lines = ["# Completion of grpo for fish.", "complete -c grpo -f"]
    for node in root.all {
      let condition = fishCondition(node)
      for child in node.children {
        lines.append(
          "complete -c grpo -n '\(condition)' -a \(child.specification.name) "
            + "-d '\(quoted(child.specification.summary))'")
      }
      for option in node.options {
        var line = "complete -c grpo -n '\(condition)' -l \(option.name)"
        switch option.kind {
        case .flag, .boolean: break
        case .choice(let choices): line += " -x -a '\(choices.joined(separator: " "))'"
        case .path: line += " -r -F"
        case .text, .integer, .number:
          line += " -x"
          if !option.suggestions.isEmpty {
            line += " -a '\(option.suggestions.joined(separator: " "))'"
          }
        }
        lines.append(line + " -d '\(quoted(option.help))'")
      }
      let values = values(of: node)
      if !values.words.isEmpty {
        lines.append(
          "complete -c grpo -n '\(condition)' -a '\(values.words.joined(separator: " "))'")
      }
      if values.takesFiles { lines.append("complete -c grpo -n '\(condition)' -F") }
    }
    return lines.joined(separator: "\n")
  }

  private static func fishCondition(_ node: CommandNode) -> String {
    let names = node.path.dropFirst()
    let seen = names.map { "__fish_seen_subcommand_from \($0)" }
    let children = node.children.map(\.specification.name).joined(separator: " ")
    let notBelow = children.isEmpty ? [] : ["not __fish_seen_subcommand_from \(children)"]
    return (seen + notBelow).joined(separator: "; and ")
  }

  // MARK: Parts

  private static func values(of node: CommandNode) -> (words: [String], takesFiles: Bool) {
    var words: [String] = []
    var takesFiles = false
    for positional in node.specification.positionals {
      words += positional.suggestions
      switch positional.kind {
      case .choice(let choices): words += choices
      case .path, .text: takesFiles = true
      default: break
      }
    }
    return (words, takesFiles)
  }

  /// The values that an option's word is completed to.
  private static func words(of option: OptionSpecification) -> [String] {
    if case .choice(let choices) = option.kind { return choices }
    return option.suggestions
  }

  private static func key(_ node: CommandNode) -> String { node.path.joined(separator: " ") }

  private static func function(_ node: CommandNode) -> String {
    "_" + node.path.joined(separator: "_").replacing("-", with: "_")
  }

  /// Text inside single quotes, where shells read it as it stands.
  private static func quoted(_ text: String) -> String {
    text.replacing("'", with: "’").replacing("\\", with: "/").replacing(":", with: ",")
  }
}
