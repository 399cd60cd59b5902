import Audits
import Foundation
import Rollouts

/// `grpo data select FILE`: the rows that teach the most.
struct DataSelectCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "select", summary: "choose rows by learning value, by kind, or by novelty",
      discussion: """
        Writes --budget rows of FILE, unchanged and in their order. learning-value takes the rows \
        with the greatest expected p (1 - p), p being how often a run solved them; a row that was \
        never asked counts 1/6. kind does the same with kinds taking turns. novelty takes rows that \
        are as unlike each other as can be, without a run. parity draws rows so that the columns \
        --group and --label are independent (Kamiran and Calders' reweighing as uniform sampling); \
        where a combination has too few rows, they are repeated.
        """,
      positionals: [PositionalSpecification("FILE", .path, help: "JSONL, JSON or CSV file")],
      options: [
        OptionSpecification("budget", .integer(1 ... .max), unit: "rows", help: "how many to take"),
        OptionSpecification(
          "by", .choice(["learning-value", "kind", "novelty", "parity"]), default: "learning-value",
          help: "what rows are chosen by"),
        OptionSpecification("run", .path, valueName: "RUN", help: "a run that asked these rows"),
        OptionSpecification("group", valueName: "COLUMN", help: "parity: a row's group"),
        OptionSpecification("label", valueName: "COLUMN", help: "parity: a row's label"),
        OptionSpecification(
          "output", short: "o", .path, valueName: "FILE", default: "-",
          help: "the chosen rows as JSONL; '-' prints them"),
        OptionSpecification(
          "columns", valueName: "NEW=OLD", help: "columns to rename, to find the prompt",
          repeats: true),
        OptionSpecification(
          "kinds", .integer(1...1000), default: "8", help: "how many kinds to sort into at most"),
        OptionSpecification(
          "solved-at", .number, defaultDescription: "the run's highest",
          help: "the reward from which a completion counts as solved"),
        OptionSpecification(
          "seed", .integer(0...Int(Int32.max)), default: "1", help: "what the kinds are keyed by"),
      ],
      examples: [
        .init("grpo data select train.jsonl --budget 5 --by novelty", "five rows of all kinds")
      ])
  }

  init() {}

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    var faults: [String] = []
    let method = arguments.string("by") ?? "learning-value"
    if !arguments.isGiven("budget") { faults.append("--budget is missing: how many rows to take") }
    let needs = method == "parity" ? ["group", "label"] : method == "novelty" ? [] : ["run"]
    for name in ["run", "group", "label"] where needs.contains(name) != arguments.isGiven(name) {
      faults.append(
        needs.contains(name)
          ? "--by \(method) needs --\(name)" : "--by \(method) has no use for --\(name)")
    }
    let words = arguments.strings("columns").flatMap { $0.split(separator: ",").map(String.init) }
    let mapping = ColumnMapping(words)
    if mapping == nil { faults.append("--columns must be NEW=OLD, such as prompt=question") }
    guard faults.isEmpty, let budget = arguments.integer("budget"), let mapping else {
      throw UsageError(faults)
    }
    let path = arguments.positional(0) ?? ""
    let file = try refusing { try DatasetFile(reading: path) }
    let dataset = try refusing { try Dataset.read(path, mapping: mapping) }
    guard file.rows.count == dataset.problems.count else {
      throw UsageError("\(path) can't be read row by row; name a file")
    }
    let seed = UInt64(clamping: arguments.integer("seed") ?? 1)
    let texts = dataset.problems.map(\.prompt.plainText)
    let chosen: [Int]
    if method == "novelty" {
      chosen = TextVectors(texts).farthestFirst(budget)
    } else if method == "parity" {
      let columns = ColumnValues(rows: file.rows.map(\.columns), source: path)
      let (group, label) = (arguments.string("group") ?? "", arguments.string("label") ?? "")
      try columns.require([group], "--group")
      try columns.require([label], "--label")
      func values(_ name: String) -> [String] {
        file.rows.indices.map { ColumnValues.text(columns.value(name, $0)) }
      }
      chosen = Reweighing(groups: values(group), labels: values(label)).sample(budget, seed: seed)
    } else {
      let records = try refusing {
        try ProblemRecords(
          dataset, run: arguments.string("run") ?? "", solvedAt: arguments.double("solved-at"))
      }
      let values = dataset.problems.indices.map { row -> Double in
        let record = records.records[row]
        return LearningValue.expected(solved: record?.solved ?? 0, of: record?.scored ?? 0)
      }
      chosen =
        method == "kind"
        ? LearningValue.balanced(
          values,
          kinds: TextVectors(texts).kinds(arguments.integer("kinds") ?? 8, seed: seed),
          count: budget)
        : LearningValue.best(values, count: budget)
    }
    let text = chosen.sorted().map { JSONValue.object(file.rows[$0].columns).jsonText + "\n" }
      .joined()
    let output = arguments.string("output") ?? "-"
    if output == "-" {
      context.print(exactly: String(text.dropLast()))
    } else {
      try OutputFile(output).write(text)
    }
    context.note(
      "chose \(NumberFormat.grouped(chosen.count)) of \(NumberFormat.grouped(file.rows.count)) rows "
        + "by \(method)")
    return .done
  }
}
