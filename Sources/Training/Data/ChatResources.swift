import Rollouts

/// What a row gives a chat template besides the conversation: its columns `tools`, `documents` and
/// `chat_template_kwargs`, as transformers' `apply_chat_template(tools=…, documents=…, **kwargs)` takes them.
public struct ChatResources: Sendable {
  /// The functions that the model may call, as JSON schemas.
  var tools: JSONValue?
  /// Texts that the answer may draw on.
  var documents: JSONValue?
  /// Other names that the template may ask for.
  var kwargs: JSONObject = [:]

  private static let kwargsColumns = ["chat_template_kwargs", "apply_chat_template_kwargs"]

  /// Nothing besides the conversation.
  init() {}

  /// Takes them from a row's columns: a list of objects, an object, or a text that holds one as JSON.
  /// - Throws: `ChatResourcesError` naming the column.
  init(_ columns: JSONObject) throws(ChatResourcesError) {
    tools = try Self.list("tools", columns)
    documents = try Self.list("documents", columns)
    for name in Self.kwargsColumns {
      guard let value = try Self.value(name, columns) else { continue }
      guard let members = value.object else {
        throw ChatResourcesError(column: name, wanted: .object)
      }
      if let reason = Self.reservedNameFault(members) {
        throw ChatResourcesError(column: name, wanted: .other(reason))
      }
      for (key, value) in members { kwargs[key] = value }
    }
  }

  /// The names that a template may ask for.
  var variables: JSONObject {
    var variables = kwargs
    variables["documents"] = documents
    return variables
  }

  /// Reads names for the template from an option's word.
  /// - Throws: `SettingFault` as the end of a sentence.
  package static func variables(fromJSON5 text: String) throws -> JSONObject {
    var configuration = RunConfiguration()
    let setting = SettingDeclaration.named("chat_template_kwargs")
    let json = try setting?.json(ofWords: [text]) ?? .null
    if let fault = setting?.write(&configuration, json) { throw fault }
    return configuration.chatTemplateKwargs
  }

  /// Why an object of names can't be given to a template: some are given otherwise.
  static func reservedNameFault(_ members: JSONObject) -> String? {
    let places = [
      "messages": "the prompt", "conversation": "the prompt", "tools": "the column 'tools'",
      "documents": "the column 'documents'", "chat_template": "the setting chat_template",
      "add_generation_prompt": "the setting continue_final_message",
      "continue_final_message": "the setting continue_final_message",
    ]
    for name in members.keys {
      if let place = places[name] { return "has '\(name)', which is given by \(place)" }
    }
    return nil
  }

  private static func list(
    _ name: String, _ columns: JSONObject
  ) throws(ChatResourcesError) -> JSONValue? {
    guard let value = try value(name, columns) else { return nil }
    guard let elements = value.array, elements.allSatisfy({ $0.object != nil }) else {
      throw ChatResourcesError(column: name, wanted: .objects)
    }
    return value
  }

  /// A column's value, read from a text where it is one; nil where there is none.
  private static func value(
    _ name: String, _ columns: JSONObject
  ) throws(ChatResourcesError) -> JSONValue? {
    guard var value = columns[name], !value.isNull else { return nil }
    if let text = value.string {
      guard let parsed = try? JSONValue.parse(bytes: Array(text.utf8)) else {
        throw ChatResourcesError(
          column: name, wanted: kwargsColumns.contains(name) ? .object : .objects)
      }
      value = parsed
    }
    return value.isNull ? nil : value
  }
}

/// A column that a chat template can't be given.
struct ChatResourcesError: Error, CustomStringConvertible {
  enum Wanted {
    case objects
    case object
    case other(String)
  }

  var column: String
  var wanted: Wanted

  var description: String {
    let name = "the column '\(column)'"
    let remedy = "give it another name if it is for rewards only"
    switch wanted {
    case .objects:
      return
        "\(name) is given to the chat template and must be a list of objects, or a text that holds "
        + "such a list as JSON; \(remedy)"
    case .object:
      return "\(name) is given to the chat template and must be an object such as "
        + "{\"enable_thinking\": false}, or a text that holds one as JSON; \(remedy)"
    case .other(let reason): return "\(name) \(reason)"
    }
  }
}
