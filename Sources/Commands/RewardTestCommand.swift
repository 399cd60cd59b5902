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
        other column goes to the reward.
        """,
      positionals: [RewardWords.positional],
      options: [
        OptionSpecification(
          "input", .path, valueName: "FILE", help: "JSONL, JSON or CSV file of completions")
      ] + RewardWords.options + [
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
    let requests = try requests(input, mapping, arguments.integer("limit"))
    let columns = Set(requests.flatMap(\.problem.columns.keys)).sorted()
    let suite = try refusing {
      try RewardSuite([specification], columns: columns, catalogue: .shipped)
    }
    defer { suite.shutDown() }
    let start = ContinuousClock.now
    let scored = try suite.score(requests)
    let elapsed = start.duration(to: .now) / Double(max(1, requests.count))
    if arguments.flag("json") {
      for (request, completion) in zip(requests, scored) {
        context.print(json(request, completion).jsonText)
      }
    } else {
      show(suite.rewards[0], requests, scored, arguments.flag("full"), context)
    }
    summarize(scored, elapsed, context)
    return scored.contains { $0.outcomes[0].isFailure } ? .failed : .done
  }

  /// The rows of a file as requests.
  private func requests(
    _ path: String, _ mapping: ColumnMapping, _ limit: Int?
  ) throws -> [RewardRequest] {
    let file = try refusing { try DatasetFile(reading: path) }
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
        id: index, group: received.group, problem: received.problem,
        completion: received.completion)
    }
  }

  private func show(
    _ reward: RewardDescription, _ requests: [RewardRequest], _ scored: [ScoredCompletion],
    _ full: Bool, _ context: CommandContext
  ) {
    context.note("\(reward.name) (\(reward.kind.rawValue), \(RewardWords.text(of: reward.range)))")
    var table = Table([
      .number("row"), .number("score"), .number("ms"), .text("parts or error"), .text("completion"),
    ])
    for (request, completion) in zip(requests, scored) {
      let outcome = completion.outcomes[0]
      table.append(
        String(request.id + 1), outcome.scoreText, NumberFormat.fixed(outcome.seconds * 1000, 2),
        outcome.remark, request.completion.text)
    }
    context.print(table.text(width: full ? nil : context.width, style: context.style))
  }

  private func summarize(
    _ scored: [ScoredCompletion], _ elapsed: Duration, _ context: CommandContext
  ) {
    let values = scored.compactMap(\.total)
    let mean = values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count)
    let failures = scored.count { $0.outcomes[0].isFailure }
    let microseconds = elapsed / .microseconds(1)
    context.note(
      "\(scored.count) completions, \(values.count) scored, mean \(NumberFormat.fixed(mean, 4)), "
        + "\(scored.count - values.count - failures) unscorable, \(failures) failed; "
        + "\(NumberFormat.fixed(microseconds, 0)) µs each")
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
    case .unscorable(let reason): object["unscorable"] = .string(reason)
    case .failed(let error): object["error"] = .string(error)
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

  /// Parts, reason or error.
  var remark: String {
    switch scoring {
    case .scored(let score):
      return score.parts.sorted { $0.key < $1.key }
        .map { "\($0.key) \(NumberFormat.fixed($0.value, 3))" }.joined(separator: ", ")
    case .unscorable(let reason): return reason
    case .failed(let error): return error
    }
  }
}
