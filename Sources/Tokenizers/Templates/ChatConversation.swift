import Foundation
import Rollouts

/// How a rendered conversation ends.
public enum ConversationEnd: Sendable, Hashable {
  /// After its last message, which the template closes.
  case closed
  /// With the assistant's turn opened: transformers' `add_generation_prompt`.
  case generationPrompt
  /// In the last message, which is to be continued: transformers' `continue_final_message`.
  case insideFinalMessage
}

/// What transformers' `apply_chat_template` does to a conversation before and after the template.
enum ChatConversation {
  /// The names under which a message may carry its reasoning; templates read the first.
  private static let reasoningFields = ["reasoning_content", "thinking", "reasoning"]

  /// Messages without members that are null, their reasoning under every name that templates read.
  static func normalized(_ messages: [JSONValue]) -> [JSONValue] {
    messages.map { message in
      guard let members = message.object else { return message }
      let present = JSONObject(members.filter { !$0.value.isNull }.map { ($0.key, $0.value) })
      guard let reasoning = reasoningFields.lazy.compactMap({ present[$0] }).first else {
        return .object(present)
      }
      var aliased: JSONObject = ["thinking": reasoning]
      for (key, value) in present { aliased[key] = value }
      aliased["reasoning_content"] = reasoning
      return .object(aliased)
    }
  }

  private static let tag = "CONTINUE_FINAL_MESSAGE_TAG "
  private static var trimmedTag: String { String(tag.dropLast()) }

  /// The conversation with a mark at the end of its last message's text, and that text.
  static func marked(_ messages: [JSONValue]) -> (messages: [JSONValue], text: String)? {
    guard var last = messages.last?.object else { return nil }
    let text: String
    switch last["content"] {
    case .string(let content):
      text = content
      last["content"] = .string(content + tag)
    case .array(var parts):
      guard let place = parts.lastIndex(where: { $0["text"]?.string != nil }),
        var part = parts[place].object, let content = part["text"]?.string
      else { return nil }
      text = content
      part["text"] = .string(content + tag)
      parts[place] = .object(part)
      last["content"] = .array(parts)
    default: return nil
    }
    return (messages.dropLast() + [.object(last)], text)
  }

  /// A rendering of a marked conversation up to the mark; nil where the template left the text or the mark out.
  ///
  /// Where the template trimmed the mark's space, what white space stands before it goes too.
  static func cut(_ rendered: String, after text: String) -> String? {
    let stripped = PythonString.strip(text, nil, left: true, right: true)
    guard PythonString.find(stripped, in: rendered) != nil,
      let place = rendered.range(of: trimmedTag, options: [.backwards, .literal])
    else { return nil }
    let head = String(rendered[..<place.lowerBound])
    if rendered[place.lowerBound...].hasPrefix(tag) { return head }
    return PythonString.strip(head, nil, left: false, right: true)
  }
}
