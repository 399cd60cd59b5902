import Rollouts

/// How a prompt is kept in a column: plain text as it is, messages as a JSON array.
public enum PromptText {
  /// A prompt's column as people read it: of a conversation a line for each message, `user: …`; other text as it is.
  public static func readable(_ text: String) -> String {
    guard text.hasPrefix("[{"),
      case .messages(let messages)? = prompt(form: "messages", text: text),
      !messages.isEmpty
    else { return text }
    return messages.map { message in
      let calls = message.extra["tool_calls"].map { " " + $0.jsonText } ?? ""
      return "\(message.role): \(message.content)\(calls)"
    }.joined(separator: "\n")
  }

  static func form(of prompt: Prompt) -> String {
    switch prompt {
    case .text: return "text"
    case .messages: return "messages"
    }
  }

  static func text(of prompt: Prompt) -> String {
    switch prompt {
    case .text(let text): return text
    case .messages(let messages):
      return JSONValue.array(messages.map { .object(object(of: $0)) }).jsonText
    }
  }

  /// The prompt of a column; nil where the column is malformed.
  static func prompt(form: String, text: String) -> Prompt? {
    guard form == "messages" else { return .text(text) }
    guard let elements = (try? JSONValue.parse(text))?.array else { return nil }
    var messages: [ChatMessage] = []
    for element in elements {
      guard let message = try? ChatMessage(json: element) else { return nil }
      messages.append(message)
    }
    return .messages(messages)
  }

  private static func object(of message: ChatMessage) -> JSONObject {
    var object: JSONObject = [
      "role": .string(message.role), "content": .string(message.content),
    ]
    for (key, value) in message.extra { object[key] = value }
    return object
  }
}
