import Foundation
import Rollouts
import Testing
import Tokenizers

@testable import Training

@Suite("Prompts and examples as tokens")
struct EncodingTests {
  static let alphabet = Array("abcdefghijklmnopqrstuvwxyz [].|!")

  private func encoder(
    template: String? = nil, _ change: (inout Options) -> Void = { _ in }
  ) throws -> PromptEncoder {
    let folder = try TemporaryFolder()
    try CharacterTokenizer.write(alphabet: Self.alphabet, to: folder.url)
    var options = Options()
    change(&options)
    return PromptEncoder(
      tokenizer: try Tokenizer(folder: folder.url),
      chatTemplate: try template.map { try ChatTemplate(source: $0, name: "test") },
      system: options.system, maxPromptLength: options.maxPromptLength, contextLength: 64,
      overlong: options.overlong, stop: options.stop)
  }

  private struct Options {
    var system: String?
    var maxPromptLength: Int?
    var overlong = OverlongPrompts.error
    var stop: [String] = []
  }

  private static let chat = """
    {%- for m in messages -%}[{{ m.role }}|{{ m.content }}]{%- endfor -%}
    {%- if add_generation_prompt -%}[assistant|{%- endif -%}
    """

  private func text(_ encoder: PromptEncoder, _ tokens: [TokenID]) -> String {
    encoder.tokenizer.decode(tokens, skipSpecialTokens: false)
  }

  // MARK: Prompts

  @Test("plain text is encoded as it is, after the system text")
  func plain() throws {
    let problem = Problem(index: 0, prompt: .text("abc"))
    let bare = try encoder()
    #expect(try text(bare, #require(try bare.encode(problem, dataset: "d"))) == "abc")
    let led = try encoder { $0.system = "hi " }
    #expect(try text(led, #require(try led.encode(problem, dataset: "d"))) == "hi abc")
  }

  @Test("messages are rendered with a generation prompt; a system message is put before them once")
  func messages() throws {
    let encoder = try encoder(template: Self.chat) { $0.system = "be kind" }
    let ask = Prompt.messages([ChatMessage(role: "user", content: "why")])
    let tokens = try #require(try encoder.encode(Problem(index: 0, prompt: ask), dataset: "d"))
    #expect(text(encoder, tokens) == "[system|be kind][user|why][assistant|")
    let led = Prompt.messages([
      ChatMessage(role: "system", content: "own"), ChatMessage(role: "user", content: "why"),
    ])
    let own = try #require(try encoder.encode(Problem(index: 0, prompt: led), dataset: "d"))
    #expect(text(encoder, own) == "[system|own][user|why][assistant|")
  }

  @Test(
    "the columns tools and documents reach the template, also as JSON in a text",
    arguments: [
      #"[{"name": "f"}]"#, #""[{\"name\": \"f\"}]""#,
    ])
  func resources(json: String) throws {
    let encoder = try encoder(
      template: "{{ tools[0].name }}|{{ documents[0].name }}|{{ messages[0].content }}")
    let column = try JSONValue.parse(bytes: Array(json.utf8))
    let problem = Problem(
      index: 0, prompt: .messages([ChatMessage(role: "user", content: "why")]),
      columns: ["tools": column, "documents": column])
    let tokens = try #require(try encoder.encode(problem, dataset: "d"))
    #expect(text(encoder, tokens) == "f|f|why")
  }

  @Test("a column tools that is something else is refused naming row and column")
  func wrongResources() throws {
    let encoder = try encoder(template: Self.chat)
    for column: JSONValue in [["search"], "search", ["name": "f"], 3] {
      let problem = Problem(
        index: 6, prompt: .messages([ChatMessage(role: "user", content: "why")]),
        columns: ["tools": column])
      let error = #expect(throws: PromptError.self) { try encoder.encode(problem, dataset: "d") }
      #expect(try #require(error).description.hasPrefix("d, row 7: the column 'tools'"))
    }
    let plain = Problem(index: 0, prompt: .text("abc"), columns: ["tools": ["search"]])
    #expect(try encoder.encode(plain, dataset: "d")?.count == 3)
  }

  @Test("a content of parts reaches the template as it is, and as text where that fails")
  func contentParts() throws {
    let parts = try ChatMessage(
      json: ["role": "user", "content": [["type": "text", "text": "why"]]])
    let problem = Problem(index: 0, prompt: .messages([parts]))
    let aware = try encoder(
      template: "{% for p in messages[0].content %}[{{ p.text }}]{% endfor %}")
    #expect(try text(aware, #require(try aware.encode(problem, dataset: "d"))) == "[why]")
    let plain = try encoder(template: "{{ '[' + messages[0].content + ']' }}")
    #expect(try text(plain, #require(try plain.encode(problem, dataset: "d"))) == "[why]")
  }

