import BuiltInRewards
import Foundation
import RewardKit
import Rollouts

/// `grpo reward test REWARD --input rows.jsonl`: scores completions that are in a file.
struct RewardTestCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "test", summary: "score the completions of a file",
      discussion: """
        A row has a completion (text, or a list of chat messages), may have a prompt, and every \
        other column goes to the reward. The reward is called as in training, the file being one step: a \
        reward of group scope gets the rows of one "group" together (any text or number; rows without \
        it are a group where they follow each other with the same prompt), one of step scope all of them.
        """,
      positionals: [RewardWords.positional],
      options: [
        OptionSpecification(
          "input", .path, valueName: "FILE", help: "JSONL, JSON or CSV file of completions")
      ] + RewardWords.options + CompletionTokenizer.options + [
        .flag("full", help: "don't cut the completions"), .json,
      ],
      examples: [
        .init(
          "grpo reward test ./my_reward.py --input rows.jsonl", "an executable over your own rows"),
        .init(
          "grpo reward test numeric --input out.jsonl --columns answer=ground_truth",
          "a built-in that reads another column"),
      ])
  }

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    guard let input = arguments.string("input") else {
      throw UsageError("--input is missing: a file whose rows have a completion")
    }
    let specification = try RewardWords.specification(arguments, arguments.positional(0) ?? "")
    let mapping = try RewardWords.mapping(arguments)
    let tokenizer = try CompletionTokenizer(arguments, context)
    let requests = try requests(input, mapping, arguments.integer("limit"), tokenizer)
    let columns = Set(requests.flatMap(\.problem.columns.keys)).sorted()
    let suite = try refusing {
      try RewardSuite(
        [specification], columns: columns, of: input, catalogue: .shipped)
    }
    defer { suite.shutDown() }
    for warning in suite.takeWarnings() { context.warn(warning) }
    let start = ContinuousClock.now
    let scored = try suite.score(requests)
    let elapsed = start.duration(to: .now) / Double(max(1, requests.count))
    if arguments.flag("json") {
      for (request, completion) in zip(requests, scored) {
        context.print(exactly: json(request, completion).jsonText)
      }
    } else {
      show(suite.rewards[0], requests, scored, arguments.flag("full"), context)
    }
    summarize(scored, elapsed, context)
    return scored.contains { $0.outcomes[0].isFailure } ? .failed : .done
  }

  /// The rows of a file as requests.
  private func requests(
    _ path: String, _ mapping: ColumnMapping, _ limit: Int?, _ tokenizer: CompletionTokenizer?
  ) throws -> [RewardRequest] {
    let file = try refusing { try DatasetFile(reading: path) }
    var groups = RowGroups()
    return try file.rows.prefix(limit ?? .max).enumerated().map { index, row in
      var columns = row.columns
      for entry in mapping.entries { columns[entry.name] = columns[entry.path] }
      guard let completion = columns["completion"],
        (completion.string ?? completion.array?.last?["content"]?.string) != nil
      else {
        throw UsageError(
          "\(path), \(row.place): has no completion; it has "
            + columns.keys.joined(separator: ", ")
            + " (name the column with --columns completion=…)")
      }
      // A row has the members of a request, beside columns of its own.
      var request: JSONObject = ["id": .integer(Int64(index))]
      for key in ["prompt", "completion", "completion_ids", "finish", "group"] {
        request[key] = columns[key]
        columns[key] = nil
      }
      request["columns"] = .object(columns)
      let received = try refusing { try ReceivedRequest(.object(request)) }
      return RewardRequest(
        id: index, group: groups.number(ofGroup: request["group"], prompt: request["prompt"]),
        problem: received.problem,
        completion: tokenizer?(received.completion) ?? received.completion)
    }
  }

  private func show(
    _ reward: RewardDescription, _ requests: [RewardRequest], _ scored: [ScoredCompletion],
    _ full: Bool, _ context: CommandContext
  ) {
    context.note(
      "\(reward.name) (\(reward.kind.rawValue), \(RewardWords.text(of: reward.range)), called "
        + "\(Self.callText(reward.scope)))")
    var table = Table([
      .number("row"), .number("score"), .number("ms"), .text("reason, parts or error"),
      .text("completion"),
    ])
    for (request, completion) in zip(requests, scored) {
      let outcome = completion.outcomes[0]
      table.append(
        String(request.id + 1), outcome.scoreText, NumberFormat.fixed(outcome.seconds * 1000, 2),
        outcome.remark, request.completion.text)
    }
    context.print(table.text(width: full ? nil : context.width, style: context.style))
  }

  private static func callText(_ scope: RewardScope) -> String {
    switch scope {
    case .completion: "for each completion"
    case .group: "once per group"
    case .step: "once for all rows, as once per step"
    }
  }

  private func summarize(
    _ scored: [ScoredCompletion], _ elapsed: Duration, _ context: CommandContext
  ) {
    let values = scored.compactMap(\.total)
    let mean =
      values.isEmpty
      ? "–" : NumberFormat.fixed(values.reduce(0, +) / Double(values.count), 4)
    let failures = scored.count { $0.outcomes[0].isFailure }
    let microseconds = elapsed / .microseconds(1)
    context.note(
      "\(scored.count) completions, \(values.count) scored, mean \(mean), "
        + "\(scored.count - values.count - failures) unscorable, \(failures) failed; "
        + "\(NumberFormat.fixed(microseconds, 0)) µs each")
    for cause in Self.causes(scored) { context.note(cause) }
  }

  /// Why rows have no score, a line for each cause in order of its first row.
  private static func causes(_ scored: [ScoredCompletion]) -> [String] {
    struct Cause: Hashable {
      var word: String
      var text: String
    }
    var rows: [Cause: [Int]] = [:]
    for completion in scored {
      switch completion.outcomes[0].scoring {
      case .scored: continue
      case .unscorable(let text):
        rows[Cause(word: "unscorable", text: text), default: []].append(completion.id + 1)
      case .failed(let text):
        rows[Cause(word: "failed", text: text), default: []].append(completion.id + 1)
      }
    }
    let causes = rows.sorted { $0.value[0] < $1.value[0] }
    let shown = causes.prefix(20).map { cause, rows in
      "  \(rows.count) \(cause.word): \(cause.text) "
        + (rows.count == 1 ? "(row \(rows[0]))" : "(first in row \(rows[0]))")
    }
    return shown + (causes.count > 20 ? ["  and \(causes.count - 20) other causes"] : [])
  }

  private func json(_ request: RewardRequest, _ completion: ScoredCompletion) -> JSONValue {
    let outcome = completion.outcomes[0]
    var object: JSONObject = ["row": .integer(Int64(request.id + 1))]
    switch outcome.scoring {
    case .scored(let score):
      object["score"] = .number(score.value)
      if !score.parts.isEmpty {
        object["parts"] = .object(JSONObject(sorting: score.parts.mapValues { .number($0) }))
      }
      if !score.steps.isEmpty {
        object["steps"] = .array(
          score.steps.map { ["end": .integer(Int64($0.end)), "score": .number($0.score)] })
      }
      if !score.log.isEmpty { object["log"] = .object(score.log) }
      if let reason = score.reason { object["reason"] = .string(reason) }
    case .unscorable(let reason):
      object["score"] = .null
      object["reason"] = .string(reason)
      object["unscorable"] = .string(reason)
    case .failed(let error):
      object["score"] = .null
      object["reason"] = .string(error)
      object["error"] = .string(error)
    }
    if !outcome.standardError.isEmpty { object["stderr"] = .string(outcome.standardError) }
    object["seconds"] = .number(outcome.seconds)
    return .object(object)
  }
}

