// The line protocol between grpo and an environment, version 1 (docs/environments.md).
//
//   → {"grpo":1,"hello":{"kind":"environment","parameters":{…},"columns":[…]|null,"sessions":int}}
//   ← {"grpo":1,"kind":"environment","name":str,"acts":"calls"|"text"="text","tools":[schema]?,"sessions":int|null=1,
//      "has_reward":bool=false}
//   → {"id":int,"session":int,"reset":{"prompt":…,"columns":{…}}}
//   ← {"id":int,"observation":str?,"messages":[…]?}
//   → {"id":int,"session":int,"step":{"text":str,"calls":[{"name":str,"arguments":{…}}|{"text":str,"error":str}]}}
//   ← {"id":int,"observation":str?,"messages":[…]?,"reward":number?,"done":bool?,"failures":int?}
//   → {"id":int,"session":int,"close":{}}
//   ← {"id":int,"reward":number?}
//   ← {"id":int,"error":str}
import Rollouts

/// Which turns of the policy an environment is asked about.
public enum EnvironmentActs: String, Sendable, CaseIterable {
  /// Those with calls of tools; a turn without one is the trajectory's last.
  case calls
  /// All.
  case text
}

/// What an environment says of itself before the first request.
public struct EnvironmentGreeting: Sendable, Equatable {
  /// The environment's own name.
  public var name: String
  /// Which turns it is asked about.
  public var acts = EnvironmentActs.text
  /// The functions that the policy may call, as JSON schemas.
  public var tools: [JSONValue] = []
  /// How many trajectories one process holds at one time; nil is any number.
  public var sessions: Int? = 1
  /// Whether closing a trajectory gives its reward.
  public var hasReward = false

  /// A greeting.
  public init(name: String) { self.name = name }

  init(parsing line: some Sequence<UInt8>) throws(WireFault) {
    let value = try WireFault.parse(line, "greeting")
    guard value["grpo"]?.integer == rewardProtocolVersion else {
      throw WireFault(
        "greets with the version \(value["grpo"]?.jsonText ?? "none") of the protocol, expected "
          + "\(rewardProtocolVersion)")
    }
    guard value["kind"]?.string == "environment" else {
      throw WireFault("greets without \"kind\": \"environment\": it may be a reward")
    }
    guard let name = value["name"]?.string, !name.isEmpty else {
      throw WireFault("sent a greeting without a \"name\"")
    }
    self.init(name: name)
    if let acts = value["acts"], !acts.isNull {
      guard let known = acts.string.flatMap(EnvironmentActs.init) else {
        throw WireFault("greets with \"acts\": \(acts.jsonText), expected \"calls\" or \"text\"")
      }
      self.acts = known
    }
    tools = value["tools"]?.array ?? []
    guard tools.allSatisfy({ ($0["function"] ?? $0)["name"]?.string != nil }) else {
      throw WireFault("greets with a tool without a name, expected JSON schemas of functions")
    }
    if let count = value["sessions"] {
      guard count.isNull || (count.integer ?? 0) > 0 else {
        throw WireFault(
          "greets with \"sessions\": \(count.jsonText), expected a number from 1 or null")
      }
      sessions = count.integer
    }
    hasReward = value["has_reward"]?.bool ?? false
  }

  /// The greeting as a line of the protocol.
  var line: String {
    JSONValue.object([
      "grpo": .integer(Int64(rewardProtocolVersion)), "kind": "environment", "name": .string(name),
      "acts": .string(acts.rawValue), "tools": .array(tools),
      "sessions": sessions.map { .integer(Int64($0)) } ?? .null, "has_reward": .bool(hasReward),
    ]).jsonText
  }
}

/// What the policy is told before its first turn.
public struct EnvironmentOpening: Sendable, Hashable {
  /// What is appended to the prompt's last message, as TRL does with what `reset` returns; empty for nothing.
  public var text = ""
  /// Messages that follow the prompt's.
  public var messages: [ChatMessage] = []

