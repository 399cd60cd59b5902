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

/// What the requests of a problem have in common, encoded once.
struct EncodedProblem: Sendable {
  /// The member `"prompt":…`.
  let prompt: [UInt8]
  /// The member `,"columns":{…}`.
  let columns: [UInt8]
  let isChat: Bool

  /// - Parameter problem: the row, its columns as the reward names them.
  init(_ problem: Problem) {
    var bytes = Array("\"prompt\":".utf8)
    switch problem.prompt {
    case .text(let text):
      isChat = false
      bytes.append(json: text)
    case .messages(let messages):
      isChat = true
      bytes.append(UInt8(ascii: "["))
      for (index, message) in messages.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        bytes.append(message: message)
      }
      bytes.append(UInt8(ascii: "]"))
    }
    prompt = bytes
    columns =
      Array(",\"columns\":".utf8) + Array(JSONValue.object(problem.columns).jsonText.utf8)
  }

  /// Everything of a request but `id`, `group` and the trainer's state: members of an object, without its
  /// braces.
  ///
  /// It is also what a remembered score is kept under, since equal contents get equal scores.
  func contents(of completion: Completion) -> [UInt8] {
    var bytes = prompt
    bytes.reserveCapacity(
      prompt.count + columns.count + completion.text.utf8.count + completion.tokens.count * 6 + 256)
    bytes.append(contentsOf: ",\"completion\":".utf8)
    if isChat {
      let messages =
        completion.episode?.messages ?? [ChatMessage(role: "assistant", content: completion.text)]
      bytes.append(UInt8(ascii: "["))
      for (index, message) in messages.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        bytes.append(message: message)
      }
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
    bytes.append(UInt8(ascii: "\""))
    bytes.append(contentsOf: columns)
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

  /// Appends a text as a JSON string; runs without a byte to be escaped are copied as they are.
  fileprivate mutating func append(json text: String) {
    append(UInt8(ascii: "\""))
    var text = text
    text.withUTF8 { bytes in
      var start = 0
      for (index, byte) in bytes.enumerated() {
        guard byte < 0x20 || byte == 0x22 || byte == 0x5C || byte == 0x7F else { continue }
        append(contentsOf: bytes[start..<index])
        start = index + 1
        append(UInt8(ascii: "\\"))
        switch byte {
        case 0x0A: append(UInt8(ascii: "n"))
        case 0x22, 0x5C: append(byte)
        default:
          append(contentsOf: "u00".utf8)
          append(contentsOf: [byte >> 4, byte & 15].map { $0 + ($0 < 10 ? 48 : 87) })
        }
      }
      append(contentsOf: bytes[start...])
    }
    append(UInt8(ascii: "\""))
  }
}

/// A request as the plugin's side reads it.
package struct ReceivedRequest: Sendable {
  package var id: Int
  package var group: Int
  package var problem: Problem
  package var completion: Completion
  package var trainerState: TrainerState?

  /// Reads a request, as the protocol writes it.
  package init(_ value: JSONValue) throws(WireFault) {
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
    trainerState = TrainerState(value["trainer_state"])
  }

  private static func message(_ value: JSONValue) -> ChatMessage {
    var extra = value.object ?? [:]
    extra["role"] = nil
    extra["content"] = nil
    return ChatMessage(
      role: value["role"]?.string ?? "user", content: value["content"]?.string ?? "", extra: extra)
  }
}
