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
  /// A content of parts, `[{"type": "text", "text": …}]`, is joined; null is the empty text; what else a
  /// tool gave (an object, a number) is its JSON. All three are kept in `extra` besides, for templates
  /// that look at them; a message without content, which only one with `tool_calls` may be, keeps null.
  /// - Throws: `PromptFormError` with the fault as a clause.
  package init(json: JSONValue) throws(PromptFormError) {
    guard var members = json.object else {
      throw PromptFormError("must be an object {\"role\": …, \"content\": …}")
    }
    guard let role = members["role"]?.string else { throw PromptFormError("has no role") }
    let content: String
    switch members["content"] {
    case .string(let text):
      content = text
      members["content"] = nil
    case .array(let parts) where !Self.isToolResult(role) || Self.areTextParts(parts):
      content = try Self.text(ofParts: parts)
    case .null: content = ""
    case nil:
      guard members["tool_calls"] != nil else { throw PromptFormError("has no content") }
      content = ""
      members["content"] = .null
    case let value?:
      guard Self.isToolResult(role) else {
        throw PromptFormError(
          "has a content that is neither a text nor a list of text parts: "
            + "\(value.jsonText.prefix(40)); only a tool's message may have one")
      }
      content = value.jsonText
    }
    members["role"] = nil
    self.init(role: role, content: content, extra: members)
  }

  /// Whether a message of this role carries what a tool gave, which may be any JSON.
  private static func isToolResult(_ role: String) -> Bool {
    ["tool", "function", "ipython", "environment", "observation"].contains(role)
  }

  private static func areTextParts(_ parts: [JSONValue]) -> Bool {
    parts.allSatisfy { $0["type"]?.string == "text" && $0["text"]?.string != nil }
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
