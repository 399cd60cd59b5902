import Rollouts

/// A completion to be scored.
public struct RewardRequest: Sendable, Hashable {
  /// The caller's name for the completion, unique among those not yet collected.
  public var id: Int
  /// The completions of one prompt share a group.
  public var group: Int
  /// The row that was asked.
  public var problem: Problem
  /// What the policy answered.
  public var completion: Completion

  /// Makes a request.
  public init(id: Int, group: Int, problem: Problem, completion: Completion) {
    self.id = id
    self.group = group
    self.problem = problem
    self.completion = completion
  }
}

extension RewardRequest {
  /// Everything of the request but `id` and `group`: members of an object, without its braces.
  ///
  /// It is also what a remembered score is kept under, since equal contents get equal scores.
  func wireContents(reading columns: JSONObject) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(completion.text.utf8.count + completion.tokens.count * 6 + 512)
    bytes.append(contentsOf: "\"prompt\":".utf8)
    switch problem.prompt {
    case .text(let text): bytes.append(json: text)
    case .messages(let messages):
      bytes.append(UInt8(ascii: "["))
      for (index, message) in messages.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        bytes.append(message: message)
      }
      bytes.append(UInt8(ascii: "]"))
    }
    bytes.append(contentsOf: ",\"completion\":".utf8)
    if case .messages = problem.prompt {
      bytes.append(UInt8(ascii: "["))
      bytes.append(message: ChatMessage(role: "assistant", content: completion.text))
      bytes.append(UInt8(ascii: "]"))
    } else {
      bytes.append(json: completion.text)
    }
    bytes.append(contentsOf: ",\"completion_ids\":[".utf8)
    for (index, token) in completion.tokens.enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: ",")) }
      bytes.append(decimal: Int(token))
    }
    bytes.append(contentsOf: "],\"finish\":\"".utf8)
    bytes.append(contentsOf: completion.finish.rawValue.utf8)
    bytes.append(contentsOf: "\",\"columns\":".utf8)
    bytes.append(contentsOf: JSONValue.object(columns).jsonText.utf8)
    return bytes
  }
}

extension [UInt8] {
  fileprivate mutating func append(message: ChatMessage) {
    append(contentsOf: "{\"role\":".utf8)
    append(json: message.role)
    append(contentsOf: ",\"content\":".utf8)
    append(json: message.content)
    for (key, value) in message.extra where key != "role" && key != "content" {
      append(UInt8(ascii: ","))
      append(json: key)
      append(UInt8(ascii: ":"))
      append(contentsOf: value.jsonText.utf8)
    }
    append(UInt8(ascii: "}"))
  }

  mutating func append(decimal number: Int) {
    append(contentsOf: String(number).utf8)
  }

  /// Appends a text as a JSON string; most bytes are copied as they are.
  fileprivate mutating func append(json text: String) {
    let hexadecimal = Array("0123456789abcdef".utf8)
    append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        append(UInt8(ascii: "\\"))
        append(byte)
      case 0x0A: append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "n")])
      case 0..<0x20, 0x7F:
        append(contentsOf: "\\u00".utf8)
        append(hexadecimal[Int(byte >> 4)])
        append(hexadecimal[Int(byte & 15)])
      default: append(byte)
      }
    }
    append(UInt8(ascii: "\""))
  }
}

/// A request as the plugin's side reads it.
struct ReceivedRequest {
  var id: Int
  var group: Int
  var problem: Problem
  var completion: Completion

  init(_ value: JSONValue) throws(WireFault) {
    guard let id = value["id"]?.integer else { throw WireFault("a request without an id") }
    self.id = id
    group = value["group"]?.integer ?? id
    let prompt: Prompt
    if let messages = value["prompt"]?.array {
      prompt = .messages(messages.map(Self.message))
    } else {
      prompt = .text(value["prompt"]?.string ?? "")
    }
    let text =
      value["completion"]?.string
      ?? value["completion"]?.array?.last?["content"]?.string ?? ""
    problem = Problem(index: id, prompt: prompt, columns: value["columns"]?.object ?? [:])
    completion = Completion(
      text: text,
      tokens: value["completion_ids"]?.array?.compactMap {
        $0.integer.flatMap(TokenID.init(exactly:))
      } ?? [],
      finish: value["finish"]?.string.flatMap(FinishReason.init) ?? .stop)
  }

  private static func message(_ value: JSONValue) -> ChatMessage {
    var extra = value.object ?? [:]
    extra["role"] = nil
    extra["content"] = nil
    return ChatMessage(
      role: value["role"]?.string ?? "user", content: value["content"]?.string ?? "", extra: extra)
  }
}