  @Test("a conversation without a template, and an empty prompt, are refused naming the row")
  func refused() throws {
    let bare = try encoder()
    let ask = Prompt.messages([ChatMessage(role: "user", content: "why")])
    for prompt in [ask, .text("")] {
      let error = #expect(throws: PromptError.self) {
        try bare.encode(Problem(index: 6, prompt: prompt), dataset: "rows.jsonl")
      }
      #expect(try #require(error).description.hasPrefix("rows.jsonl, row 7: "))
    }
  }

  @Test("an overlong prompt is refused, left out, or cut at its beginning")
  func overlong() throws {
    let problem = Problem(index: 2, prompt: .text("abcdefgh"))
    let refusing = try encoder { $0.maxPromptLength = 5 }
    let error = #expect(throws: PromptError.self) {
      try refusing.encode(problem, dataset: "rows.jsonl")
    }
    let sentence = try #require(error).description
    #expect(sentence.contains("row 3") && sentence.contains("8 tokens"))
    #expect(sentence.contains("max_prompt_length is 5"))
    let skipping = try encoder {
      $0.maxPromptLength = 5
      $0.overlong = .skip
    }
    #expect(try skipping.encode(problem, dataset: "d") == nil)
    let cutting = try encoder {
      $0.maxPromptLength = 5
      $0.overlong = .truncateLeft
    }
    #expect(try text(cutting, #require(try cutting.encode(problem, dataset: "d"))) == "defgh")
    // A prompt that fills the context leaves no room for a token.
    let long = Problem(index: 0, prompt: .text(String(repeating: "a", count: 64)))
    #expect(throws: PromptError.self) { try encoder().encode(long, dataset: "d") }
  }

  // MARK: Completions

  @Test("rewards see the text before a stop string, without special tokens")
  func stops() throws {
    let encoder = try encoder { $0.stop = ["!!", "end"] }
    func tokens(_ text: String) -> [TokenID] {
      encoder.tokenizer.encode(text, addSpecialTokens: false)
    }
    #expect(encoder.text(of: tokens("abc!!d end")) == "abc")
    #expect(encoder.text(of: tokens("a end b!!")) == "a ")
    #expect(encoder.text(of: tokens("abc") + [1]) == "abc")
    #expect(!encoder.hasStopString(tokens("abc!")))
    #expect(encoder.hasStopString(tokens("abc!!")))
    #expect(encoder.hasStopString(tokens("the end")))
    #expect(!encoder.hasStopString([]))
  }

  // MARK: Examples

  @Test("a completion continues its prompt's tokens and is closed by the end token")
  func completion() throws {
    let encoder = try encoder()
    let row = SupervisedDataset.Row.completion(prompt: .text("ab "), completion: "cd")
    let example = try #require(
      try encoder.example(of: row, index: 0, dataset: "d", endToken: 1, maxLength: 30))
    #expect(text(encoder, example.prompt) == "ab ")
    #expect(text(encoder, example.completion) == "cd<eos>")
    #expect(example.mask == nil && example.countedTokens == 3)
  }

  @Test("a text is learnt from its second token on")
  func text() throws {
    let encoder = try encoder()
    let example = try #require(
      try encoder.example(of: .text("abc"), index: 0, dataset: "d", endToken: 1, maxLength: 30))
    #expect(text(encoder, example.prompt) == "a" && text(encoder, example.completion) == "bc<eos>")
    #expect(
      try encoder.example(of: .text("a"), index: 0, dataset: "d", endToken: nil, maxLength: 9)
        == nil)
  }

  @Test("of a conversation the assistant's turns count, each with what closes it")
  func conversation() throws {
    let encoder = try encoder(template: Self.chat)
    let row = SupervisedDataset.Row.conversation([
      ChatMessage(role: "user", content: "one"), ChatMessage(role: "assistant", content: "two"),
      ChatMessage(role: "user", content: "three"), ChatMessage(role: "assistant", content: "four"),
    ])
    let example = try #require(
      try encoder.example(of: row, index: 0, dataset: "d", endToken: 1, maxLength: 64))
    #expect(text(encoder, example.prompt) == "[user|one][assistant|")
    #expect(text(encoder, example.completion) == "two][user|three][assistant|four]")
    let mask = try #require(example.mask)
    let learnt = zip(example.completion, mask).filter(\.1).map(\.0)
    #expect(text(encoder, learnt) == "two]four]")
    #expect(example.countedTokens == learnt.count)
  }

  @Test("a conversation's template sees the row's tools in learning as in asking")
  func tools() throws {
    let file = try TemporaryFolder()
    let line =
      #"{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "tools": [{"name": "f"}]}"#
    try Data((line + "\n").utf8).write(to: file["rows.jsonl"])
    let rows = try SupervisedDataset.read(file["rows.jsonl"].path)
    let encoder = try encoder(template: "{{ tools|map(attribute='name')|join }}" + Self.chat)
    let example = try #require(
      try encoder.example(
        of: rows.rows[0], resources: rows.resources[0], index: 0, dataset: "d", endToken: 1,
        maxLength: 64))
    #expect(text(encoder, example.prompt) == "f[user|a][assistant|")
    #expect(text(encoder, example.completion) == "b]")
  }

  @Test("a row is cut to its longest length; one of which nothing would count is left out")
  func cut() throws {
    let encoder = try encoder(template: Self.chat)
    let row = SupervisedDataset.Row.completion(prompt: .text("abcd"), completion: "efgh")
    let example = try #require(
      try encoder.example(of: row, index: 0, dataset: "d", endToken: 1, maxLength: 6))
    #expect(text(encoder, example.completion) == "ef")
    #expect(try encoder.example(of: row, index: 0, dataset: "d", endToken: 1, maxLength: 4) == nil)
  }

  @Test("a template that rewrites earlier turns is refused")
  func rewriting() throws {
    let encoder = try encoder(template: "[{{ messages|length }}]" + Self.chat)
    let row = SupervisedDataset.Row.conversation([
      ChatMessage(role: "user", content: "one"), ChatMessage(role: "assistant", content: "two"),
    ])
    let error = #expect(throws: PromptError.self) {
      try encoder.example(of: row, index: 4, dataset: "chats.jsonl", endToken: 1, maxLength: 64)
    }
    #expect(try #require(error).description.contains("chats.jsonl, row 5"))
  }
}
