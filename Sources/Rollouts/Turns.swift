/// A tool that the policy asks for, with its arguments.
public struct ToolCall: Sendable, Hashable {
  /// The tool's name.
  public var name: String
  /// The arguments by their names.
  public var arguments: JSONObject
  /// The call's own name, where the format gives one (Mistral's nine letters).
  public var id: String?

  /// A call of a tool.
  public init(name: String, arguments: JSONObject = [:], id: String? = nil) {
    self.name = name
    self.arguments = arguments
    self.id = id
  }

  /// The call as a member of a message's `tool_calls`: OpenAI's layout, arguments as an object.
  public var json: JSONValue {
    var call: JSONObject = [
      "type": "function",
      "function": ["name": .string(name), "arguments": .object(arguments)],
    ]
    if let id { call["id"] = .string(id) }
    return .object(call)
  }
}

/// A call that the policy began and that can't be carried out as it is written.
public struct MalformedCall: Error, Sendable, Hashable, CustomStringConvertible {
  /// What stands where a call should.
  public var text: String
  /// What is wrong, and what was expected: a sentence that the policy can learn from.
  public var reason: String

  /// A call that can't be carried out.
  public init(text: String, reason: String) {
    self.text = text
    self.reason = reason
  }

  /// The sentence.
  public var description: String { reason }
}

/// A turn of the policy: what it thought, what it said, and which tools it asked for.
public struct AssistantTurn: Sendable, Hashable {
  /// The text between `<think>` and `</think>`; nil without one.
  public var reasoning: String?
  /// The text before the first call.
  public var content: String
  /// The calls in order, those that can't be carried out among them.
  public var calls: [Result<ToolCall, MalformedCall>]

  /// A turn.
  public init(
    reasoning: String? = nil, content: String, calls: [Result<ToolCall, MalformedCall>] = []
  ) {
    self.reasoning = reasoning
    self.content = content
    self.calls = calls
  }

  /// The calls that can be carried out.
  public var wellFormed: [ToolCall] { calls.compactMap { try? $0.get() } }

  /// The turn as a message, as transformers' `parse_response` gives it: reasoning and calls only where there are any.
  public var message: ChatMessage {
    var extra: JSONObject = [:]
    if let reasoning { extra["reasoning_content"] = .string(reasoning) }
    let calls = wellFormed
    if !calls.isEmpty { extra["tool_calls"] = .array(calls.map(\.json)) }
    return ChatMessage(role: "assistant", content: content, extra: extra)
  }
}

/// A stretch of a trajectory after its prompt, by who wrote it; only what the policy sampled is trained.
public struct Segment: Sendable, Hashable {
  /// Who wrote a stretch.
  public enum Origin: String, Sendable, Hashable {
    /// The policy: each token has a log-probability.
    case sampled
    /// A tool, an environment or the template.
    case observed
  }

  /// Who wrote it.
  public var origin: Origin
  /// How many tokens it has.
  public var count: Int

  /// A stretch.
  public init(_ origin: Origin, count: Int) {
    self.origin = origin
    self.count = count
  }
}

extension [Segment] {
  /// The places of observed tokens, ascending; none where the policy wrote all.
  public var observedRanges: [Range<Int>] { ranges(of: .observed) }
  /// The places of sampled tokens, ascending.
  public var sampledRanges: [Range<Int>] { ranges(of: .sampled) }

  private func ranges(of origin: Segment.Origin) -> [Range<Int>] {
    var start = 0
    return compactMap { segment in
      let range = start..<start + segment.count
      start = range.upperBound
      return segment.origin == origin && !range.isEmpty ? range : nil
    }
  }

  /// The stretches as a line of a rollout file has them.
  public var json: JSONValue {
    .array(map { ["origin": .string($0.origin.rawValue), "length": .integer(Int64($0.count))] })
  }

  /// Reads the stretches of so many tokens; nil where they are none, or don't add up.
  public init?(json: JSONValue, of count: Int) {
    guard let elements = json.array else { return nil }
    self = []
    var left = count
    for element in elements {
      guard let origin = element["origin"]?.string.flatMap(Segment.Origin.init),
        let length = element["length"]?.integer, length > 0, length <= left
      else { return nil }
      left -= length
      append(Segment(origin, count: length))
    }
    guard left == 0 else { return nil }
  }

  /// How many tokens were observed.
  public var observedCount: Int { reduce(0) { $0 + ($1.origin == .observed ? $1.count : 0) } }

  /// Lengthens the last stretch, or begins another.
  public mutating func extend(_ origin: Segment.Origin, by count: Int) {
    guard count > 0 else { return }
    if let last = indices.last, self[last].origin == origin {
      self[last].count += count
    } else {
      append(Segment(origin, count: count))
    }
  }
}

/// What became of a trajectory that met tools or an environment.
public struct Episode: Sendable, Hashable {
  /// A turn of the policy, and what was answered.
  public struct Turn: Sendable, Hashable {
    /// What the policy wrote.
    public var message: ChatMessage
    /// What it was told; empty for the last turn.
    public var answers: [ChatMessage] = []
    /// How many tools it called.
    public var calls = 0
    /// How many of the calls failed.
    public var failures = 0
    /// The turn's own reward, where the environment gave one.
    public var reward: Double?
    /// How long the answer took; nondeterministic.
    public var seconds: Double?

    /// A turn that nothing has answered yet.
    public init(message: ChatMessage, calls: Int = 0) {
      self.message = message
      self.calls = calls
    }
  }

  /// The turns in order.
  public var turns: [Turn] = []
  /// The trajectory's reward, as the environment gave it at the end.
  public var reward: Double?
  /// Why the environment was lost: a clause whose subject is the environment; nil where it wasn't.
  public var failure: String?

  /// An episode that has not begun.
  public init() {}

  /// The conversation after the prompt.
  public var messages: [ChatMessage] { turns.flatMap { [$0.message] + $0.answers } }
  /// How many tools were called.
  public var calls: Int { turns.reduce(0) { $0 + $1.calls } }
  /// How many calls failed.
  public var failures: Int { turns.reduce(0) { $0 + $1.failures } }
}
