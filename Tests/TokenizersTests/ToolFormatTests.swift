import Foundation
import Rollouts
import TestSupport
import Testing

@testable import Tokenizers

@Suite("Calls of tools, as each family writes them")
struct ToolFormatTests {
  static let weather = ToolCall(name: "weather", arguments: ["city": "Bern", "days": 2])
  static let time = ToolCall(name: "time", arguments: [:])

  @Test("a turn with several calls, its text and its reasoning")
  func hermes() throws {
    let turn = ToolFormat.hermes.turn(
      """
      <think>
      I must look.
      </think>

      Let me see.
      <tool_call>
      {"name": "weather", "arguments": {"city": "Bern", "days": 2}}
      </tool_call>
      <tool_call>
      {"name": "time", "arguments": {}}
      </tool_call>
      """)
    #expect(turn.reasoning == "I must look.")
    #expect(turn.content == "Let me see.")
    #expect(turn.wellFormed == [Self.weather, Self.time])
    #expect(turn.calls.count == 2)
    #expect(turn.message.extra["tool_calls"] == .array([Self.weather.json, Self.time.json]))
  }

  @Test("a turn without a call stays text")
  func text() {
    for format in ToolFormat.allCases {
      let turn = format.turn("The answer is {4}.\n")
      #expect(turn == AssistantTurn(content: "The answer is {4}.\n"))
    }
    #expect(ToolFormat.llama3JSON.turn("{\"answer\": 4}").calls.isEmpty)
  }

  @Test(
    "a malformed call says what was expected",
    arguments: [
      (ToolFormat.hermes, "<tool_call>{\"name\": \"f\",}</tool_call>", "not JSON"),
      (.hermes, "<tool_call>[1]</tool_call>", "not a JSON object"),
      (.hermes, "<tool_call>{\"arguments\": {}}</tool_call>", "no \"name\""),
      (.hermes, "<tool_call>{\"name\": \"f\", \"arguments\": 3}</tool_call>", "arguments of f"),
      (.hermes, "<tool_call>{\"name\": \"f\"}", "expected </tool_call>"),
      (.qwen3Coder, "<tool_call>{\"name\": \"f\"}</tool_call>", "names no function"),
      (.qwen3Coder, "<tool_call><function=f><parameter=a>1</function></tool_call>", "not closed"),
      (.llama3JSON, "{\"name\": \"f\", \"parameters\": {}", "not JSON"),
      (.mistral, "[TOOL_CALLS] f(1)", "not JSON"),
      (.deepseekV3, "<｜tool▁calls▁begin｜>f(1)", "tool▁call▁begin"),
      (
        .deepseekV3,
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n1<｜tool▁call▁end｜>",
        "```json"
      ),
    ])
  func malformed(format: ToolFormat, text: String, words: String) throws {
    let turn = format.turn(text)
    #expect(turn.wellFormed.isEmpty)
    let first = try #require(turn.calls.first)
    guard case .failure(let fault) = first else {
      Issue.record("\(first)")
      return
    }
    #expect(fault.reason.contains(words), "\(fault.reason)")
  }

  @Test("one call that fails leaves the others")
  func mixed() {
    let turn = ToolFormat.hermes.turn(
      "<tool_call>{</tool_call><tool_call>{\"name\": \"time\"}</tool_call>")
    #expect(turn.calls.count == 2)
    #expect(turn.wellFormed == [Self.time])
  }

  @Test("bare texts get the types of the tool's schema")
  func types() throws {
    let tools = try JSONValue.parse(
      """
      [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties":
      {"city": {"type": "string"}, "days": {"type": "integer"}, "flag": {"type": "boolean"}}}}}]
      """)
    let turn = ToolFormat.qwen3Coder.turn(
      """
      <tool_call>
      <function=weather>
      <parameter=city>
      2
      </parameter>
      <parameter=days>
      2
      </parameter>
      <parameter=flag>
      True
      </parameter>
      </function>
      </tool_call>
      """, tools: tools.array ?? [])
    #expect(turn.wellFormed.first?.arguments == ["city": "2", "days": 2, "flag": true])
  }

  @Test("Mistral's list and DeepSeek's fenced arguments")
  func others() {
    let mistral = ToolFormat.mistral.turn(
      "[TOOL_CALLS] [{\"name\": \"time\", \"arguments\": {}, \"id\": \"abcdefghi\"}]")
    #expect(mistral.wellFormed == [ToolCall(name: "time", id: "abcdefghi")])
    let deepseek = ToolFormat.deepseekV3.turn(
      "Well.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n"
        + "{\"city\": \"Bern\", \"days\": 2}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>")
    #expect(deepseek.content == "Well.")
    #expect(deepseek.wellFormed == [Self.weather])
  }

  @Test("marks are found beside letters that combine with them")
  func combining() {
    let turn = ToolFormat.hermes.turn("é\u{301}<tool_call>\u{301}{}</tool_call>\u{301}")
    #expect(turn.calls.count == 1)
    #expect(turn.content.unicodeScalars.count == 2)
  }

  /// Templates of `../shared`, and the formats that they write.
  static let templates: [(String, ToolFormat)] = [
    ("Qwen-Qwen2.5-7B-Instruct", .hermes), ("meta-llama-Llama-3.2-3B-Instruct", .llama3JSON),
    ("meta-llama-Llama-3.1-8B-Instruct", .llama3JSON),
  ]

  @Test(
    "what a template writes is read back",
    .enabled(if: SharedFiles.has("tokenizers/chat_templates")), arguments: templates)
  func roundTrip(name: String, format: ToolFormat) throws {
    let file = SharedFiles.url("tokenizers/chat_templates/\(name).jinja").path
    let template = try ChatTemplate(file: file, specialTokens: ["bos_token": "<s>"])
    #expect(ToolFormat(template: template) == format)
    let calls = format == .llama3JSON ? [Self.weather] : [Self.weather, Self.time]
    let head: [JSONValue] = [["role": "user", "content": "?"]]
    let turn: JSONValue = ["role": "assistant", "tool_calls": format.templateCalls(calls)]
    let before = try template.render(messages: head, end: .generationPrompt)
    let after = try template.render(messages: head + [turn], end: .closed)
    let written = after.dropFirst(before.count)
    let ends = ["<|im_end|>", "<|eot_id|>"]
    let end = ends.compactMap { written.range(of: $0)?.lowerBound }.min()
    let read = format.turn(String(written[..<(end ?? written.endIndex)]))
    #expect(read.wellFormed == calls, "\(written)")
  }
}
