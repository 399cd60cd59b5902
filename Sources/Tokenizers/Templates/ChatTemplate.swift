import Foundation
import Rollouts

/// A chat template: Jinja as transformers runs it, rendered to the text that a model was trained on.
///
/// The environment is transformers' own (`trim_blocks`, `lstrip_blocks`, `tojson` that keeps text
/// and order, `raise_exception`, `strftime_now`, `break` and `continue`, `generation` blocks).
/// Whatever the template, a rendering ends: steps, sizes and depth are limited.
public struct ChatTemplate: Sendable {
  /// The template's text.
  public let source: String
  /// The file, or the name, for errors.
  public let name: String
  private let statements: [TemplateStatement]
  private let specialTokens: JSONObject

  /// Reads a template.
  /// - Parameters:
  ///   - source: The template's text.
  ///   - name: The file it came from, for errors.
  ///   - specialTokens: What `bos_token`, `eos_token` and their like stand for.
  /// - Throws: `TemplateError` naming the line.
  public init(
    source: String, name: String = "chat template", specialTokens: JSONObject = [:]
  ) throws(TemplateError) {
    self.source = source
    self.name = name
    self.specialTokens = specialTokens
    do throws(TemplateFault) {
      statements = try TemplateParser.parse(source)
    } catch {
      throw TemplateError(template: name, line: error.line, reason: error.reason)
    }
  }

  /// The file of a folder that holds a template and nothing else.
  public static let fileName = "chat_template.jinja"

  /// Reads a template from a file that holds nothing else.
  /// - Throws: `TokenizerError` where the file can't be read, `TemplateError` naming the line.
  public init(file path: String, specialTokens: JSONObject) throws {
    let url = URL(fileURLWithPath: path)
    let folder = TokenizerFolder(folder: url.deletingLastPathComponent())
    guard let source = try folder.text(url.lastPathComponent) else {
      throw TokenizerError(file: path, reason: "there is no such file")
    }
    try self.init(source: source, name: path, specialTokens: specialTokens)
  }

  /// The template of a folder: `chat_template.jinja`, else `chat_template.json`, else the member
  /// `chat_template` of `tokenizer_config.json`; of several named ones, `default`.
  init?(
    _ folder: TokenizerFolder, _ config: JSONValue?, specialTokens: JSONObject
  ) throws(TokenizerError) {
    var source = try folder.text(Self.fileName)
    var file = folder.path(Self.fileName)
    if source == nil {
      source = try folder.json("chat_template.json")?["chat_template"]?.string
      file = folder.path("chat_template.json")
    }
    if source == nil {
      source = Self.template(in: config?["chat_template"])
      file = folder.path("tokenizer_config.json") + " (chat_template)"
    }
    guard let source else { return nil }
    do throws(TemplateError) {
      try self.init(source: source, name: file, specialTokens: specialTokens)
    } catch {
      throw TokenizerError(
        file: file, place: "line \(error.line) of the template", reason: error.reason,
        remedy: "give another template with --chat-template")
    }
  }

  private static func template(in value: JSONValue?) -> String? {
    if let text = value?.string { return text }
    let named = value?.array ?? []
    return (named.first { $0["name"]?.string == "default" } ?? named.first)?["template"]?.string
  }

  /// Renders a conversation, as transformers' `apply_chat_template` does.
  ///
  /// Members of messages that are null are left out, and a message's reasoning is given under each of the
  /// names `reasoning_content` and `thinking`, whichever it came under.
  /// - Parameters:
  ///   - messages: The conversation; a member `content` of `extra` stands for the content itself
  ///     (null, a list of parts, or what a tool gave).
  ///   - tools: The functions that the model may call, as JSON schemas.
  ///   - end: How the text ends.
  ///   - variables: Other names that the template may ask for (`enable_thinking` …).
  ///   - now: What `strftime_now` tells, in local time.
  /// - Throws: `TemplateError` naming the line.
  public func render(
    messages: [ChatMessage], tools: JSONValue? = nil, end: ConversationEnd,
    variables: JSONObject = [:], now: Date = Date()
  ) throws(TemplateError) -> String {
    try render(
      messages: messages.map(\.json), tools: tools, end: end, variables: variables, now: now)
  }

  /// Renders a conversation whose messages are JSON objects as a dataset holds them.
  /// - Throws: `TemplateError` naming the line.
  public func render(
    messages: [JSONValue], tools: JSONValue? = nil, end: ConversationEnd,
    variables: JSONObject = [:], now: Date = Date()
  ) throws(TemplateError) -> String {
    let messages = ChatConversation.normalized(messages)
    guard end == .insideFinalMessage else {
      return try run(messages, tools, end, variables, now)
    }
    guard let marked = ChatConversation.marked(messages) else {
      throw TemplateError(
        template: name, line: 1,
        reason: "the last message has no text that could be continued (continue_final_message)")
    }
    let text = try run(marked.messages, tools, end, variables, now)
    guard let head = ChatConversation.cut(text, after: marked.text) else {
      throw TemplateError(
        template: name, line: 1,
        reason: "the template does not print the last message's text as it is, so that it can't be "
          + "continued; set continue_final_message to false to have the message closed")
    }
    return head
  }

  private func run(
    _ messages: [JSONValue], _ tools: JSONValue?, _ end: ConversationEnd, _ variables: JSONObject,
    _ now: Date
  ) throws(TemplateError) -> String {
    let scope = TemplateScope(parent: nil)
    for (name, value) in specialTokens { scope.set(name, TemplateValue(value)) }
    scope.set("messages", TemplateValue(.array(messages)))
    scope.set("tools", tools.map { TemplateValue($0) } ?? .none)
    scope.set("documents", .none)
    scope.set("add_generation_prompt", .bool(end == .generationPrompt))
    for (name, value) in variables { scope.set(name, TemplateValue(value)) }
    do throws(TemplateFault) {
      return try TemplateEvaluator(now: now).render(statements, scope)
    } catch {
      throw TemplateError(template: name, line: error.line, reason: error.reason)
    }
  }
}
