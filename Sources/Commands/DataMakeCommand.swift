import Foundation
import Rollouts

/// `grpo data make TASK`: problems made by rule, with certain answers.
struct DataMakeCommand: Command {
  private static let tasks: [any ProceduralTask.Type] = [
    ArithmeticTask.self, CountdownTask.self, CharacterCountTask.self, ReverseTextTask.self,
    SortTask.self,
  ]

  static var specification: CommandSpecification {
    let list = tasks.map { "  \($0.name): \($0.summary); levels \(words(for: $0.levels))" }
    return CommandSpecification(
      name: "make", summary: "problems made by rule, with answers that are certain",
      discussion: """
        Writes train.jsonl and eval.jsonl, which have no problem in common. Rows have prompt, \
        answer, completion (for 'grpo sft'), difficulty, and what a reward needs. The same words \
        make the same bytes, anywhere.

        \(list.joined(separator: "\n"))

        Without options, arithmetic is the embedded job's data.
        """,
      positionals: [
        PositionalSpecification("TASK", .choice(tasks.map { $0.name }), help: "which problems")
      ],
      options: [
        OptionSpecification(
          "level", .integer(1...6), defaultDescription: "2", help: "how hard they are"),
        OptionSpecification(
          "rows", .integer(1...10_000_000), default: "4500",
          help: "rows of train.jsonl; fewer where a level has fewer and nothing is said"),
        OptionSpecification(
          "eval-rows", .integer(0...1_000_000), default: "500", help: "rows of eval.jsonl"),
        OptionSpecification(
          "seed", .integer(0...Int(Int32.max)), default: "1", help: "which problems are drawn"),
        OptionSpecification(
          "digits", .integer(1...9), defaultDescription: "2, or the level's",
          help: "arithmetic: digits that numbers may have"),
        OptionSpecification(
          "operations", valueName: "SIGNS", defaultDescription: "+-, or the level's",
          help: "arithmetic: any of + - *"),
        .flag("padded", help: "arithmetic: fill numbers up with zeros, 07+12= → 019"),
        OptionSpecification(
          "output", short: "o", .path, valueName: "FOLDER", defaultDescription: "the task's name",
          help: "folder of the two files; - prints train.jsonl"),
        .flag("force", help: "replace files that exist"),
      ],
      examples: [
        .init("grpo data make countdown --level 2 -o data/countdown", "three numbers up to 10"),
        .init("grpo data make arithmetic --digits 3 --operations '+*' -o -", "rows on the screen"),
      ])
  }

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    let task = try Self.task(arguments)
    let data = try refusing { try Self.problems(of: task, arguments) }
    let output = arguments.string("output") ?? type(of: task).name
    if output == "-" {
      context.print(exactly: String(ProceduralDataset.jsonLines(data.train).dropLast()))
      return .done
    }
    let folder = URL(fileURLWithPath: output)
    let files = [("train.jsonl", data.train), ("eval.jsonl", data.evaluation)]
      .filter { !$0.1.isEmpty }
      .map { (url: folder.appendingPathComponent($0.0), problems: $0.1) }
    for file in files where !arguments.flag("force") {
      if FileManager.default.fileExists(atPath: file.url.path) {
        throw UsageError("\(file.url.relativePath) exists already; add --force to replace it")
      }
    }
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      for file in files {
        let text = ProceduralDataset.jsonLines(file.problems)
        try Data(text.utf8).write(to: file.url, options: .atomic)
        context.print("\(file.url.relativePath)  \(NumberFormat.grouped(file.problems.count)) rows")
      }
    } catch {
      throw RunFailure("\(folder.relativePath) can't be written: \(error.localizedDescription)")
    }
    return .done
  }

  /// As many problems as were asked for; where nobody asked, no more than an easy level has.
  private static func problems(
    of task: some ProceduralTask, _ arguments: ParsedArguments
  ) throws -> ProceduralDataset {
    let seed = arguments.integer("seed") ?? 0
    let asked = ["rows", "eval-rows"].contains(where: arguments.isGiven)
    do throws(ProceduralTaskError) {
      return try ProceduralDataset(
        task, train: arguments.integer("rows") ?? 0,
        evaluation: arguments.integer("eval-rows") ?? 0, seed: seed)
    } catch {
      guard !asked, error.found >= 10 else { throw error }
      // Drawing the last of them would take for ever: four fifths are taken, a tenth of those to evaluate.
      let count = error.found * 4 / 5
      return try ProceduralDataset(
        task, train: count - count / 10, evaluation: count / 10, seed: seed)
    }
  }

  private static func task(_ arguments: ParsedArguments) throws -> any ProceduralTask {
    let name = arguments.positional(0)
    guard let type = tasks.first(where: { $0.name == name }) else {
      throw UsageError("there is no task '\(name ?? "")'")
    }
    let level = arguments.integer("level") ?? 2
    guard type.levels.contains(level) else {
      throw UsageError("--level of \(type.name) must be \(words(for: type.levels)), not \(level)")
    }
    guard type == ArithmeticTask.self else {
      for option in ["digits", "operations", "padded"] where arguments.isGiven(option) {
        throw UsageError("--\(option) belongs to arithmetic; \(type.name) has --level")
      }
      return type.init(level: level)
    }
    var task =
      arguments.isGiven("level") ? ArithmeticTask(level: level) : ArithmeticTask.embedded
    let isOwn = ["digits", "operations"].contains(where: arguments.isGiven)
    if isOwn || arguments.isGiven("padded") { task.isPadded = arguments.flag("padded") }
    if let digits = arguments.integer("digits") { task.digits = digits }
    if let signs = arguments.string("operations") {
      task.operations = try signs.filter { !", ".contains($0) }.map { sign in
        guard let operation = ArithmeticTask.Operation(rawValue: String(sign)) else {
          throw UsageError("--operations must be of + - *, not '\(sign)'")
        }
        return operation
      }
    }
    return task
  }

  private static func words(for levels: ClosedRange<Int>) -> String {
    "\(levels.lowerBound) to \(levels.upperBound)"
  }
}
