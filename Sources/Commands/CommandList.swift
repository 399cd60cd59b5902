import Rollouts
import Training

/// The commands of the program, in the order of `grpo help`.
enum CommandList {
  /// Each subcommand has a file of its own; add it here.
  static let commands: [any Command.Type] = [
    TrainCommand.self,
    SftCommand.self,
    InitCommand.self,
    SampleCommand.self,
    ScoreCommand.self,
    EvalCommand.self,
    QueryCommand.self,
    ReportCommand.self,
    LogCommand.self,
    RewardCommand.self,
    EnvironmentCommand.self,
    ObjectiveCommand.self,
    ReplayCommand.self,
    ExportCommand.self,
    DataCommand.self,
    AuditCommand.self,
    CardCommand.self,
    CostCommand.self,
    BenchCommand.self,
    DoctorCommand.self,
    SettingsCommand.self,
    CompletionsCommand.self,
  ]

  /// A command found by its words.
  struct Call {
    /// "grpo reward test".
    var path: String
    /// The command.
    var command: any Command.Type
    /// The words after its name.
    var words: ArraySlice<String>
  }

  /// Finds the command that words call, going down into subcommands.
  /// - Throws: `UsageError` naming the nearest command.
  static func resolve(_ words: [String]) throws(UsageError) -> Call {
    var call = Call(path: "grpo", command: Program.self, words: words[...])
    while let word = call.words.first, !call.command.specification.subcommands.isEmpty {
      let subcommands = call.command.specification.subcommands
      guard let next = subcommands.first(where: { $0.specification.name == word }) else {
        // A group that also works by itself takes the word as its own argument.
        if word.hasPrefix("-") || !(call.command is any CommandGroup.Type) { break }
        throw unknown(word, in: call, among: subcommands.map { $0.specification.name })
      }
      call = Call(
        path: call.path + " " + word, command: next, words: call.words.dropFirst())
    }
    return call
  }

  private static func unknown(_ word: String, in call: Call, among names: [String]) -> UsageError {
    let nearest = Spelling.nearest(to: word, among: names)
    let hint = nearest.map { "did you mean '\(call.path) \($0)'?" } ?? "see '\(call.path) --help'"
    return UsageError("unknown command '\(word)'; \(hint)")
  }
}

/// The program itself, as the root of its commands.
struct Program: CommandGroup {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "grpo",
      summary: "reinforcement-learning post-training of language models with GRPO",
      discussion: """
        Samples groups of completions from a policy, scores them with rewards, updates the policy \
        by group-relative advantages, and logs every trajectory to SQLite.
        """,
      options: [
        .flag("version", help: "print the program's version")
      ],
      examples: [
        .init("grpo train", "the embedded job: a small policy learns arithmetic"),
        .init("grpo query latest", "what the newest run did"),
        .init("grpo help train", "every setting with its default and unit"),
      ],
      subcommands: CommandList.commands)
  }
}
