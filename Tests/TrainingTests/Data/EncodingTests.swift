import Foundation
import Rollouts
import TestSupport
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
      templateVariables: options.variables, continuesFinalMessage: options.continuesFinalMessage,
      system: options.system, maxPromptLength: options.maxPromptLength, contextLength: 64,
      overlong: options.overlong, stop: options.stop)
  }

  private struct Options {
    var variables: JSONObject = [:]
    var continuesFinalMessage = true
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
      try encoder.example(of: row, index: 0, dataset: "d", endToken: 1))
    #expect(text(encoder, example.prompt) == "ab ")
    #expect(text(encoder, example.completion) == "cd<eos>")
    #expect(example.mask == nil && example.countedTokens == 3)
  }

  @Test("a text is learnt from its second token on")
  func text() throws {
    let encoder = try encoder()
    let example = try #require(
      try encoder.example(of: .text("abc"), index: 0, dataset: "d", endToken: 1))
    #expect(text(encoder, example.prompt) == "a" && text(encoder, example.completion) == "bc<eos>")
    #expect(
      try encoder.example(of: .text("a"), index: 0, dataset: "d", endToken: nil)
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
      try encoder.example(of: row, index: 0, dataset: "d", endToken: 1))
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
        of: rows.rows[0], resources: rows.resources[0], index: 0, dataset: "d", endToken: 1))
    #expect(text(encoder, example.prompt) == "f[user|a][assistant|")
    #expect(text(encoder, example.completion) == "b]")
  }

  private func dataset(_ rows: [SupervisedDataset.Row]) -> SupervisedDataset {
    SupervisedDataset(name: "rows.jsonl", rows: rows, contentHash: "")
  }

  @Test(
    "a row that is too long is refused by name, left out or cut at its beginning; never in silence")
  func overlongExamples() throws {
    let rows = dataset([
      .completion(prompt: .text("ab"), completion: "cd"),
      .completion(prompt: .text("abcd"), completion: "efgh"), .text("a"),
    ])
    func read(_ overlong: OverlongPrompts, limit: Int) throws -> SupervisedExamples {
      try SupervisedExamples(
        [rows], self.encoder { $0.overlong = overlong }, endToken: 1, maxLength: limit)
    }
    let whole = try read(.error, limit: 9)
    #expect(whole.examples.count == 3 && whole.notes.isEmpty)
    let error = #expect(throws: PromptError.self) { try read(.error, limit: 6) }
    let sentence = try #require(error).description
    #expect(sentence.hasPrefix("rows.jsonl, row 2: the row has 9 tokens"))
    #expect(sentence.contains("sft_max_length is 6"))
    let skipped = try read(.skip, limit: 6)
    #expect(skipped.examples.count == 2 && skipped.skipped == 1)
    #expect(skipped.notes.first?.hasPrefix("1 row of SFT data is longer than allowed") == true)
    let cut = try read(.truncateLeft, limit: 6)
    #expect(cut.truncated == 1 && cut.notes.count == 1)
    let encoder = try self.encoder()
    #expect(cut.examples.map { text(encoder, $0.prompt) } == ["ab", "d", "a"])
    #expect(text(encoder, cut.examples[1].completion) == "efgh<eos>")
    // Where nothing of the prompt is left, the first token that is kept is given.
    let short = try read(.truncateLeft, limit: 3)
    #expect(text(encoder, short.examples[1].prompt) == "g")
    #expect(text(encoder, short.examples[1].completion) == "h<eos>")
  }

  @Test("a row longer than the model's context is refused, whatever sft_max_length allows")
  func context() throws {
    let rows = dataset([.text(String(repeating: "a", count: 64))])
    let error = #expect(throws: PromptError.self) {
      try SupervisedExamples([rows], encoder(), endToken: 1, maxLength: 1000)
    }
    #expect(try #require(error).description.contains("the model's context is 64"))
  }

  @Test("a row without a token to learn is counted")
  func nothingToLearn() throws {
    let rows = dataset([.text("a"), .text("ab")])
    let read = try SupervisedExamples([rows], encoder(), endToken: nil, maxLength: 9)
    #expect(read.examples.count == 1 && read.empty == 1)
    #expect(read.notes.first?.contains("no token to learn") == true)
  }

  @Test("a conversational completion is learnt with the template's closing text")
  func answer() throws {
    let encoder = try encoder(template: Self.chat)
    let row = SupervisedDataset.Row.answer(
      prompt: [ChatMessage(role: "user", content: "one")],
      completion: [ChatMessage(role: "assistant", content: "two")])
    let example = try #require(
      try encoder.example(of: row, index: 0, dataset: "d", endToken: 1))
    #expect(text(encoder, example.prompt) == "[user|one][assistant|")
    #expect(text(encoder, example.completion) == "two]")
    #expect(example.mask == nil)
  }

  /// TRL: `apply_chat_template(prompt + completion)`, of which what follows the prompt's tokens counts.
  @Test(
    "with Qwen 2.5's tokenizer a conversational completion has TRL's tokens",
    .enabled(if: SharedFiles.has("tokenizers/qwen2.5")))
  func answerOfQwen() throws {
    let tokenizer = try Tokenizer(folder: SharedFiles.url("tokenizers/qwen2.5"))
    let encoder = PromptEncoder(tokenizer: tokenizer, contextLength: 4096)
    let row = SupervisedDataset.Row.answer(
      prompt: [
        ChatMessage(role: "system", content: "S"), ChatMessage(role: "user", content: "2+2?"),
      ],
      completion: [ChatMessage(role: "assistant", content: "It is 4.")])
    let example = try #require(
      try encoder.example(of: row, index: 0, dataset: "d", endToken: nil))
    let rendered =
      "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n"
    #expect(example.prompt == tokenizer.encode(rendered, addSpecialTokens: false))
    #expect(
      example.prompt + example.completion
        == tokenizer.encode(rendered + "It is 4.<|im_end|>\n", addSpecialTokens: false))
    // The line break after the end of the turn is one of them.
    #expect(text(encoder, example.completion) == "It is 4.<|im_end|>\n")
  }

  @Test("of a completion of several messages the assistant's turns count")
  func answers() throws {
    let encoder = try encoder(template: Self.chat)
    let row = SupervisedDataset.Row.answer(
      prompt: [
        ChatMessage(role: "user", content: "a"), ChatMessage(role: "assistant", content: "b"),
        ChatMessage(role: "user", content: "c"),
      ],
      completion: [
        ChatMessage(role: "assistant", content: "d"), ChatMessage(role: "tool", content: "e"),
        ChatMessage(role: "assistant", content: "f"),
      ])
    let example = try #require(
      try encoder.example(of: row, index: 0, dataset: "d", endToken: 1))
    #expect(text(encoder, example.prompt) == "[user|a][assistant|b][user|c][assistant|")
    let learnt = zip(example.completion, try #require(example.mask)).filter(\.1).map(\.0)
    #expect(text(encoder, learnt) == "d]f]")
  }

  @Test("a template whose generation prompt opens more than its turns do still closes the answer")
  func reasoningPrompt() throws {
    let template = """
      {%- for m in messages -%}[{{ m.role }}|{{ m.content }}]{%- endfor -%}
      {%- if add_generation_prompt -%}[assistant|.{%- endif -%}
      """
    let encoder = try encoder(template: template)
    let row = SupervisedDataset.Row.answer(
      prompt: [ChatMessage(role: "user", content: "one")],
      completion: [ChatMessage(role: "assistant", content: "two")])
    let example = try #require(
      try encoder.example(of: row, index: 0, dataset: "d", endToken: 1))
    #expect(text(encoder, example.prompt) == "[user|one][assistant|.")
    #expect(text(encoder, example.completion) == "two]")
  }

  @Test("an assistant's message at a prompt's end is continued, or closed where that is asked")
  func prefill() throws {
    let messages = [
      ChatMessage(role: "user", content: "one"), ChatMessage(role: "assistant", content: "so "),
    ]
    let problem = Problem(index: 0, prompt: .messages(messages))
    let continuing = try encoder(template: Self.chat)
    #expect(
      try text(continuing, #require(try continuing.encode(problem, dataset: "d")))
        == "[user|one][assistant|so ")
    let closing = try encoder(template: Self.chat) { $0.continuesFinalMessage = false }
    #expect(
      try text(closing, #require(try closing.encode(problem, dataset: "d")))
        == "[user|one][assistant|so ][assistant|")
  }

  @Test(
    "chat_template_kwargs reach the template; a row's own win, and names given otherwise are refused"
  )
  func kwargs() throws {
    let encoder = try encoder(template: "{{ a }}{{ b|default('x') }}" + Self.chat) {
      $0.variables = ["a": "s"]
    }
    func problem(_ columns: JSONObject) -> Problem {
      Problem(
        index: 6, prompt: .messages([ChatMessage(role: "user", content: "c")]), columns: columns)
    }
    func text(_ columns: JSONObject) throws -> String {
      try self.text(encoder, #require(try encoder.encode(problem(columns), dataset: "d")))
    }
    #expect(try text([:]) == "sx[user|c][assistant|")
    #expect(try text(["chat_template_kwargs": ["b": "y"]]) == "sy[user|c][assistant|")
    #expect(try text(["chat_template_kwargs": #"{"a": "z"}"#]) == "zx[user|c][assistant|")
    #expect(try text(["apply_chat_template_kwargs": ["a": "z"]]) == "zx[user|c][assistant|")
    for wrong: JSONValue in [["tools": []], ["a"], "no", 3] {
      let error = #expect(throws: PromptError.self) {
        try encoder.encode(problem(["chat_template_kwargs": wrong]), dataset: "d")
      }
      #expect(
        try #require(error).description.hasPrefix("d, row 7: the column 'chat_template_kwargs'"))
    }
  }

  @Test("a template that rewrites earlier turns is refused")
  func rewriting() throws {
    let encoder = try encoder(template: "[{{ messages|length }}]" + Self.chat)
    let row = SupervisedDataset.Row.conversation([
      ChatMessage(role: "user", content: "one"), ChatMessage(role: "assistant", content: "two"),
    ])
    let error = #expect(throws: PromptError.self) {
      try encoder.example(of: row, index: 4, dataset: "chats.jsonl", endToken: 1)
    }
    #expect(try #require(error).description.contains("chats.jsonl, row 5"))
  }
}
