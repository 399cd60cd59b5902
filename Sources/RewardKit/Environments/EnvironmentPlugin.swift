import Foundation
import Rollouts

/// An environment that is a program of its own: mark the type `@main`, and it speaks the line protocol.
///
/// One value is one trajectory: it is made for the row, asked about each turn of the policy, and gives the reward.
///
/// ```swift
/// import RewardKit
///
/// @main struct Guess: EnvironmentPlugin {
///   static let name = "guess"
///   let secret: Int
///   var guesses = 0
///
///   init(problem: Problem, parameters: RewardParameters) throws {
///     secret = problem.columns["secret"]?.integer ?? 0
///   }
///
///   mutating func step(_ turn: AssistantTurn) -> Observation {
///     guesses += 1
///     guard let guess = Int(turn.content) else { return Observation("a number, please") }
///     if guess == secret { return Observation("", reward: 1, isDone: true) }
///     return Observation(guess < secret ? "higher" : "lower")
///   }
/// }
/// ```
public protocol EnvironmentPlugin {
  /// The environment's name, as greeted.
  static var name: String { get }
  /// The settings that it takes.
  static var parameters: [RewardParameter] { get }
  /// The functions that the policy may call, as JSON schemas; with any, it is asked about turns with calls alone.
  static var tools: [JSONValue] { get }
  /// Begins a trajectory of a row.
  init(problem: Problem, parameters: RewardParameters) throws
  /// What the policy is told before its first turn; nil for nothing.
  mutating func reset() throws -> String?
  /// Answers a turn of the policy.
  mutating func step(_ turn: AssistantTurn) throws -> Observation
  /// The trajectory's reward; nil where the rewards of its turns are all there is.
  mutating func reward() throws -> Double?
}

extension EnvironmentPlugin {
  /// None.
  public static var parameters: [RewardParameter] { [] }
  /// None.
  public static var tools: [JSONValue] { [] }
  /// Nothing.
  public mutating func reset() throws -> String? { nil }
  /// Those of the turns.
  public mutating func reward() throws -> Double? { nil }

  /// Answers requests from standard input until it closes.
  public static func main() {
    var sessions: [Int: (environment: Self, total: Double?)] = [:]
    var settings: RewardParameters?
    while let line = readLine(strippingNewline: true) {
      guard !line.isEmpty else { continue }
      do {
        let value = try JSONValue.parse(line)
        if let hello = value["hello"] {
          settings = try RewardParameters(
            hello["parameters"]?.object ?? [:], declared: parameters)
          write(greeting.line)
          continue
        }
        guard let settings, let id = value["id"], let session = value["session"]?.integer else {
          throw WireFault("a request without id and session, or before the greeting")
        }
        var reply: JSONObject = ["id": id]
        do {
          let members = try answer(value, &sessions, session, settings)
          for (key, member) in members { reply[key] = member }
        } catch { reply["error"] = .string("\(error)") }
        write(JSONValue.object(reply).jsonText)
      } catch {
        FileHandle.standardError.write(Data("\(error)\n".utf8))
        exit(1)
      }
    }
  }

  private static var greeting: EnvironmentGreeting {
    var greeting = EnvironmentGreeting(name: name)
    greeting.acts = tools.isEmpty ? .text : .calls
    greeting.tools = tools
    greeting.sessions = nil
    greeting.hasReward = true
    return greeting
  }

  private static func answer(
    _ request: JSONValue, _ sessions: inout [Int: (environment: Self, total: Double?)],
    _ session: Int, _ settings: RewardParameters
  ) throws -> JSONObject {
    if let row = request["reset"] {
      let prompt = try row["prompt"].map { try Prompt(json: $0) } ?? .text("")
      let problem = Problem(
        index: session, prompt: prompt, columns: row["columns"]?.object ?? [:])
      var environment = try Self(problem: problem, parameters: settings)
      let text = try environment.reset()
      sessions[session] = (environment, nil)
      return text.map { ["observation": .string($0)] } ?? [:]
    }
    guard var state = sessions[session] else { throw WireFault("a session that was not reset") }
    if let step = request["step"] {
      let observation = try state.environment.step(AssistantTurn(wire: step))
      if let reward = observation.reward { state.total = (state.total ?? 0) + reward }
      sessions[session] = state
      return [
        "messages": .array(observation.messages.map(\.json)),
        "reward": observation.reward.map { .number($0) } ?? .null,
        "done": .bool(observation.isDone), "failures": .integer(Int64(observation.failures)),
      ]
    }
    sessions[session] = nil
    let reward = try state.environment.reward() ?? state.total
    return ["reward": reward.map { .number($0) } ?? .null]
  }

  private static func write(_ line: String) {
    FileHandle.standardOutput.write(Data((line + "\n").utf8))
  }
}
