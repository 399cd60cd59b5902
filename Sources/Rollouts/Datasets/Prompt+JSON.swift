extension Prompt {
  /// Reads a prompt: a text, or a list of messages `{"role": …, "content": …}`.
  /// - Throws: `PromptFormError` with the fault as a clause.
  package init(json: JSONValue) throws(PromptFormError) {
    switch json {
    case .string(let text): self = .text(text)
    case .array(let elements):
      guard !elements.isEmpty else { throw PromptFormError("is an empty list of messages") }
      var messages: [ChatMessage] = []
      for (index, element) in elements.enumerated() {
        do { messages.append(try ChatMessage(json: element)) } catch {
          throw PromptFormError("message \(index + 1) \(error.reason)")
        }
      }
      self = .messages(messages)
    default:
      throw PromptFormError("must be a text or a list of messages, not \(json.jsonText.prefix(40))")
    }
  }

  /// The prompt as a data set writes it.
  public var json: JSONValue {
    switch self {
    case .text(let text): .string(text)
    case .messages(let messages): .array(messages.map(\.json))
    }
  }
}

extension ChatMessage {
  /// Reads `{"role": …, "content": …}`; other members are kept.
  ///
  /// A content of parts, `[{"type": "text", "text": …}]`, is joined; null is the empty text. Both are
  /// kept in `extra` besides, for templates that look at them.
  /// - Throws: `PromptFormError` with the fault as a clause.
  package init(json: JSONValue) throws(PromptFormError) {
    guard var members = json.object else {
      throw PromptFormError("must be an object {\"role\": …, \"content\": …}")
    }
    guard let role = members["role"]?.string else { throw PromptFormError("has no role") }
    let content: String
    switch members["content"] {
    case .string(let text): content = text
    case .array(let parts): content = try Self.text(ofParts: parts)
    case .null: content = ""
    case nil where members["tool_calls"] != nil: content = ""
    default: throw PromptFormError("has no content")
    }
    members["role"] = nil
    if case .string? = members["content"] { members["content"] = nil }
    self.init(role: role, content: content, extra: members)
  }

  private static func text(ofParts parts: [JSONValue]) throws(PromptFormError) -> String {
    var text = ""
    for part in parts {
      guard part["type"]?.string == "text", let piece = part["text"]?.string else {
        throw PromptFormError("has content that isn't text: \(part.jsonText.prefix(40))")
      }
      text += piece
    }
    return text
  }

  /// The message as a data set writes it.
  public var json: JSONValue {
    var members: JSONObject = ["role": .string(role), "content": .string(content)]
    for (key, value) in extra { members[key] = value }
    return .object(members)
  }
}

/// Why a value is no prompt, as a clause.
package struct PromptFormError: Error {
  package var reason: String
  init(_ reason: String) { self.reason = reason }
}
