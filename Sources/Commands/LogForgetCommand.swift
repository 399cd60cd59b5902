import Foundation
import Rollouts
import TrajectoryStore

/// `grpo log forget RUN --problem ROW`: takes a person's rows out of a run.
struct LogForgetCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "forget", summary: "take problems' rows out of a run, and search for what is left",
      discussion: """
        Takes the problems with their completions, tokens, scores and updates out of the log, its \
        free pages, its full-text indexes, its journal and its backups, rows of evaluations with the \
        same prompt, and lines of JSONL and CSV files in the run's folder and those of --export. Then \
        every one of these files is searched for the bytes. Without --yes it says what would go.

        What it costs: the steps that asked the problems can't be redone, replayed or trained from \
        any more. The weights that learned from them are not unlearned. A disk may keep the bytes of \
        files that were deleted.
        """,
      positionals: [
        PositionalSpecification(
          "RUN", .path, help: "a run folder, a log, a run's name under runs/, or latest")
      ],
      options: [
        OptionSpecification(
          "problem", .count, valueName: "ROW",
          help: "a row of the data set, from 0; may be repeated",
          repeats: true),
        OptionSpecification(
          "where", valueName: "COLUMN=VALUE", help: "the problems whose column has this value"),
        OptionSpecification(
          "export", .path, valueName: "FILE",
          help: "an exported JSONL or CSV file to clean as well",
          repeats: true),
        .flag("yes", help: "forget them"), .json,
      ],
      examples: [
        .init(
          "grpo log forget runs/clinic --where patient=P-17 --yes", "all that the run has of P-17")
      ])
  }

  init() {}

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    let order = try order(arguments)
    let location = try refusing { try LogLocation(arguments.positional(0) ?? "latest") }
    let isMeant = arguments.flag("yes")
    let outcome: LogForget.Outcome
    do throws(StoreError) {
      outcome = isMeant ? try order.apply(to: location) : try order.extent(of: location)
    } catch {
      if error.kind == .refused { throw UsageError(error.description) }
      throw error
    }
    if arguments.flag("json") {
      context.print(exactly: Self.json(outcome, isMeant).prettyJSONText)
    } else {
      context.print(Self.text(outcome, isMeant))
    }
    return outcome.remaining.isEmpty ? .done : .failed
  }

  private func order(_ arguments: ParsedArguments) throws -> LogForget {
    let rows = Set(arguments.strings("problem").compactMap(Int.init))
    let exports = try arguments.strings("export").map { path -> URL in
      if let fault = RegularFile.fault(at: path) { throw UsageError("--export: \(path) \(fault)") }
      guard FileManager.default.fileExists(atPath: path) else {
        throw UsageError("--export: there is no file \(path)")
      }
      return URL(fileURLWithPath: path)
    }
    switch (rows.isEmpty, arguments.string("where")) {
    case (true, nil):
      throw UsageError("what to forget is missing: --problem ROW, or --where COLUMN=VALUE")
    case (false, .some): throw UsageError("--problem and --where exclude each other; give one")
    case (false, nil): return LogForget(.rows(rows), exports: exports)
    case (true, let word?):
      let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2 else {
        throw UsageError("--where must be COLUMN=VALUE, such as patient=P-17, not '\(word)'")
      }
      return LogForget(.column(parts[0], parts[1]), exports: exports)
    }
  }

  private static func text(_ outcome: LogForget.Outcome, _ isMeant: Bool) -> String {
    var lines = [
      "\(isMeant ? "forgot" : "would forget") \(NumberFormat.grouped(outcome.problems)) problems, "
        + "\(NumberFormat.grouped(outcome.completions)) completions, "
        + "\(NumberFormat.grouped(outcome.evaluationRows)) rows of evaluations"
    ]
    if !outcome.steps.isEmpty {
      let list = outcome.steps.prefix(10).map(String.init).joined(separator: ", ")
      lines.append(
        "steps that can't be redone, replayed or trained from: \(list)"
          + (outcome.steps.count > 10 ? ", … (\(outcome.steps.count))" : ""))
    }
    lines.append("weights that learned from them are not unlearned")
    guard isMeant else { return (lines + ["say --yes to do it"]).joined(separator: "\n") }
    for (file, count) in outcome.lines.sorted(by: { $0.key < $1.key }) {
      lines.append("\(file): \(count) lines taken out")
    }
    lines.append(
      outcome.remaining.isEmpty
        ? "searched all files for \(outcome.searched) texts and arrays: none is left"
        : "still found in \(outcome.remaining.joined(separator: ", ")): delete it there by hand")
    return lines.joined(separator: "\n")
  }

  private static func json(_ outcome: LogForget.Outcome, _ isMeant: Bool) -> JSONValue {
    [
      "done": .bool(isMeant), "problems": .integer(Int64(outcome.problems)),
      "completions": .integer(Int64(outcome.completions)),
      "evaluation_rows": .integer(Int64(outcome.evaluationRows)),
      "steps": .array(outcome.steps.map { .integer(Int64($0)) }),
      "lines": .object(JSONObject(sorting: outcome.lines.mapValues { .integer(Int64($0)) })),
      "searched": .integer(Int64(outcome.searched)),
      "remaining": .array(outcome.remaining.map(JSONValue.string)),
    ]
  }
}
