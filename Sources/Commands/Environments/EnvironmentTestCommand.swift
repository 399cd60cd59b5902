import Foundation
import RewardKit
import Rollouts
import Tokenizers

/// `grpo environment test ENVIRONMENT --input rows.jsonl`: plays the turns that rows have.
struct EnvironmentTestCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "test", summary: "play the turns of rows, and show the conversations",
      discussion: """
        A row has what a data set's row has, and a list "turns": what the policy writes, turn by turn, calls of \
        tools included. The environment is asked as in training.
        """,
      positionals: [EnvironmentWords.positional],
      options: [
        OptionSpecification(
          "input", .path, valueName: "FILE", help: "JSONL, JSON or CSV file of rows"),
        OptionSpecification(
          "tool-format", .choice(ToolFormat.allCases.map(\.rawValue)), default: "hermes",
          help: "how the turns write their calls"),
      ] + EnvironmentWords.options + [.json],
      examples: [
        .init("grpo environment test game.py:Game --input rows.jsonl", "a TRL environment")
      ])
  }

  /// A conversation that was played.
  private struct Played {
    var messages: [ChatMessage] = []
    var reward: Double?
    var failures = 0
    var fault: String?
  }

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    guard let input = arguments.string("input") else {
      throw UsageError("--input is missing: a file whose rows have turns")
    }
    let format = arguments.string("tool-format").flatMap(ToolFormat.init(rawValue:)) ?? .hermes
    let file = try refusing { try DatasetFile(reading: input) }
    let host = try EnvironmentWords.start(
      arguments, columns: Set(file.rows.flatMap(\.columns.keys)).sorted())
    defer { host.shutDown() }
    var hasFailed = false
    for (index, row) in file.rows.enumerated() {
      let played = try play(row.columns, place: "\(input), \(row.place)", index, host, format)
      hasFailed = hasFailed || played.fault != nil
      if arguments.flag("json") {
        context.print(exactly: json(played, index).jsonText)
      } else {
        show(played, index, context)
      }
    }
    return hasFailed ? .failed : .done
  }

  private func play(
    _ row: JSONObject, place: String, _ index: Int, _ host: EnvironmentHost, _ format: ToolFormat
  ) throws -> Played {
    var columns = row
    let turns = (columns["turns"]?.array ?? []).compactMap(\.string)
    columns["turns"] = nil
    var prompt = Prompt.messages([])
    if let given = columns["prompt"] {
      prompt = try refusing {
        do { return try Prompt(json: given) } catch let error as PromptFormError {
          throw UsageError("\(place): the prompt \(error.reason)")
        }
      }
      columns["prompt"] = nil
    }
    var played = Played()
    if case .messages(let messages) = prompt { played.messages = messages }
    host.open(index, Problem(index: index, prompt: prompt, columns: columns))
    guard take(host, index, into: &played) != nil else { return played }
    for text in turns {
      let turn = format.turn(text, tools: host.greeting.tools)
      played.messages.append(turn.message)
      if host.greeting.acts == .calls, turn.calls.isEmpty { break }
      host.step(index, turn, text: text)
      guard let isDone = take(host, index, into: &played) else { return played }
      if isDone { break }
    }
    host.close(index)
    _ = take(host, index, into: &played)
    return played
  }

  /// Waits for the next event of a session: whether the conversation is done, nil where it is lost.
  private func take(_ host: EnvironmentHost, _ session: Int, into played: inout Played) -> Bool? {
    while true {
      for (_, event) in host.events(waiting: 1) {
        switch event {
        case .opened(let opening):
          if case .messages(let all) = opening.appended(to: .messages(played.messages)) {
            played.messages = all
          }
        case .stepped(let observation):
          played.messages += observation.messages
          played.failures += observation.failures
          return observation.isDone
        case .closed(let reward): played.reward = reward
        case .failed(let reason):
          played.fault = reason
          return nil
        }
        return false
      }
    }
  }

  private func show(_ played: Played, _ index: Int, _ context: CommandContext) {
    context.print("row \(index + 1)")
    for message in played.messages {
      let calls = (message.extra["tool_calls"]?.array ?? []).compactMap { $0["function"]?.jsonText }
      let words = ([message.content].filter { !$0.isEmpty } + calls).joined(separator: " ")
      context.print("  \(message.role): \(words)")
    }
    if let fault = played.fault { context.print("  the environment \(fault)") }
    let reward = played.reward.map { NumberFormat.fixed($0, 4) } ?? "–"
    context.print("  reward \(reward), \(played.failures) calls failed")
  }

  private func json(_ played: Played, _ index: Int) -> JSONValue {
    [
      "row": .integer(Int64(index + 1)), "messages": .array(played.messages.map(\.json)),
      "reward": played.reward.map { .number($0) } ?? .null,
      "failures": .integer(Int64(played.failures)),
      "error": played.fault.map { .string($0) } ?? .null,
    ]
  }
}