  /// Nothing.
  public init() {}

  init(_ reply: JSONValue) throws(WireFault) {
    text = reply["observation"]?.string ?? ""
    var others = reply.object ?? [:]
    others["observation"] = nil
    messages = try Observation.messages(.object(others))
  }

  /// The prompt with what is told.
  public func appended(to prompt: Prompt) -> Prompt {
    switch prompt {
    case .text(let words):
      return .text(words + text + messages.map(\.content).joined())
    case .messages(var all):
      if !text.isEmpty {
        if all.isEmpty { all.append(ChatMessage(role: "user", content: "")) }
        all[all.count - 1].content += text
      }
      return .messages(all + messages)
    }
  }
}

/// What an environment answers to a turn of the policy.
public struct Observation: Sendable, Hashable {
  /// What the policy is told, as messages of a conversation.
  public var messages: [ChatMessage]
  /// The turn's reward, where it has one of its own.
  public var reward: Double?
  /// Whether the trajectory ends here.
  public var isDone: Bool
  /// How many of the turn's calls failed.
  public var failures: Int

  /// An answer.
  public init(
    messages: [ChatMessage] = [], reward: Double? = nil, isDone: Bool = false, failures: Int = 0
  ) {
    self.messages = messages
    self.reward = reward
    self.isDone = isDone
    self.failures = failures
  }

  /// What the user is told, in one message.
  public init(_ text: String, reward: Double? = nil, isDone: Bool = false) {
    self.init(
      messages: text.isEmpty ? [] : [ChatMessage(role: "user", content: text)], reward: reward,
      isDone: isDone)
  }

  init(_ reply: JSONValue) throws(WireFault) {
    messages = try Self.messages(reply)
    reward = try Self.number(reply["reward"], "reward")
    isDone = reply["done"]?.bool ?? false
    failures = max(0, reply["failures"]?.integer ?? 0)
  }

  /// The messages of a reply: its `messages`, or its `observation` as a user's.
  static func messages(_ reply: JSONValue) throws(WireFault) -> [ChatMessage] {
    var messages: [ChatMessage] = []
    for message in reply["messages"]?.array ?? [] {
      do { messages.append(try ChatMessage(json: message)) } catch {
        throw WireFault("wrote a message that \(error.reason)")
      }
    }
    if let text = reply["observation"]?.string, !text.isEmpty {
      messages.append(ChatMessage(role: "user", content: text))
    }
    return messages
  }

  static func number(_ value: JSONValue?, _ what: String) throws(WireFault) -> Double? {
    guard let value, !value.isNull else { return nil }
    guard let number = value.double, number.isFinite else {
      throw WireFault("wrote the \(what) \(WireFault.excerpt(value.jsonText)), expected a number")
    }
    return number
  }
}

extension ToolCall {
  /// The call as a member of a step's `calls`.
  var wire: JSONValue { ["name": .string(name), "arguments": .object(arguments)] }
}

extension AssistantTurn {
  /// The turn as the `step` of a request.
  /// - Parameter text: what the policy wrote, without special tokens.
  func wire(text: String) -> JSONValue {
    [
      "text": .string(text),
      "calls": .array(
        calls.map { call in
          switch call {
          case .success(let call): call.wire
          case .failure(let fault): ["text": .string(fault.text), "error": .string(fault.reason)]
          }
        }),
    ]
  }

  /// Reads a step as the plugin's side gets it.
  init(wire: JSONValue) {
    self.init(
      content: wire["text"]?.string ?? "",
      calls: (wire["calls"]?.array ?? []).map { call in
        guard let name = call["name"]?.string else {
          return .failure(
            MalformedCall(
              text: call["text"]?.string ?? "", reason: call["error"]?.string ?? "no name"))
        }
        return .success(ToolCall(name: name, arguments: call["arguments"]?.object ?? [:]))
      })
  }
}
