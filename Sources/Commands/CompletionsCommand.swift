/// `grpo completions SHELL`: completion of commands, options and values.
struct CompletionsCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "completions", summary: "completion of commands and options for a shell",
      discussion: "Prints a script for the shell to read.",
      positionals: [
        PositionalSpecification("SHELL", .choice(["bash", "zsh", "fish"]), help: "which shell")
      ],
      examples: [
        .init("source <(grpo completions bash)", "in ~/.bashrc"),
        .init("grpo completions zsh > ~/.zfunc/_grpo", "with ~/.zfunc in fpath"),
        .init(
          "grpo completions fish > ~/.config/fish/completions/grpo.fish", "read by new shells"),
      ])
  }

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    let tree = CommandNode(Program.self, path: ["grpo"])
    switch arguments.positional(0) {
    case "bash": context.print(exactly: ShellCompletion.bash(tree))
    case "zsh": context.print(exactly: ShellCompletion.zsh(tree))
    default: context.print(exactly: ShellCompletion.fish(tree))
    }
    return .done
  }
}

/// A command and those below it, as completion scripts need them.
struct CommandNode {
  var path: [String]
  var specification: CommandSpecification
  var children: [CommandNode]

  init(_ command: any Command.Type, path: [String]) {
    self.path = path
    specification = command.specification
    children = command.specification.subcommands.map {
      CommandNode($0, path: path + [$0.specification.name])
    }
  }

  /// This command and all below it, from the top.
  var all: [CommandNode] { [self] + children.flatMap(\.all) }

  /// The options with those that every command has.
  var options: [OptionSpecification] {
    specification.options + [.flag("help", help: "explain the command")]
  }
}
