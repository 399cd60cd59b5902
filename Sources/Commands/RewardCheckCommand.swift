import BuiltInRewards
import Foundation
import RewardKit
import Rollouts

/// `grpo reward check REWARD --dataset D`: the right answers must get the full score, and what
/// isn't an answer must not.
struct RewardCheckCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "check", summary: "hold a reward against a data set's gold answers",
      discussion: """
        The gold answers must get the full score in at least --least of the rows. An empty \
        completion, the prompt echoed, several rows' answers listed, and the answer said eight \
        times must get it in at most the rest. (The last two say nothing about programs, which may \
        stand beside others, and are left out for them.)
        """,
      positionals: [RewardWords.positional],
      options: [
        OptionSpecification("dataset", .path, valueName: "FILE", help: "the data set"),
        OptionSpecification(
          "gold", valueName: "COLUMN", defaultDescription: "the reward's own notion",
          help: "the column with completions that are right"),
        OptionSpecification(
          "least", .number(0...1), default: "0.99", help: "the share of gold answers that must pass"
        ),
      ] + RewardWords.options + CompletionTokenizer.options + [
        OptionSpecification(
          "show", .count, valueName: "N", default: "5", help: "how many failures are shown"), .json,
      ],
      examples: [
        .init(
          "grpo reward check numeric --dataset gsm8k/test.jsonl --columns prompt=question",
          "GSM8K's own answers"),
        .init(
          "grpo reward check '{use: \"numeric\", columns: {answer: \"target\"}}' "
            + "--dataset gsm_hard/test.jsonl --columns prompt=input", "another column's answers"),
      ])
  }

  /// One kind of completion, tried with every row.
  private struct Probe {
    var name: String
    var isGold = false
    var completions: [(problem: Problem, text: String)]
    var scored: [ScoredCompletion] = []

    func full(_ best: Double) -> Int { scored.count { ($0.total ?? -.infinity) >= best } }
  }

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    guard let path = arguments.string("dataset") else {
      throw UsageError("--dataset is missing: the data set whose answers are tried")
    }
    var specification = try RewardWords.specification(arguments, arguments.positional(0) ?? "")
    specification.weight = 1
    let mapping = try RewardWords.mapping(arguments)
    let dataset = try refusing {
      try Dataset.read(
        path, mapping: mapping, split: .evaluation, limit: arguments.integer("limit"))
    }
    let suite = try refusing {
      try RewardSuite(
        [specification], columns: dataset.columns, of: dataset.name, catalogue: .shipped)
    }
    defer { suite.shutDown() }
    let tokenizer = try CompletionTokenizer(arguments, context)
    for warning in suite.takeWarnings() { context.warn(warning) }
    for fault in suite.faults(in: dataset) { context.note(fault) }
    var probes = try probes(dataset, suite, gold: arguments.string("gold"))
    for index in probes.indices {
      probes[index].scored = try suite.score(
        probes[index].completions.enumerated().map { id, item in
          let completion = Completion(text: item.text, tokens: [], finish: .stop)
          return RewardRequest(
            id: id, group: id, problem: item.problem,
            completion: tokenizer?(completion) ?? completion)
        })
    }
    let best = suite.rewards[0].range?.upperBound ?? 1
    let least = arguments.double("least") ?? 0.99
    let isGood = probes.allSatisfy { passes($0, best, least, dataset.problems.count) }
    if arguments.flag("json") {
      context.print(exactly: json(probes, best, least, dataset.problems.count).prettyJSONText)
    } else {
      show(probes, best, least, dataset, arguments.integer("show") ?? 5, context)
    }
    return isGood ? .done : .failed
  }

  private func probes(
    _ dataset: Dataset, _ suite: RewardSuite, gold column: String?
  ) throws -> [Probe] {
    let golds = dataset.problems.compactMap { problem in
      let text =
        column.map { problem.columns[$0]?.plainText }
        ?? suite.goldCompletion(for: problem, reward: 0)
      return text.map { (problem: problem, text: $0) }
    }
    guard !golds.isEmpty else {
      let known = dataset.columns.joined(separator: ", ")
      throw UsageError(
        "the reward knows no right completion of these rows: name their column with --gold (they "
          + "have \(known))")
    }
    var probes = [
      Probe(name: "gold answer", isGold: true, completions: golds),
      Probe(name: "empty", completions: golds.map { ($0.problem, "") }),
      Probe(name: "prompt echoed", completions: golds.map { ($0.problem, $0.problem.prompt.text) }),
    ]
    guard suite.rewards[0].category != .program else { return probes }
    let listed = golds.indices.compactMap { index -> (problem: Problem, text: String)? in
      // The row's own answer at a place that changes from row to row.
      var texts: [String] = []
      for offset in 0..<min(golds.count, 200) where texts.count < 8 {
        let text = golds[(index + offset) % golds.count].text
        if !texts.contains(text) { texts.append(text) }
      }
      guard texts.count > 1 else { return nil }
      texts.swapAt(0, index % texts.count)
      return (golds[index].problem, texts.joined(separator: "\n"))
    }
    probes.append(Probe(name: "candidates listed", completions: listed))
    probes.append(
      Probe(
        name: "answer repeated",
        completions: golds.map {
          ($0.problem, Array(repeating: $0.text, count: 8).joined(separator: "\n"))
        }))
    return probes
  }

  private func passes(_ probe: Probe, _ best: Double, _ least: Double, _ rows: Int) -> Bool {
    let full = Double(probe.full(best))
    // A row without a gold completion counts against the reward.
    if probe.isGold { return full >= least * Double(rows) }
    return full <= (1 - least) * Double(max(1, probe.completions.count)) + 1e-9
  }

  private func show(
    _ probes: [Probe], _ best: Double, _ least: Double, _ dataset: Dataset, _ count: Int,
    _ context: CommandContext
  ) {
    var table = Table([
      .text("completion"), .number("rows"), .number("full score"), .number("share"), .text(""),
    ])
    for probe in probes {
      let full = probe.full(best)
      let rows = probe.isGold ? dataset.problems.count : probe.completions.count
      let share = rows == 0 ? 0 : Double(full) / Double(rows)
      table.append(
        probe.name, String(rows), String(full), NumberFormat.fixed(share * 100, 2) + "%",
        passes(probe, best, least, dataset.problems.count) ? "good" : "BAD")
    }
    context.print(table.text(width: context.width, style: context.style))
    for probe in probes {
      let wrong = zip(probe.completions, probe.scored).filter { pair in
        ((pair.1.total ?? -.infinity) >= best) != probe.isGold
      }
      for (item, completion) in wrong.prefix(count) {
        let place = dataset.places[item.problem.index]
        let total = completion.total.map { NumberFormat.fixed($0, 4) } ?? "none"
        context.note(
          "\(probe.name), \(dataset.name), \(place): \(total) \(completion.outcomes[0].remark)\n    "
            + item.text.suffix(160).replacing("\n", with: "⏎"))
      }
    }
  }

  private func json(_ probes: [Probe], _ best: Double, _ least: Double, _ rows: Int) -> JSONValue {
    .array(
      probes.map { probe in
        [
          "completion": .string(probe.name),
          "rows": .integer(Int64(probe.isGold ? rows : probe.completions.count)),
          "full_score": .integer(Int64(probe.full(best))),
          "passes": .bool(passes(probe, best, least, rows)),
        ]
      })
  }
}

extension Prompt {
  /// The prompt as a text, a conversation as its last message.
  fileprivate var text: String {
    switch self {
    case .text(let text): return text
    case .messages(let messages): return messages.last?.content ?? ""
    }
  }
}
