import Foundation
import Rollouts

/// The tokens between a turn of the policy and its next one, without encoding what it sampled again.
///
/// A short stand-in conversation is rendered with and without the new messages; what follows the token that ends
/// the assistant's turn is the suffix (TRL's `_get_tool_suffix_ids`).
public struct TurnSuffix: Sendable {
  private let tokenizer: Tokenizer
  private let template: ChatTemplate
  private let format: ToolFormat?
  private let variables: JSONObject
  private let endTokens: Set<TokenID>
  private let now: Date

  /// What finds the suffixes of a template.
  /// - Parameters:
  ///   - format: How calls are written; nil where the policy has no tools.
  ///   - endTokens: The tokens that end a turn.
  public init(
    tokenizer: Tokenizer, template: ChatTemplate, format: ToolFormat?, variables: JSONObject = [:],
    endTokens: some Sequence<TokenID>, now: Date = Date()
  ) {
    self.tokenizer = tokenizer
    self.template = template
    self.format = format
    self.variables = variables
    self.endTokens = Set(endTokens)
    self.now = now
  }

  /// The tokens that bring new messages and open the next turn.
  /// - Parameters:
  ///   - messages: What came after the policy's turn: results of tools, or a user's words.
  ///   - closesTurn: Whether the turn's own end is to be written too: a stop string ended it, and no end token.
  /// - Throws: `TemplateError` where the template refuses such a conversation, or rewrites it beyond finding.
  public func tokens(
    for messages: [ChatMessage], closesTurn: Bool = false
  ) throws(TemplateError) -> [TokenID] {
    let answersCalls = messages.contains { $0.role == "tool" }
    // A turn with reasoning is tried too: some templates print it only where it is the last (Qwen3).
    for reasoning in [nil, "dummy"] as [String?] {
      let (head, whole) = try renderings(messages, answersCalls: answersCalls, reasoning: reasoning)
      guard let end = head.lastIndex(where: endTokens.contains) else {
        if whole.starts(with: head) { return Array(whole.dropFirst(head.count)) }
        continue
      }
      if whole.starts(with: head[...end]) {
        return Array(whole.dropFirst(closesTurn ? end : end + 1))
      }
    }
    return try suffixByTurns(messages, answersCalls: answersCalls, closesTurn: closesTurn)
  }

  /// Whether the template prints earlier turns otherwise once later ones are there, so that what it renders of a
  /// conversation does not begin with what the policy saw.
  public var rewritesHistory: Bool {
    let messages = [ChatMessage(role: "user", content: "dummy")]
    guard
      let (head, whole) = try? renderings(messages, answersCalls: false, reasoning: "dummy"),
      let end = head.lastIndex(where: endTokens.contains) ?? head.indices.last
    else { return false }
    return !whole.starts(with: head[...end])
  }

  /// The suffix where the template rewrites earlier turns: what follows as many ends of turns.
  private func suffixByTurns(
    _ messages: [ChatMessage], answersCalls: Bool, closesTurn: Bool
  ) throws(TemplateError) -> [TokenID] {
    let (head, whole) = try renderings(messages, answersCalls: answersCalls, reasoning: nil)
    let turns = head.count(where: endTokens.contains)
    let ends = whole.indices.filter { endTokens.contains(whole[$0]) }
    guard turns > 0, ends.count >= turns else {
      throw TemplateError(
        template: template.name, line: 1,
        reason:
          "the text before a new message is not the text without it, and no token that ends a turn marks "
          + "where it goes on; several turns need a template that appends")
    }
    let end = ends[turns - 1]
    return Array(whole.dropFirst(closesTurn ? end : end + 1))
  }

  /// The stand-in conversation without and with the messages, as tokens.
  private func renderings(
    _ messages: [ChatMessage], answersCalls: Bool, reasoning: String?
  ) throws(TemplateError) -> (head: [TokenID], whole: [TokenID]) {
    var turn: JSONObject = ["role": "assistant", "content": answersCalls ? "" : "dummy"]
    if answersCalls {
      turn["tool_calls"] = (format ?? .hermes).templateCalls([ToolCall(name: "dummy")])
    }
    if let reasoning { turn["reasoning_content"] = .string(reasoning) }
    let head: [JSONValue] = [["role": "user", "content": "dummy"], .object(turn)]
    let new = messages.map { message in
      guard message.role == "tool", format == .mistral, message.extra["tool_call_id"] == nil else {
        return message.json
      }
      var message = message
      message.extra["tool_call_id"] = .string(ToolFormat.callID(0))
      return message.json
    }
    let texts = [
      try render(head, end: .closed), try render(head + new, end: .generationPrompt),
    ]
    let encoded = texts.map { tokenizer.encode($0, addSpecialTokens: false) }
    return (encoded[0], encoded[1])
  }

  private func render(
    _ messages: [JSONValue], end: ConversationEnd
  ) throws(TemplateError) -> String {
    try template.render(messages: messages, end: end, variables: variables, now: now)
  }
}
