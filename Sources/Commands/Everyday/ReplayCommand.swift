import Foundation
import Rollouts
import Training
import TrajectoryStore

/// `grpo replay RUN`: draws a run's completions again and compares every bit with the log.
struct ReplayCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "replay", summary: "draw a run's completions again and compare every bit",
      discussion: """
        Draws the completions of a run's log once more, from checkpoint and seed, and compares tokens, \
        log-probabilities, entropies, kept sets and texts bit for bit. Says how many agree, or where the \
        first difference is; exit 0 where all is the same, 1 where it isn't.

        A step is drawn by the policy of the newest checkpoint before it, moved on by the updates of the \
        steps between, which are redone from the log; checkpoints that are passed are compared too, \
        optimiser included. So the whole run takes the time of the run without its rewards, and a few \
        steps after a checkpoint take little. Nothing is scored, and nothing of the run is changed.
        """,
      positionals: [
        PositionalSpecification(
          "RUN", .path, help: "a run's folder, its name under runs/, or latest")
      ],
      options: [
        OptionSpecification(
          "completion", .integer(1...Int.max), valueName: "ID", defaultDescription: "all",
          help: "only this completion, by the id that the reports of 'grpo query' print"),
        OptionSpecification(
          "step", valueName: "A..B", defaultDescription: "all",
          help: "only these steps: 17, 10..50, 10.. or ..50"),
        .threads, .json,
      ],
      examples: [
        .init("grpo replay latest", "is every completion of the newest run what its policy drew?"),
        .init("grpo replay runs/sums --step 101..102", "two steps after a checkpoint"),
        .init("grpo replay runs/sums --completion 4711", "one completion"),
      ])
  }

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    let progress = ProgressLine(context)
    let replay = try refusing { try Self.replay(arguments, context, progress) }
    context.interrupts.install()
    guard let report = try replay.run() else {
      throw Interrupted("stopped; nothing of the run was changed")
    }
    progress.update("")
    if arguments.flag("json") {
      context.print(exactly: Self.json(report))
    } else {
      context.print(Self.text(report))
    }
    return report.isIdentical ? .done : .failed
  }

  private static func replay(
    _ arguments: ParsedArguments, _ context: CommandContext, _ progress: ProgressLine
  ) throws -> RunReplay {
    var filter = TrajectoryFilter()
    if let steps = arguments.string("step") { try filter.setSteps(steps) }
    let completion = arguments.integer("completion")
    if completion != nil, arguments.isGiven("step") {
      throw UsageError("--completion and --step exclude each other: a completion is of one step")
    }
    let folder = try RunFolder.find(arguments.positional(0) ?? "latest")
    let threads = arguments.integer("threads").map { ["threads": ["\($0)"]] }
    let settings = try ResolvedConfiguration.resolve(
      options: threads ?? [:], files: [folder.configuration.path], preset: TrainCommand.preset,
      isOfRun: true)
    return try RunReplay(
      of: folder, settings: settings,
      scope: RunReplay.Scope(
        firstStep: filter.firstStep, lastStep: filter.lastStep, completion: completion),
      observer: ReplayObserver(
        observe: { show($0, context, progress) },
        isCancelled: { context.interrupts.isRaised }))
  }

  private static func show(
    _ event: ReplayEvent, _ context: CommandContext, _ progress: ProgressLine
  ) {
    switch event {
    case .note(let text): progress.print(text)
    case .warning(let text): progress.print(context.errorStyle.yellow("warning: ") + text)
    case .step(let step, let last, let report):
      progress.update(
        "step \(step)/\(last)  \(NumberFormat.grouped(report.agreeing)) of "
          + "\(NumberFormat.grouped(report.completions)) completions agree")
    }
  }

  // MARK: The result

  private static func text(_ report: ReplayReport) -> String {
    let count = NumberFormat.grouped(report.completions)
    let steps = report.steps == 1 ? "1 step" : "\(report.steps) steps"
    guard let difference = report.firstDifference else {
      let tokens = "(\(NumberFormat.grouped(report.tokens)) tokens)"
      return report.completions == 1
        ? "the completion \(tokens) agrees in every bit"
        : "all \(count) completions of \(steps) \(tokens) agree in every bit" + checkpoints(report)
          + pruned(report)
    }
    return "\(NumberFormat.grouped(report.agreeing)) of \(count) completions of \(steps) agree\n"
      + "first difference: \(difference)"
  }

  private static func pruned(_ report: ReplayReport) -> String {
    guard report.pruned > 0 else { return "" }
    return
      "\nof \(NumberFormat.grouped(report.pruned)) of them the log has tokens and texts alone, since it "
      + "was pruned"
  }

  private static func checkpoints(_ report: ReplayReport) -> String {
    switch report.checkpoints {
    case 0: return ""
    case 1: return ", and so does the checkpoint that was arrived at"
    default: return ", and so do the \(report.checkpoints) checkpoints that were arrived at"
    }
  }

  private static func json(_ report: ReplayReport) -> String {
    var object: JSONObject = [
      "identical": .bool(report.isIdentical), "steps": .integer(Int64(report.steps)),
      "completions": .integer(Int64(report.completions)),
      "agreeing": .integer(Int64(report.agreeing)), "pruned": .integer(Int64(report.pruned)),
      "tokens": .integer(Int64(report.tokens)),
      "redone_steps": .integer(Int64(report.redoneSteps)),
      "checkpoints": .integer(Int64(report.checkpoints)),
    ]
    if let difference = report.firstDifference {
      var first: JSONObject = ["step": .integer(Int64(difference.step))]
      if !difference.place.isEmpty { first["place"] = .string(difference.place) }
      first["completion"] = difference.completion.map { .integer(Int64($0)) }
      first["token"] = difference.token.map { .integer(Int64($0)) }
      first["quantity"] = .string(difference.quantity)
      first["recorded"] = .string(difference.recorded)
      first["replayed"] = .string(difference.replayed)
      object["first_difference"] = .object(first)
    }
    return JSONValue.object(object).prettyJSONText
  }
}
