import Foundation
import Rollouts
import TestSupport
import Testing

@testable import Tokenizers

@Suite("Conversations as transformers' apply_chat_template prepares them")
struct ChatConversationTests {
  /// A conversation, how it ends, and what transformers 5.24 makes of it with Qwen3's template; nil: refused.
  struct Case: Sendable, CustomTestStringConvertible {
    var messages: String
    var end: ConversationEnd
    var text: String?
    var testDescription: String { "\(end): \(messages)" }
  }

  static let cases: [Case] = [
    Case(
      messages:
        #"[{"role": "user", "content": "q"}, {"role": "assistant", "content": null, "tool_calls": [{"id": "abcdefghi", "type": "function", "function": {"name": "now", "arguments": {}}}]}, {"role": "tool", "content": "12", "tool_call_id": "abcdefghi", "name": "now"}]"#,
      end: .closed,
      text:
        "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call><|im_end|>\n<|im_start|>user\n<tool_response>\n12\n</tool_response><|im_end|>\n"
    ),
    Case(
      messages:
        #"[{"role": "user", "content": "q"}, {"role": "assistant", "content": null, "tool_calls": [{"id": "abcdefghi", "type": "function", "function": {"name": "now", "arguments": {}}}]}, {"role": "tool", "content": "12", "tool_call_id": "abcdefghi", "name": "now"}]"#,
      end: .generationPrompt,
      text:
        "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call><|im_end|>\n<|im_start|>user\n<tool_response>\n12\n</tool_response><|im_end|>\n<|im_start|>assistant\n"
    ),
    Case(
      messages:
        #"[{"role": "user", "content": "q"}, {"role": "assistant", "content": null, "tool_calls": [{"id": "abcdefghi", "type": "function", "function": {"name": "now", "arguments": {}}}]}, {"role": "tool", "content": "12", "tool_call_id": "abcdefghi", "name": "now"}]"#,
      end: .insideFinalMessage,
      text:
        "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call><|im_end|>\n<|im_start|>user\n<tool_response>\n12"
    ),
    Case(
      messages:
        #"[{"role": "user", "content": "q"}, {"role": "assistant", "tool_calls": [{"id": "abcdefghi", "type": "function", "function": {"name": "now", "arguments": {}}}]}, {"role": "tool", "content": {"t": 3, "u": [1, null, "é"]}, "tool_call_id": "abcdefghi", "name": "now"}]"#,
      end: .closed,
      text:
        "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call><|im_end|>\n<|im_start|>user\n<tool_response>\n\n</tool_response><|im_end|>\n"
    ),
    Case(
      messages:
        #"[{"role": "user", "content": "q"}, {"role": "assistant", "tool_calls": [{"id": "abcdefghi", "type": "function", "function": {"name": "now", "arguments": {}}}]}, {"role": "tool", "content": {"t": 3, "u": [1, null, "é"]}, "tool_call_id": "abcdefghi", "name": "now"}]"#,
      end: .generationPrompt,
      text:
        "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call><|im_end|>\n<|im_start|>user\n<tool_response>\n\n</tool_response><|im_end|>\n<|im_start|>assistant\n"
    ),
    Case(
      messages:
        #"[{"role": "user", "content": "q"}, {"role": "assistant", "tool_calls": [{"id": "abcdefghi", "type": "function", "function": {"name": "now", "arguments": {}}}]}, {"role": "tool", "content": {"t": 3, "u": [1, null, "é"]}, "tool_call_id": "abcdefghi", "name": "now"}]"#,
      end: .insideFinalMessage,
      text: nil),
    Case(
      messages:
        #"[{"role": "user", "content": "q", "name": null}, {"role": "assistant", "content": "a", "tool_calls": null, "reasoning_content": null, "reasoning": "why"}, {"role": "user", "content": "r"}, {"role": "assistant", "content": "b", "reasoning": "hmm"}]"#,
      end: .closed,
      text:
        "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n<|im_start|>user\nr<|im_end|>\n<|im_start|>assistant\n<think>\nhmm\n</think>\n\nb<|im_end|>\n"
    ),
    Case(
      messages:
        #"[{"role": "user", "content": "q", "name": null}, {"role": "assistant", "content": "a", "tool_calls": null, "reasoning_content": null, "reasoning": "why"}, {"role": "user", "content": "r"}, {"role": "assistant", "content": "b", "reasoning": "hmm"}]"#,
      end: .generationPrompt,
      text:
        "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n<|im_start|>user\nr<|im_end|>\n<|im_start|>assistant\n<think>\nhmm\n</think>\n\nb<|im_end|>\n<|im_start|>assistant\n"
    ),
    Case(
      messages:
        #"[{"role": "user", "content": "q", "name": null}, {"role": "assistant", "content": "a", "tool_calls": null, "reasoning_content": null, "reasoning": "why"}, {"role": "user", "content": "r"}, {"role": "assistant", "content": "b", "reasoning": "hmm"}]"#,
      end: .insideFinalMessage,
      text:
        "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n<|im_start|>user\nr<|im_end|>\n<|im_start|>assistant\n<think>\nhmm\n</think>\n\nb"
    ),
    Case(
      messages:
        #"[{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "thinking": "why"}, {"role": "user", "content": "r"}, {"role": "assistant", "content": "b", "thinking": "hmm", "reasoning": "other"}]"#,
      end: .closed,
      text:
        "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n<|im_start|>user\nr<|im_end|>\n<|im_start|>assistant\n<think>\nhmm\n</think>\n\nb<|im_end|>\n"
    ),
    Case(
      messages:
        #"[{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "thinking": "why"}, {"role": "user", "content": "r"}, {"role": "assistant", "content": "b", "thinking": "hmm", "reasoning": "other"}]"#,
      end: .generationPrompt,
      text:
        "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n<|im_start|>user\nr<|im_end|>\n<|im_start|>assistant\n<think>\nhmm\n</think>\n\nb<|im_end|>\n<|im_start|>assistant\n"
    ),
    Case(
      messages:
        #"[{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "thinking": "why"}, {"role": "user", "content": "r"}, {"role": "assistant", "content": "b", "thinking": "hmm", "reasoning": "other"}]"#,
      end: .insideFinalMessage,
      text:
        "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n<|im_start|>user\nr<|im_end|>\n<|im_start|>assistant\n<think>\nhmm\n</think>\n\nb"
    ),
    Case(
      messages:
        #"[{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "reasoning_content": "why"}, {"role": "user", "content": "r"}]"#,
      end: .closed,
      text:
        "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n<|im_start|>user\nr<|im_end|>\n"
    ),
    Case(
      messages:
        #"[{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "reasoning_content": "why"}, {"role": "user", "content": "r"}]"#,
      end: .generationPrompt,
      text:
        "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n<|im_start|>user\nr<|im_end|>\n<|im_start|>assistant\n"
    ),
    Case(
      messages:
        #"[{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "reasoning_content": "why"}, {"role": "user", "content": "r"}]"#,
      end: .insideFinalMessage,
      text: "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n<|im_start|>user\nr"
    ),
    Case(
      messages:
        #"[{"role": "user", "content": "q"}, {"role": "assistant", "content": "Let me think: "}]"#,
      end: .closed,
      text:
        "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\nLet me think: <|im_end|>\n"
    ),
    Case(
      messages:
        #"[{"role": "user", "content": "q"}, {"role": "assistant", "content": "Let me think: "}]"#,
      end: .generationPrompt,
      text:
        "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\nLet me think: <|im_end|>\n<|im_start|>assistant\n"
    ),
    Case(
      messages:
        #"[{"role": "user", "content": "q"}, {"role": "assistant", "content": "Let me think: "}]"#,
      end: .insideFinalMessage,
      text:
        "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\nLet me think: "
    ),
    Case(
      messages:
        #"[{"role": "system", "content": "S"}, {"role": "user", "content": "q"}, {"role": "assistant", "content": "<think>\nso"}]"#,
      end: .closed,
      text:
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n<think>\nso<|im_end|>\n"
    ),
    Case(
      messages:
        #"[{"role": "system", "content": "S"}, {"role": "user", "content": "q"}, {"role": "assistant", "content": "<think>\nso"}]"#,
      end: .generationPrompt,
      text:
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n<think>\nso<|im_end|>\n<|im_start|>assistant\n"
    ),
    Case(
      messages:
        #"[{"role": "system", "content": "S"}, {"role": "user", "content": "q"}, {"role": "assistant", "content": "<think>\nso"}]"#,
      end: .insideFinalMessage,
      text:
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n<think>\nso"
    ),
    Case(
      messages:
        #"[{"role": "user", "content": "q"}, {"role": "assistant", "content": [{"type": "text", "text": "first"}, {"type": "text", "text": "second"}]}]"#,
      end: .closed,
      text:
        "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n<|im_end|>\n"),
    Case(
      messages:
        #"[{"role": "user", "content": "q"}, {"role": "assistant", "content": [{"type": "text", "text": "first"}, {"type": "text", "text": "second"}]}]"#,
      end: .generationPrompt,
      text:
        "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n<|im_end|>\n<|im_start|>assistant\n"
    ),
    Case(
      messages:
        #"[{"role": "user", "content": "q"}, {"role": "assistant", "content": [{"type": "text", "text": "first"}, {"type": "text", "text": "second"}]}]"#,
      end: .insideFinalMessage,
      text: nil),
  ]

