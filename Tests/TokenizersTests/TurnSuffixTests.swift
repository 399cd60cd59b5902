import Foundation
import Rollouts
import TestSupport
import Testing

@testable import Tokenizers

@Suite("The tokens between two turns", .enabled(if: SharedFiles.has("tokenizers/qwen3")))
struct TurnSuffixTests {
  /// A tokenizer with its template, and the token that ends a turn.
  static func suffix(_ name: String, template: String? = nil, end: String) throws -> (
    TurnSuffix, Tokenizer
  ) {
    let tokenizer = try Tokenizer(folder: SharedFiles.url("tokenizers/\(name)"))
    let chat =
      try template.map {
        try ChatTemplate(
          file: SharedFiles.url("tokenizers/chat_templates/\($0).jinja").path,
          specialTokens: ["bos_token": "<|begin_of_text|>"])
      } ?? tokenizer.chatTemplate
    let found = try #require(chat)
    let id = try #require(tokenizer.id(of: end))
    return (
      TurnSuffix(
        tokenizer: tokenizer, template: found, format: ToolFormat(template: found), endTokens: [id]),
      tokenizer
    )
  }

  static let results = [
    ChatMessage(role: "tool", content: "12", extra: ["name": "now"]),
    ChatMessage(role: "tool", content: "{'error': 'x'}", extra: ["name": "then"]),
  ]

  @Test("the tokens are those of TRL's loop with transformers' rendering, in 201 conversations")
  func goldens() throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("Goldens/turn_suffixes.json")
    let cases = try #require(try JSONValue.parse(bytes: Array(Data(contentsOf: file))).array)
    #expect(cases.count == 201)
    let suffixes = [
      "qwen2.5": try Self.suffix("qwen2.5", end: "<|im_end|>").0,
      "qwen3": try Self.suffix("qwen3", end: "<|im_end|>").0,
      "llama3.2": try Self.suffix(
        "llama3", template: "meta-llama-Llama-3.2-3B-Instruct", end: "<|eot_id|>"
      ).0,
    ]
    for one in cases {
      let suffix = try #require(one["name"]?.string.flatMap { suffixes[$0] })
      let messages = try (one["messages"]?.array ?? []).map { try ChatMessage(json: $0) }
      #expect(try suffix.tokens(for: messages) == one["ids"]?.tokenIDs ?? [], "\(one.jsonText)")
    }
  }

  @Test("Qwen: results stand in a user's turn, after the line's end that follows <|im_end|>")
  func qwen() throws {
    for name in ["qwen2.5", "qwen3"] {
      let (suffix, tokenizer) = try Self.suffix(name, end: "<|im_end|>")
      let text = tokenizer.decode(try suffix.tokens(for: Self.results), skipSpecialTokens: false)
      #expect(
        text == "\n<|im_start|>user\n<tool_response>\n12\n</tool_response>\n<tool_response>\n"
          + "{'error': 'x'}\n</tool_response><|im_end|>\n<|im_start|>assistant\n", "\(name)")
      let user = try suffix.tokens(for: [ChatMessage(role: "user", content: "And?")])
      #expect(
        tokenizer.decode(user, skipSpecialTokens: false)
          == "\n<|im_start|>user\nAnd?<|im_end|>\n<|im_start|>assistant\n", "\(name)")
      let closed = try suffix.tokens(
        for: [ChatMessage(role: "user", content: "And?")], closesTurn: true)
      #expect(closed.first == tokenizer.id(of: "<|im_end|>") && Array(closed.dropFirst()) == user)
    }
  }

  @Test("Llama 3: a result is a turn of ipython")
  func llama() throws {
    let (suffix, tokenizer) = try Self.suffix(
      "llama3", template: "meta-llama-Llama-3.2-3B-Instruct", end: "<|eot_id|>")
    let text = tokenizer.decode(
      try suffix.tokens(for: [Self.results[0]]), skipSpecialTokens: false)
    #expect(
      text == "<|start_header_id|>ipython<|end_header_id|>\n\n\"12\"<|eot_id|>"
        + "<|start_header_id|>assistant<|end_header_id|>\n\n")
  }

  @Test("a template that strips old reasoning is named, one that appends is not")
  func rewriting() throws {
    #expect(try Self.suffix("qwen3", end: "<|im_end|>").0.rewritesHistory)
    #expect(try !Self.suffix("qwen2.5", end: "<|im_end|>").0.rewritesHistory)
  }
}
