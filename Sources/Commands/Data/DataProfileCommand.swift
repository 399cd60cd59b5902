import Audits
import Foundation
import Rollouts

/// `grpo data profile FILE`: what of a data set earns its place.
struct DataProfileCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "profile", summary: "kinds, difficulty, repeats and leaks of a data set",
      discussion: """
        Sorts the prompts into kinds by their character 3-grams (k-means), counts repeats and near \
        repeats (Jaccard similarity of character 5-grams of at least 0.8), and with --against what \
        stands in the evaluation's data as well.

        With --run, how the rows fared there: the share solved by kind with its 95% Wilson interval, \
        rows always or never solved, and rows whose reward looks wrong: most of the policy's \
        completions agree on an answer that gets nothing, or the same answer got different rewards.
        """,
      positionals: [
        PositionalSpecification("FILE", .path, help: "JSONL, JSON or CSV file, or a folder")
      ],
      options: [
        OptionSpecification(
          "columns", valueName: "NEW=OLD", help: "columns to rename, as in 'grpo train'",
          repeats: true),
        OptionSpecification("run", .path, valueName: "RUN", help: "a run that asked these rows"),
        OptionSpecification(
          "against", .path, valueName: "FILE", help: "the evaluation's data"),
        OptionSpecification(
          "kinds", .integer(1...1000), default: "8", help: "how many kinds to sort into at most"),
        OptionSpecification(
          "solved-at", .number, defaultDescription: "the run's highest",
          help: "the reward from which a completion counts as solved"),
        OptionSpecification(
          "seed", .integer(0...Int(Int32.max)), default: "1", help: "what the kinds are keyed by"),
        OptionSpecification("limit", .count, default: "10", unit: "rows", help: "rows to list"),
        .json,
      ],
      examples: [
        .init("grpo data profile train.jsonl --against eval.jsonl", "what the data is made of")
      ])
  }

  init() {}

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    let words = arguments.strings("columns").flatMap { $0.split(separator: ",").map(String.init) }
    guard let mapping = ColumnMapping(words) else {
      throw UsageError("--columns must be NEW=OLD, such as prompt=question")
    }
    let dataset = try refusing {
      try Dataset.read(arguments.positional(0) ?? "", mapping: mapping)
    }
    let other = try arguments.string("against").map { path in
      try refusing { try Dataset.read(path, mapping: mapping, split: .evaluation) }
    }
    let records = try arguments.string("run").map { run in
      try refusing {
        try ProblemRecords(dataset, run: run, solvedAt: arguments.double("solved-at"))
      }
    }
    if records == nil, arguments.isGiven("solved-at") {
      throw UsageError("--solved-at needs --run")
    }
    let view = DataProfile(
      dataset: dataset, records: records,
      kinds: TextVectors(dataset.problems.map(\.prompt.plainText)).kinds(
        arguments.integer("kinds") ?? 8, seed: UInt64(clamping: arguments.integer("seed") ?? 1)),
      repeated: DatasetReport(dataset).duplicates.reduce(0) { $0 + $1.count - 1 },
      near: NearDuplicates.within(dataset.problems),
      leaks: other.map { NearDuplicates.find(dataset.problems, $0.problems) },
      other: other?.name, limit: arguments.integer("limit") ?? 10)
    if arguments.flag("json") {
      context.print(exactly: view.json.prettyJSONText)
    } else {
      context.print(view.text(width: context.width, style: context.style))
    }
    return .done
  }
}

/// What `grpo data profile` found.
private struct DataProfile {
  let dataset: Dataset
  let records: ProblemRecords?
  let kinds: [Int]
  let repeated: Int
  let near: [NearDuplicates.Pair]
  let leaks: [NearDuplicates.Pair]?
  let other: String?
  let limit: Int

  /// One kind.
  private struct Kind {
    var rows: [Int]
    var interval: ProportionInterval?
    var asked = 0
  }

  private var groups: [Kind] {
    Dictionary(grouping: kinds.indices) { kinds[$0] }.sorted { $0.key < $1.key }.map { _, rows in
      guard let records else { return Kind(rows: rows) }
      let known = rows.compactMap { records.records[$0] }
      let scored = known.reduce(0) { $0 + $1.scored }
      return Kind(
        rows: rows,
        interval: scored == 0
          ? nil
          : ProportionInterval(successes: known.reduce(0) { $0 + $1.solved }, trials: scored),
        asked: known.count)
    }
  }

