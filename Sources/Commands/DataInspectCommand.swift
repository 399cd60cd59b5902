import Foundation
import Rollouts
import Tokenizers
import Training

/// `grpo data inspect FILE`: what a data set is made of, and what is wrong with it.
struct DataInspectCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "inspect", summary: "rows, columns, lengths, duplicates of a data set",
      discussion: """
        With --against, also how many prompts of the other file stand in this one, or nearly do \
        (Jaccard similarity of character 5-grams of at least 0.8): what was meant to be held out.
        """,
      positionals: [
        PositionalSpecification("FILE", .path, help: "JSONL, JSON or CSV file, or a folder")
      ],
      options: [
        OptionSpecification(
          "columns", valueName: "NEW=OLD", help: "columns to rename, as in 'grpo train'",
          repeats: true),
        OptionSpecification(
          "against", .path, valueName: "FILE", help: "another data set, such as the evaluation's"),
        OptionSpecification(
          "model", .path, valueName: "FOLDER",
          help: "a model's folder: lengths in its tokens too, conversations by its template"),
        OptionSpecification(
          "max-prompt-length", .integer(1 ... .max), unit: "tokens",
          help: "with --model, count the prompts that are longer"),
        .flag("full", help: "don't cut the examples"), .json,
      ],
      examples: [
        .init(
          "grpo data inspect train.jsonl --columns prompt=question --against test.jsonl",
          "also what the two have in common")
      ])
  }

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    let words = arguments.strings("columns").flatMap { $0.split(separator: ",").map(String.init) }
    guard let mapping = ColumnMapping(words) else {
      throw UsageError("--columns must be NEW=OLD, such as prompt=question")
    }
    let path = arguments.positional(0) ?? ""
    let dataset = try refusing { try Dataset.read(path, mapping: mapping) }
    let other = try arguments.string("against").map { path in
      try refusing { try Dataset.read(path, mapping: mapping, split: .evaluation) }
    }
    let inspection = Inspection(
      dataset: dataset, report: DatasetReport(dataset), overlap: other.map { Overlap(dataset, $0) },
      tokens: try arguments.string("model").map { folder in
        try refusing { try Self.tokenCounts(dataset, folder) }
      },
      limit: arguments.integer("max-prompt-length"))
    if arguments.flag("json") {
      context.print(exactly: json(inspection).prettyJSONText)
    } else {
      show(inspection, arguments.flag("full"), context)
    }
    return .done
  }

  /// Everything that was found.
  private struct Inspection {
    var dataset: Dataset
    var report: DatasetReport
    var overlap: Overlap?
    /// Lengths of the prompts in tokens, ascending; nil without a model.
    var tokens: [Int]?
    /// The longest prompt that is allowed.
    var limit: Int?

    /// How many prompts are longer than allowed; nil where it isn't asked.
    var overlong: Int? {
      guard let tokens, let limit else { return nil }
      return tokens.filter { $0 > limit }.count
    }
  }

  private static func tokenCounts(_ dataset: Dataset, _ folder: String) throws -> [Int] {
    let tokenizer = try Tokenizer(folder: URL(fileURLWithPath: folder))
    let encoder = PromptEncoder(tokenizer: tokenizer, contextLength: .max)
    return try dataset.problems.compactMap {
      try encoder.encode($0, dataset: dataset.name)?.count
    }.sorted()
  }

  /// What two data sets have in common.
  private struct Overlap {
    var name: String
    var count: Int
    var pairs: [NearDuplicates.Pair]
    var equal: Int
    var example: (first: RowPlace, second: RowPlace, similarity: Double)?

    init(_ dataset: Dataset, _ other: Dataset) {
      name = other.name
      count = other.problems.count
      let prompts = Set(dataset.problems.map(\.prompt))
      equal = other.problems.filter { prompts.contains($0.prompt) }.count
      pairs = NearDuplicates.find(dataset.problems, other.problems)
      let notEqual = pairs.first {
        dataset.problems[$0.first].prompt != other.problems[$0.second].prompt
      }
      example = (notEqual ?? pairs.first).map {
        (dataset.places[$0.first], other.places[$0.second], $0.similarity)
      }
    }
  }

  private func show(_ inspection: Inspection, _ full: Bool, _ context: CommandContext) {
    let (dataset, report) = (inspection.dataset, inspection.report)
    context.print("\(dataset.name): \(NumberFormat.grouped(report.rowCount)) rows")
    context.print("sha256 \(dataset.contentHash)\n")
    var table = Table([
      .text("column"), .text("kind"), .number("missing"), .number("distinct"), .text("example"),
    ])
    for column in report.columns {
      table.append(
        column.name, column.kinds.joined(separator: ", "), NumberFormat.grouped(column.missing),
        NumberFormat.grouped(column.distinct), column.example)
    }
    context.print(table.text(width: full ? nil : context.width, style: context.style))
    context.print("\nprompt lengths in characters: " + words(for: report.promptLengths))
    if let tokens = inspection.tokens {
      context.print("prompt lengths in tokens: " + words(for: tokens))
    }
    if let overlong = inspection.overlong, let limit = inspection.limit {
      context.print("prompts longer than \(limit) tokens: \(NumberFormat.grouped(overlong))")
    }
    let repeated = report.duplicates.reduce(0) { $0 + $1.count - 1 }
    let first = report.duplicates.first.map { ", the first of \($0.first)" } ?? ""
    context.print("repeated prompts: \(NumberFormat.grouped(repeated))\(first)")
    guard let overlap = inspection.overlap else { return }
    context.print(
      "\n\(overlap.name): of \(NumberFormat.grouped(overlap.count)) prompts, \(overlap.equal) stand "
        + "in \(dataset.name), and \(overlap.pairs.count) nearly do")
    if let example = overlap.example {
      context.print(
        "for instance its \(example.second) and \(example.first) here, similarity "
          + NumberFormat.fixed(example.similarity, 2))
    }
  }

  private func words(for lengths: [Int]) -> String {
    "least \(lengths.first ?? 0), median \(quantile(lengths, 0.5)), "
      + "95% \(quantile(lengths, 0.95)), greatest \(lengths.last ?? 0)"
  }

  private func json(_ inspection: Inspection) -> JSONValue {
    let (dataset, report) = (inspection.dataset, inspection.report)
    var result: JSONObject = [
      "name": .string(dataset.name), "rows": .integer(Int64(report.rowCount)),
      "sha256": .string(dataset.contentHash),
      "columns": .array(
        report.columns.map { column in
          [
            "name": .string(column.name), "kinds": .array(column.kinds.map(JSONValue.string)),
            "missing": .integer(Int64(column.missing)),
            "distinct": .integer(Int64(column.distinct)),
          ]
        }),
      "prompt_characters": json(report.promptLengths),
      "repeated_prompts": .integer(Int64(report.duplicates.reduce(0) { $0 + $1.count - 1 })),
    ]
    if let tokens = inspection.tokens { result["prompt_tokens"] = json(tokens) }
    if let overlong = inspection.overlong { result["overlong"] = .integer(Int64(overlong)) }
    if let overlap = inspection.overlap {
      result["against"] = [
        "name": .string(overlap.name), "rows": .integer(Int64(overlap.count)),
        "equal": .integer(Int64(overlap.equal)), "near": .integer(Int64(overlap.pairs.count)),
      ]
    }
    return .object(result)
  }

  private func json(_ lengths: [Int]) -> JSONValue {
    [
      "least": .integer(Int64(lengths.first ?? 0)),
      "median": .integer(Int64(quantile(lengths, 0.5))),
      "p95": .integer(Int64(quantile(lengths, 0.95))),
      "greatest": .integer(Int64(lengths.last ?? 0)),
    ]
  }

  /// The value below which a share of an ascending list lies; 0 of an empty one.
  private func quantile(_ sorted: [Int], _ share: Double) -> Int {
    sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(clamping: Double(sorted.count) * share))]
  }
}
