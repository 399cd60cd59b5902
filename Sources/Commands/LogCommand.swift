import Foundation
import TrajectoryStore

/// `grpo log …`: work on logs as files.
struct LogCommand: CommandGroup {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "log", summary: "export, import, merge and prune logs",
      subcommands: [LogSchemaCommand.self, LogBenchCommand.self])
  }

  init() {}
}

/// `grpo log schema`: the commented SQL that makes a log.
struct LogSchemaCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "schema", summary: "print the tables and columns of a log, with comments",
      discussion: "The same text stands in every log: any SQLite tool shows it.")
  }

  init() {}

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    context.print(trajectoryLogSchema)
    return .done
  }
}
