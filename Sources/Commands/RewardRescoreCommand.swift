import Foundation
import RewardKit
import Rollouts
import Training
import TrajectoryStore

/// `grpo reward rescore RUN --reward NEW --into NEWRUN`: old completions, new scores, a new log.
struct RewardRescoreCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "rescore", summary: "score a run's completions anew, into a new log",
      discussion: """
        Scores every completion of a log with other rewards and writes a new log with the same tokens and \
        log-probabilities, and scores, totals and advantages of its own; the old log is only read. \
        'grpo train --rollouts NEWRUN' trains from it without sampling, from the weights that the old run \
        set out from, and 'grpo query RUN compare NEWRUN' shows both.

        The rewards read the columns that the log kept of the problems. The settings of the old run hold for \
        the rest, so that advantages are estimated as it did.
        """,
      positionals: [
        PositionalSpecification(
          "RUN", .path, help: "a run folder, a log, a run's name under runs/, or latest")
      ],
      options: [
        OptionSpecification(
          "into", short: "o", .path, valueName: "NEWRUN",
          help: "the new run's name or folder; a name that ends in .sqlite is a log alone")
      ] + settings.map(option) + [.json],
      examples: [
        .init(
          "grpo reward rescore latest --reward numeric --into lenient", "another built-in reward"),
        .init(
          "grpo train --rollouts lenient --run what-if", "what the run would have learnt from it"),
      ])
  }

  /// The settings that say how completions are scored.
  private static let settings = [
    "reward", "sandbox", "reward_time_limit", "reward_workers", "reward_failure_limit",
    "reward_cache",
  ].compactMap { SettingDeclaration.named($0) }

  /// A setting's option; the rewards have no default here.
  private static func option(_ setting: SettingDeclaration) -> OptionSpecification {
    var option = OptionSpecification(setting)
    if setting.name == "reward" { option.defaultDescription = nil }
    return option
  }

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    guard let into = arguments.string("into") else {
      throw UsageError(
        "--into is missing: the new run's name or folder, or a new log's path that ends in .sqlite")
    }
    guard arguments.isGiven("reward") else {
      throw UsageError(
        "--reward is missing: what to score with; 'grpo reward list' shows what ships")
    }
    var words: [String: [String]] = [:]
    for setting in Self.settings where arguments.isGiven(setting.optionName) {
      words[setting.name] = arguments.strings(setting.optionName)
    }
    let rescoring = try refusing {
      try Rescoring(try LogLocation(arguments.positional(0) ?? "latest").log, options: words)
    }
    defer { rescoring.shutDown() }
    context.interrupts.install()
    let progress = ProgressLine(context)
    let observer = TrainingObserver(
      observe: { Self.show($0, context, progress) },
      isCancelled: { context.interrupts.isRaised })
    let outcome: Rescoring.Outcome?
    let path: String
    do {
      if into.hasSuffix(".sqlite") {
        path = into
        outcome = try rescoring.write(toLog: URL(fileURLWithPath: into), observer: observer)
      } else {
        let folder = RunFolder.named(into)
        path = folder.displayPath
        outcome = try rescoring.write(to: folder, observer: observer)
      }
    } catch let error as RunFolderError { throw UsageError("\(error)") }
    progress.update("")
    guard let outcome else { throw Interrupted("stopped; the new log was not kept") }
    let names = rescoring.descriptions.map(\.name)
    if arguments.flag("json") {
      context.print(exactly: Self.json(outcome, names, path))
    } else {
      context.print(Self.text(outcome, names, path))
    }
    return .done
  }

  private static func show(
    _ event: TrainingEvent, _ context: CommandContext, _ progress: ProgressLine
  ) {
    switch event {
    case .warning(let text): progress.print(context.errorStyle.yellow("warning: ") + text)
    case .sampling(_, let done, let total): progress.update("scored \(done)/\(total) steps")
    default: break
    }
  }

  private static func text(_ outcome: Rescoring.Outcome, _ names: [String], _ path: String)
    -> String
  {
    func mean(_ value: Double?) -> String { value.map { NumberFormat.fixed($0, 3) } ?? "none" }
    let unscored =
      outcome.unscored == 0
      ? "" : "; \(NumberFormat.grouped(outcome.unscored)) could not be scored"
    return
      "\(NumberFormat.grouped(outcome.completions)) completions of \(outcome.steps) steps scored by "
      + "\(names.joined(separator: ", ")): mean reward \(mean(outcome.means.old)) before, "
      + "\(mean(outcome.means.new)) now\(unscored)\nin \(path)"
  }

  private static func json(_ outcome: Rescoring.Outcome, _ names: [String], _ path: String)
    -> String
  {
    let object: JSONObject = [
      "log": .string(path), "rewards": .array(names.map { .string($0) }),
      "steps": .integer(Int64(outcome.steps)),
      "completions": .integer(Int64(outcome.completions)),
      "unscored": .integer(Int64(outcome.unscored)),
      "old_mean": outcome.means.old.map { .number($0) } ?? .null,
      "new_mean": outcome.means.new.map { .number($0) } ?? .null,
    ]
    return JSONValue.object(object).prettyJSONText
  }
}
