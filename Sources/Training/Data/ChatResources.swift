import Rollouts

/// What a row gives a chat template besides the conversation: its columns `tools` and `documents`, as
/// transformers' `apply_chat_template(tools=…, documents=…)` takes them.
struct ChatResources: Sendable {
  /// The functions that the model may call, as JSON schemas.
  var tools: JSONValue?
  /// Texts that the answer may draw on.
  var documents: JSONValue?

  /// Nothing besides the conversation.
  init() {}

  /// Takes them from a row's columns: a list of objects, or a text that holds one as JSON.
  /// - Throws: `ChatResourcesError` naming the column.
  init(_ columns: JSONObject) throws(ChatResourcesError) {
    tools = try Self.list("tools", columns)
    documents = try Self.list("documents", columns)
  }

  /// The documents by the name that a template asks for.
  var variables: JSONObject { documents.map { ["documents": $0] } ?? [:] }

  private static func list(
    _ name: String, _ columns: JSONObject
  ) throws(ChatResourcesError) -> JSONValue? {
    guard var value = columns[name], !value.isNull else { return nil }
    if let text = value.string {
      guard let parsed = try? JSONValue.parse(bytes: Array(text.utf8)) else {
        throw ChatResourcesError(column: name)
      }
      value = parsed
    }
    if value.isNull { return nil }
    guard let elements = value.array, elements.allSatisfy({ $0.object != nil }) else {
      throw ChatResourcesError(column: name)
    }
    return value
  }
}

/// A column that a chat template can't be given.
struct ChatResourcesError: Error, CustomStringConvertible {
  var column: String

  var description: String {
    "the column '\(column)' is given to the chat template and must be a list of objects, or a text "
      + "that holds such a list as JSON; give it another name if it is for rewards only"
  }
}
