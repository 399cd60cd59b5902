import Foundation
import Rollouts
import Tokenizers

/// A prompt that can't be given to the model: which row, and why.
public struct PromptError: Error, CustomStringConvertible {
  /// The row's index in its dataset, from 0.
  public var row: Int
  /// The dataset's name.
  public var dataset: String
  /// What is wrong and what to do, as clauses.
  public var reason: String

  /// The sentence for the user.
  public var description: String { "\(dataset), row \(row + 1): \(reason)" }
}

/// Turns prompts into tokens, and sampled tokens into text; nothing is ever encoded twice.
///
/// Plain text is encoded with the tokenizer's post-processor (which may prepend a begin token), chat
/// messages are rendered with the generation prompt and encoded without it.
public struct PromptEncoder: Sendable {
  let tokenizer: Tokenizer
  let chatTemplate: ChatTemplate?
  /// Names that the template may ask for; a row's own win.
  let templateVariables: JSONObject
  /// Whether an assistant's message at a prompt's end is continued; otherwise it is closed and a new turn opened.
  let continuesFinalMessage: Bool
  let system: String?
  let maxPromptLength: Int?
  let contextLength: Int
  let overlong: OverlongPrompts
  let stop: [String]
  /// The clock of templates that print the day; fixed for a run, so that resuming changes nothing.
  let now: Date

  /// Makes an encoder.
  public init(
    tokenizer: Tokenizer, chatTemplate: ChatTemplate? = nil,
    templateVariables: JSONObject = [:], continuesFinalMessage: Bool = true,
    system: String? = nil, maxPromptLength: Int? = nil, contextLength: Int,
    overlong: OverlongPrompts = .error,
    stop: [String] = [], now: Date = Date()
  ) {
    self.tokenizer = tokenizer
    self.chatTemplate = chatTemplate ?? tokenizer.chatTemplate
    self.templateVariables = templateVariables
    self.continuesFinalMessage = continuesFinalMessage
    self.system = system
    self.maxPromptLength = maxPromptLength
    self.contextLength = contextLength
    self.overlong = overlong
    self.stop = stop
    self.now = now
  }

  /// The tokens of a problem's prompt; nil where it is overlong and such rows are skipped.
  public func encode(_ problem: Problem, dataset: String) throws(PromptError) -> [TokenID]? {
    func fault(_ reason: String) -> PromptError {
      PromptError(row: problem.index, dataset: dataset, reason: reason)
    }
    let tokens: [TokenID]
    switch problem.prompt {
    case .text(let text):
      let whole = system.map { $0 + text } ?? text
      do { try tokenizer.checkLength(of: whole) } catch { throw fault("\(error)") }
      tokens = tokenizer.encode(whole, addSpecialTokens: true)
    case .messages(let messages):
      do {
        let text = try render(
          messages, resources: try ChatResources(problem.columns), end: end(of: messages))
        try tokenizer.checkLength(of: text)
        tokens = tokenizer.encode(text, addSpecialTokens: false)
      } catch { throw fault("\(error)") }
    }
    guard !tokens.isEmpty else {
      throw fault("the prompt has no tokens; a completion needs something to continue")
    }
    let limit = min(maxPromptLength ?? .max, contextLength - 1)
    if tokens.count <= limit { return tokens }
    switch overlong {
    case .skip: return nil
    case .truncateLeft: return Array(tokens.suffix(limit))
    case .error:
      let bound =
        limit == maxPromptLength
        ? "max_prompt_length is \(limit)" : "the model's context is \(contextLength)"
      throw fault(
        "the prompt has \(tokens.count) tokens and \(bound); shorten it, or set overlong_prompts "
          + "to skip or truncate_left")
    }
  }

  /// How a prompt ends: in its last message where that is the assistant's and has a text, which the policy
  /// then continues, otherwise with a turn opened for it.
  func end(of messages: [ChatMessage]) -> ConversationEnd {
    guard continuesFinalMessage, let last = messages.last, last.role == "assistant",
      last.extra["content"]?.isNull != true
    else { return .generationPrompt }
    return .insideFinalMessage
  }

  /// The text of a conversation.
  ///
  /// A content that is a list of parts, or what a tool gave, reaches the template as it is, and one that is
  /// null is left out; where the template fails on it, its text is given.
  func render(
    _ messages: [ChatMessage], resources: ChatResources = ChatResources(),
    end: ConversationEnd
  ) throws -> String {
    guard let chatTemplate else {
      throw ChatTemplateMissing()
    }
    var all = messages
    if let system, messages.first?.role != "system" {
      all.insert(ChatMessage(role: "system", content: system), at: 0)
    }
    var variables = templateVariables
    for (name, value) in resources.variables { variables[name] = value }
    func render(_ messages: [ChatMessage]) throws(TemplateError) -> String {
      try chatTemplate.render(
        messages: messages, tools: resources.tools, end: end, variables: variables, now: now)
    }
    do throws(TemplateError) {
      return try render(all)
    } catch {
      let texts = all.map { message in
        var message = message
        message.extra["content"] = nil
        return message
      }
      guard texts != all, let text = try? render(texts) else { throw error }
      return text
    }
  }

  /// The token with which the chat template ends a turn.
  var endOfTurnTokenID: TokenID? { chatTemplate.flatMap(tokenizer.endOfTurnTokenID(of:)) }

  /// The text of a completion as rewards see it: without special tokens, before a stop string.
  public func text(of tokens: [TokenID]) -> String {
    let text = tokenizer.decode(tokens, skipSpecialTokens: true)
    let starts = stop.compactMap { text.range(of: $0)?.lowerBound }
    guard let first = starts.min() else { return text }
    return String(text[..<first])
  }

  /// Whether a completion's text so far has a stop string in it.
  public func hasStopString(_ tokens: [TokenID]) -> Bool {
    guard !stop.isEmpty else { return false }
    // A stop string ends in the last token: only as many tokens as it has bytes can hold it.
    let reach = (stop.map(\.utf8.count).max() ?? 0) + 4
    let tail = tokenizer.decode(tokens.suffix(reach), skipSpecialTokens: true)
    return stop.contains { tail.contains($0) }
  }
}

/// A conversation for a model without a template.
struct ChatTemplateMissing: Error, CustomStringConvertible {
  var description: String {
    "the prompt is a list of messages and the model has no chat template; give one with "
      + "--chat-template FILE, or write the prompt as text"
  }
}