  private func rows(where condition: (ProblemRecords.Record) -> Bool) -> [Int] {
    (records?.records ?? [:]).filter { condition($0.value) }.keys.sorted()
  }

  private var never: [Int] { rows { $0.solved == 0 } }
  private var always: [Int] { rows { $0.solved == $0.scored } }
  /// Rows where most completions agree on an answer that gets nothing.
  private var disputed: [Int] { rows { ($0.majority?.solved ?? 1) == 0 } }
  /// Rows where the same answer was solved and was not.
  private var unsteady: [Int] {
    rows { $0.answers.values.contains { $0.solved > 0 && $0.solved < $0.count } }
  }

  func text(width: Int, style: Style) -> String {
    var lines = ["\(dataset.name): \(NumberFormat.grouped(dataset.problems.count)) rows", ""]
    var table = Table([.number("kind"), .number("rows")])
    if records != nil {
      table.columns += [.number("asked"), .number("solved"), .text("95% interval")]
    }
    table.columns.append(.text("for instance"))
    for (index, kind) in groups.enumerated() {
      var cells = ["\(index + 1)", NumberFormat.grouped(kind.rows.count)]
      if records != nil {
        cells += [
          "\(kind.asked)", kind.interval.map { NumberFormat.percent($0.share) } ?? "–",
          kind.interval.map {
            "[\(NumberFormat.percent($0.lower)), \(NumberFormat.percent($0.upper))]"
          } ?? "",
        ]
      }
      cells.append(dataset.problems[kind.rows[0]].prompt.plainText)
      table.rows.append(cells)
    }
    lines.append(table.text(width: width, style: style))
    lines += [
      "", "repeated prompts: \(NumberFormat.grouped(repeated))",
      "rows that nearly repeat an earlier one: \(NumberFormat.grouped(near.count))"
        + places(near.map(\.second)),
    ]
    if let leaks, let other {
      lines.append(
        "prompts of \(other) that stand here, or nearly: \(NumberFormat.grouped(leaks.count))")
    }
    if let records {
      lines += [
        "", "solved means a reward of \(NumberFormat.significant(records.solvedAt)) or more",
        "never solved: \(never.count)" + places(never),
        "always solved: \(always.count)" + places(always),
        "most completions agree on an answer that gets nothing: \(disputed.count)"
          + places(disputed),
        "the same answer got different rewards: \(unsteady.count)" + places(unsteady),
      ]
      if records.mismatches > 0 {
        lines.append(
          "\(NumberFormat.grouped(records.mismatches)) completions of the run are of other prompts")
      }
    }
    return lines.joined(separator: "\n")
  }

  /// Where rows stand in their file.
  private func places(_ rows: [Int]) -> String {
    guard !rows.isEmpty, limit > 0 else { return "" }
    let list = rows.prefix(limit).map { "\(dataset.places[$0])" }.joined(separator: ", ")
    return ": " + list + (rows.count > limit ? ", …" : "")
  }

  var json: JSONValue {
    func list(_ rows: [Int]) -> JSONValue { .array(rows.map { .integer(Int64($0)) }) }
    var object: JSONObject = [
      "name": .string(dataset.name), "rows": .integer(Int64(dataset.problems.count)),
      "kinds": .array(
        groups.map { kind in
          var object: JSONObject = [
            "rows": .integer(Int64(kind.rows.count)),
            "example": .string(dataset.problems[kind.rows[0]].prompt.plainText),
          ]
          if records != nil { object["asked"] = .integer(Int64(kind.asked)) }
          if let interval = kind.interval {
            object["solved"] = .number(interval.share)
            object["interval"] = [.number(interval.lower), .number(interval.upper)]
          }
          return .object(object)
        }),
      "kind_of_row": list(kinds), "repeated": .integer(Int64(repeated)),
      "near_repeats": .array(
        near.map {
          [
            "row": .integer(Int64($0.second)), "of": .integer(Int64($0.first)),
            "similarity": .number($0.similarity),
          ]
        }),
    ]
    if let leaks { object["leaks"] = .integer(Int64(leaks.count)) }
    if let records {
      object["solved_at"] = .number(records.solvedAt)
      object["never_solved"] = list(never)
      object["always_solved"] = list(always)
      object["reward_looks_wrong"] = list(disputed)
      object["reward_unsteady"] = list(unsteady)
    }
    return .object(object)
  }
}
