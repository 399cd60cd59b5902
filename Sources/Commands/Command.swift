/// A subcommand of `grpo`: what it is called, what it takes, what it does.
///
/// One file each, listed in `CommandList.swift`.
protocol Command: Sendable {
  /// The declaration from which parsing, `--help`, completions and documentation are made.
  static var specification: CommandSpecification { get }
  init()
  /// Does the work with words that were already checked against the specification.
  /// - Throws: `UsageError` (exit 2), `Interrupted` (exit 130), anything else (exit 1).
  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode
}

/// The declaration of a subcommand.
struct CommandSpecification: Sendable {
  /// The word that calls it.
  var name: String
  /// What it does in a few words, for lists: "train a policy with GRPO".
  var summary: String
  /// Paragraphs of `--help` above the options, separated by empty lines.
  var discussion: String = ""
  /// What is given without a name, in order.
  var positionals: [PositionalSpecification] = []
  /// What is given by name.
  var options: [OptionSpecification] = []
  /// Command lines that work, each with what it does.
  var examples: [Example] = []
  /// Commands below this one (`grpo reward test`); one with subcommands only groups them.
  var subcommands: [any Command.Type] = []
  /// Whether lists of commands leave it out.
  var isHidden = false
  /// Whether the command looks at `ParsedArguments.faults`, to report them with its own.
  var reportsFaultsItself = false

  /// A command line of `--help` and what it does.
  struct Example: Sendable {
    var line: String
    var meaning: String

    init(_ line: String, _ meaning: String) {
      self.line = line
      self.meaning = meaning
    }
  }
}

/// A command that only groups others: called by itself it shows its help.
protocol CommandGroup: Command {}

extension CommandGroup {
  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    throw UsageError(
      "'\(arguments.commandPath)' needs a command after it; see '\(arguments.commandPath) --help'")
  }
}
