import Foundation
import TrajectoryStore

/// `grpo log …`: work on logs as files.
struct LogCommand: CommandGroup {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "log", summary: "export, import, merge, prune, redact logs; forget problems",
      subcommands: [
        LogExportCommand.self, LogImportCommand.self, LogMergeCommand.self, LogPruneCommand.self,
        LogRedactCommand.self, LogForgetCommand.self, LogMigrateCommand.self, LogSchemaCommand.self,
        LogBenchCommand.self,
      ])
  }

  init() {}
}

/// `grpo log import FILE LOG`: a log of JSON lines.
struct LogImportCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "import", summary: "make a log of JSON lines",
      discussion: """
        Reads what 'grpo log export' writes, and dumps of other trainers: prompt or input, \
        completion or output, reward or score (a number, or several by name), step, group, \
        advantage, columns; token ids, log-probabilities and kept sets where there are any. Every \
        other member is kept: as a column of the problem where the lines of a group agree on it, \
        otherwise in the log of the completion's first score.
        """,
      positionals: [
        PositionalSpecification("FILE", .path, help: "the JSON lines"),
        PositionalSpecification("LOG", .path, help: "the log to make, which must not exist"),
      ],
      options: [
        OptionSpecification(
          "weight", valueName: "NAME=X", help: "a reward's weight in the total (default 1)",
          repeats: true)
      ],
      examples: [.init("grpo log import dump.jsonl dump.sqlite", "ask another trainer's rollouts")])
  }

  init() {}

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    var weights: [String: Double] = [:]
    for word in arguments.strings("weight") {
      guard let equals = word.lastIndex(of: "="),
        let value = Double(word[word.index(after: equals)...]),
        value.isFinite
      else { throw UsageError("--weight needs NAME=X, not '\(word)'") }
      weights[String(word[..<equals])] = value
    }
    let log = URL(fileURLWithPath: arguments.positional(1) ?? "")
    let count = try RolloutImport.run(
      URL(fileURLWithPath: arguments.positional(0) ?? ""), into: log, weights: weights)
    context.note("imported \(NumberFormat.grouped(count)) completions into \(log.relativePath)")
    return .done
  }
}

/// `grpo log merge LOG… -o FILE`: several runs in one log.
struct LogMergeCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "merge", summary: "put the runs of several logs into one",
      positionals: [
        PositionalSpecification("RUN", .path, help: "run folders or logs", repeats: true)
      ],
      options: [
        OptionSpecification(
          "output", short: "o", .path, valueName: "FILE", default: "merged.sqlite",
          help: "the log to make, which must not exist")
      ],
      examples: [
        .init("grpo log merge runs/a runs/b -o both.sqlite", "then: grpo query both.sqlite --run 1")
      ])
  }

  init() {}

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    let sources = try arguments.positionals.map { word in
      try refusing { try LogLocation(word).log }
    }
    let output = arguments.string("output") ?? "merged.sqlite"
    try LogMerge.merge(sources, into: URL(fileURLWithPath: output))
    context.note("merged \(sources.count) logs into \(output)")
    return .done
  }
}

/// `grpo log prune RUN --before STEP`: drops old arrays.
struct LogPruneCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "prune", summary: "drop the arrays of old steps, to save space",
      discussion: """
        Drops log-probabilities, entropies, kept sets and what updates saw token by token. Token \
        ids, texts, rewards, advantages and summaries stay. Those steps can't be resumed, replayed \
        or trained from again bit for bit. Without --yes it says what it would drop.
        """,
      positionals: [
        PositionalSpecification(
          "RUN", .path, help: "a run folder, a log, a run's name under runs/, or latest")
      ],
      options: [
        OptionSpecification(
          "before", .count, unit: "step", help: "the arrays of this step and later ones stay"),
        OptionSpecification(
          "keep-every", .count, default: "0", unit: "steps",
          help: "of the steps before, every so manieth stays; 0 for none"),
        .flag("yes", help: "drop them"),
      ])
  }

  init() {}

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    guard let before = arguments.integer("before") else {
      throw UsageError("--before is missing: the first step whose arrays stay")
    }
    let location = try refusing { try LogLocation(arguments.positional(0) ?? "latest") }
    let rule = LogPrune(before: before, keepingEvery: arguments.integer("keep-every") ?? 0)
    let isMeant = arguments.flag("yes")
    let extent = isMeant ? try rule.apply(to: location.log) : try rule.extent(of: location.log)
    context.note(
      "\(isMeant ? "dropped" : "would drop") \(NumberFormat.bytes(extent.bytes)) of arrays of "
        + "\(NumberFormat.grouped(extent.completions)) completions in \(extent.steps) steps"
        + (isMeant ? "" : "; say --yes to do it"))
    return .done
  }
}

/// `grpo log migrate LOG`: brings a log to this program's format.
struct LogMigrateCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "migrate", summary: "bring an older log to this program's format, after a backup",
      positionals: [PositionalSpecification("RUN", .path, help: "a run folder or a log")])
  }

  init() {}

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    let location = try refusing { try LogLocation(arguments.positional(0) ?? "latest") }
    _ = try TrajectoryLog(opening: location.log)
    context.note("\(location.log.relativePath) has this program's format")
    return .done
  }
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
