import Testing

@testable import Rollouts

@Suite("Messages as data sets write them")
struct MessageFormTests {
  @Test("what a tool gave may be any JSON; its text is that JSON, and the template sees the value")
  func toolResults() throws {
    for content: JSONValue in [["t": 3], 5, true, [1, 2]] {
      let message = try ChatMessage(json: ["role": "tool", "content": content])
      #expect(message.content == content.jsonText && message.json["content"] == content)
    }
    let parts: JSONValue = [["type": "text", "text": "a"], ["type": "text", "text": "b"]]
    #expect(try ChatMessage(json: ["role": "tool", "content": parts]).content == "ab")
  }

  @Test("another role's content is a text or a list of text parts; what was found is said")
  func otherContents() {
    for content: JSONValue in [["t": 3], 5, true] {
      let error = #expect(throws: PromptFormError.self) {
        try ChatMessage(json: ["role": "user", "content": content])
      }
      #expect(error?.reason.contains(content.jsonText) == true)
    }
  }

  @Test("a message with tool calls may lack content, and keeps lacking it")
  func toolCalls() throws {
    let calls: JSONValue = [["function": ["name": "f"]]]
    let message = try ChatMessage(json: ["role": "assistant", "tool_calls": calls])
    #expect(message.content == "" && message.json["content"] == .null)
    let error = #expect(throws: PromptFormError.self) {
      try ChatMessage(json: ["role": "assistant"])
    }
    #expect(error?.reason == "has no content")
  }
}