  private static let folder = "tokenizers/qwen3"

  @Test("with Qwen3's template", .enabled(if: SharedFiles.has(folder)), arguments: cases)
  func qwen3(_ item: Case) throws {
    let template = try #require(Tokenizer(folder: SharedFiles.url(Self.folder)).chatTemplate)
    let messages = try JSONValue.parse(bytes: Array(item.messages.utf8)).array ?? []
    guard let wanted = item.text else {
      #expect(throws: TemplateError.self) { try template.render(messages: messages, end: item.end) }
      return
    }
    #expect(try template.render(messages: messages, end: item.end) == wanted)
  }

  private func render(_ source: String, _ message: JSONObject) throws -> String {
    try ChatTemplate(source: source).render(messages: [.object(message)], end: .closed)
  }

  @Test("members that are null are not there")
  func nulls() throws {
    let source = "{{ messages[0].name is defined }} {{ messages[0].keys()|list }}"
    #expect(
      try render(source, ["role": "user", "name": .null, "content": "a"])
        == "False ['role', 'content']")
  }

  @Test(
    "reasoning is given as reasoning_content and as thinking, the first of its names winning",
    arguments: [
      (["reasoning": "r"], "r r r"), (["thinking": "t"], "t t -"),
      (["reasoning_content": "c", "thinking": "t", "reasoning": "r"], "c t r"),
      (["reasoning_content": .null, "reasoning": "r"], "r r r"), ([:], "- - -"),
    ] as [(JSONObject, String)])
  func reasoning(members: JSONObject, wanted: String) throws {
    let source =
      "{% set m = messages[0] %}{{ m.reasoning_content|d('-') }} {{ m.thinking|d('-') }} "
      + "{{ m.reasoning|d('-') }}"
    #expect(try render(source, members) == wanted)
  }

  @Test("a message that the template leaves out, or that has no text, can't be continued")
  func notContinued() throws {
    let messages: [JSONValue] = [["role": "assistant", "content": "text"]]
    for source in ["no content", "{{ messages[0].content|upper }}"] {
      let template = try ChatTemplate(source: source)
      let error = #expect(throws: TemplateError.self) {
        try template.render(messages: messages, end: .insideFinalMessage)
      }
      #expect(try #require(error).reason.contains("continue_final_message"))
    }
    let template = try ChatTemplate(source: "{{ messages[0].content }}")
    #expect(throws: TemplateError.self) {
      try template.render(messages: [["role": "assistant"]], end: .insideFinalMessage)
    }
    #expect(throws: TemplateError.self) {
      try template.render(messages: [JSONValue](), end: .insideFinalMessage)
    }
  }

  @Test("a filter or a test that there is not is a fault only where it is reached")
  func unknownNames() throws {
    let message: JSONObject = ["role": "user", "content": "a"]
    for dead in [
      "{{ 'a'|from_json }}", "{{ 'a' is no_such_test }}", "{% filter no_such %}a{% endfilter %}",
    ] {
      #expect(try render("{% if false %}\(dead){% endif %}b", message) == "b")
      let error = #expect(throws: TemplateError.self) { try render("\n\(dead)", message) }
      #expect(try #require(error).line == 2)
      #expect(try #require(error).reason.hasPrefix("unknown "))
    }
    #expect(try render("{{ 'a'|from_json if false else 'c' }}", message) == "c")
  }
}