extension RewardOutcome {
  /// Whether scoring failed.
  var isFailure: Bool {
    if case .failed = scoring { return true }
    return false
  }

  /// The score, or a word for why there is none.
  fileprivate var scoreText: String {
    switch scoring {
    case .scored(let score): return NumberFormat.fixed(score.value, 4)
    case .unscorable: return "–"
    case .failed: return "error"
    }
  }

  /// Reason, parts or error.
  var remark: String {
    switch scoring {
    case .scored(let score):
      let parts = score.parts.sorted { $0.key < $1.key }
        .map { "\($0.key) \(NumberFormat.fixed($0.value, 3))" }
      return ([score.reason].compactMap(\.self) + parts).joined(separator: ", ")
    case .unscorable(let reason): return reason
    case .failed(let error): return error
    }
  }
}

/// Numbers the groups that the rows of a file belong to.
private struct RowGroups {
  private var numbers: [JSONValue: Int] = [:]
  private var count = 0
  private var lastPrompt: JSONValue?

  /// The number of a row's group: that of the rows which name the same, or, where it names none, that of the
  /// row before if it has the same prompt.
  mutating func number(ofGroup name: JSONValue?, prompt: JSONValue?) -> Int {
    guard let name, !name.isNull else {
      if lastPrompt == nil || prompt != lastPrompt { count += 1 }
      lastPrompt = prompt
      return count - 1
    }
    lastPrompt = nil
    if let known = numbers[name] { return known }
    numbers[name] = count
    count += 1
    return count - 1
  }
}
