import Foundation
import Rollouts
import TrajectoryStore

/// `grpo query RUN [REPORT [ARGUMENTS] | SQL]`: asks a log.
struct QueryCommand: Command {
  static var specification: CommandSpecification {
    let reports = Report.all.map { report in
      "    " + TextLayout.pad(report.call, to: 19) + report.summary
    }
    return CommandSpecification(
      name: "query",
      summary: "ask a run's log: reports, or SQL that can only read",
      discussion: """
        A query is SQL where it is one word that contains a space, otherwise the name of a report. \
        Without one, a prompt opens at a terminal; elsewhere queries are read from standard input, \
        one per line.

        Reports:
        \(reports.joined(separator: "\n"))

        In SQL, floats(blob), doubles(blob) and ints(blob) are tables of an array's numbers with \
        the columns position and value. 'grpo log schema' prints the tables and columns.
        """,
      positionals: [
        PositionalSpecification(
          "RUN", .path, help: "a run folder, a log, a run's name under runs/, or latest"),
        PositionalSpecification(
          "QUERY", help: "a report with its arguments, or SQL", isRequired: false, repeats: true,
          suggestions: Report.all.map(\.name)),
      ],
      options: [
        OptionSpecification(
          "step", valueName: "A..B", help: "only these steps: 17, 10..50, 10.. or ..50",
          section: "Filters of reports"),
        OptionSpecification(
          "reward", valueName: "COND",
          help: "only completions whose reward is so: '>0.5', 0.2..0.8, null",
          section: "Filters of reports"),
        OptionSpecification(
          "where", valueName: "SQL", help: "only trajectories for which this expression holds",
          section: "Filters of reports"),
        OptionSpecification(
          "match", valueName: "WORDS",
          help: "only completions whose text or prompt matches, in FTS5's language",
          section: "Filters of reports"),
        OptionSpecification(
          "order", valueName: "SQL", help: "order by these terms", section: "Filters of reports"),
        OptionSpecification(
          "limit", .count, help: "at most so many rows",
          defaultNote: "20 in reports, all in SQL", section: "Filters of reports"),
        OptionSpecification(
          "run", .integer, help: "which run of a log that holds several",
          defaultNote: "the last", section: "Filters of reports"),
        OptionSpecification.flag(
          "tied", help: "groups: only those whose rewards are all equal",
          section: "Filters of reports"),
        OptionSpecification(
          "solved-at", .number, help: "the reward from which a completion counts as solved",
          defaultNote: "the run's highest", section: "Filters of reports"),
        OptionSpecification(
          "by", valueName: "COLUMN",
          help: "a report of trajectories for each value of a column of the data set",
          section: "Filters of reports"),
        OptionSpecification(
          "color-by", .choice(TokenColoring.Quantity.allCases.map(\.rawValue)), default: "logprob",
          help: "completion: what the tokens' colours stand for", section: "Filters of reports"),
        OptionSpecification(
          "param", valueName: "NAME=VALUE", help: "the value of :NAME in SQL", repeats: true),
        OptionSpecification(
          "time-limit", .number(0...1e9), default: "60", unit: "seconds",
          help: "stop a query after so long; 0 for never"),
        .flag("follow", help: "show new steps as they land, until the run ends or Ctrl-C"),
      ] + ResultFormat.options,
      examples: [
        .init("grpo query latest summary", "the newest run at a glance"),
        .init(
          "grpo query latest best --step 10..50 --match apple --limit 5",
          "the best completions of some steps that mention apples"),
        .init("grpo query runs/a compare runs/b", "two runs side by side"),
        .init(
          "grpo query runs/sweep-* compare",
          "a sweep: runs that differ in the seed alone are averaged"),
        .init(
          "grpo query latest \"SELECT step, reward_mean FROM steps\" --csv", "SQL, for a program"),
      ])
  }

  init() {}

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    let format = try ResultFormat(arguments)
    let location = try refusing { try LogLocation(arguments.positional(0) ?? "latest") }
    let session = try QuerySession(readOnly: location.log)
    context.interrupts.install()
    let query = Query(
      arguments: arguments, context: context, session: session, location: location, format: format)
    let words = Self.question(arguments.positionals)
    if arguments.flag("follow") { return try query.follow(words) }
    if words.isEmpty { return try QueryShell(query).run() }
    try query.answer(words)
    return .done
  }

  /// The words after the run.
  ///
  /// `runs/sweep-* compare` is a shell's way to say `RUN compare RUN2 …`.
  static func question(_ positionals: [String]) -> [String] {
    let words = Array(positionals.dropFirst())
    guard words.count > 1, let last = words.last, Report.named(last)?.takesMany == true else {
      return words
    }
    return [last] + words.dropLast()
  }
}

extension Report {
  /// Whether it takes as many arguments as there are.
  var takesMany: Bool { arguments.hasSuffix("…") }

  /// How it is called: its name and its arguments.
  var call: String { arguments.isEmpty ? name : "\(name) \(arguments)" }
}

extension OptionSpecification {
  /// An option whose default is said in words.
  fileprivate init(
    _ name: String, _ kind: ArgumentKind, help: String, defaultNote: String, section: String
  ) {
    self.init(name, kind, defaultDescription: defaultNote, help: help, section: section)
  }
}
