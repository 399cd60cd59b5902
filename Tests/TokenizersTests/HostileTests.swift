import Foundation
import Rollouts
import Testing

@testable import Tokenizers

@Suite("Hostile tokenizers and templates end in an error, soon")
struct HostileTests {
  static func model(vocab: String, merges: String) -> String {
    #"{"type": "BPE", "unk_token": null, "vocab": \#(vocab), "merges": \#(merges)}"#
  }

  /// A file and what its error must speak of.
  static let hostileFiles: [(String, String)] = [
    ("", "expected"), ("{", "in double quotes"), ("[]", "'{'"), ("{}", "model"),
    (#"{"model": 5}"#, "'{'"), (#"{"model": {"type": "Unigram", "vocab": []}}"#, "Unigram"),
    (#"{"model": {"type": "WordPiece", "vocab": {}}}"#, "WordPiece"),
    (SmallTokenizer.text(model: model(vocab: #"{"a": 0, "b": 0}"#, merges: "[]")), "id 0 belongs"),
    (SmallTokenizer.text(model: model(vocab: #"{"a": 0, "a": 1}"#, merges: "[]")), "twice"),
    (SmallTokenizer.text(model: model(vocab: #"{"a": -1}"#, merges: "[]")), "ids run from 0"),
    (SmallTokenizer.text(model: model(vocab: #"{"a": 99999999}"#, merges: "[]")), "ids run from 0"),
    (
      SmallTokenizer.text(model: model(vocab: #"{"a": 99999999999999999999}"#, merges: "[]")),
      "too large"
    ),
    (SmallTokenizer.text(model: model(vocab: #"{"a": 1.5}"#, merges: "[]")), "integer"),
    (SmallTokenizer.text(model: model(vocab: #"{"a": "1"}"#, merges: "[]")), "integer"),
    (SmallTokenizer.text(model: model(vocab: "{}", merges: "[]")), "empty"),
    (
      SmallTokenizer.text(model: model(vocab: #"{"a": 0, "": 1}"#, merges: #"[["a", ""]]"#)),
      "empty token"
    ),
    (SmallTokenizer.text(model: model(vocab: #"{"a": 0}"#, merges: #"[["a", "a"]]"#)), "\"aa\""),
    (SmallTokenizer.text(model: model(vocab: #"{"a": 0}"#, merges: #"["a b c"]"#)), "two tokens"),
    (SmallTokenizer.text(model: model(vocab: #"{"a": 0}"#, merges: #"[["a"]]"#)), "','"),
    (
      SmallTokenizer.text(added: #"[{"id": 1, "content": "z"}]"#), "id 1 belongs"
    ),
    (SmallTokenizer.text(added: #"[{"id": 3, "content": "a"}]"#), "has id 3 here"),
    (SmallTokenizer.text(added: #"[{"id": -5, "content": "z"}]"#), "out of range"),
    (SmallTokenizer.text(added: #"[{"id": 1e30, "content": "z"}]"#), "integer"),
    (SmallTokenizer.text(added: #"[{"id": 20}]"#), "content"),
    (
      SmallTokenizer.text(
        postProcessor: #"{"type": "BertProcessing", "cls": ["a", 900], "sep": ["b", 1]}"#),
      "token id"
    ),
    (
      SmallTokenizer.text(
        preTokenizer:
          #"{"type": "Split", "pattern": {"Regex": "(a{1000}){1000}"}, "behavior": "Isolated"}"#
      ), "counts"
    ),
    (SmallTokenizer.text(normalizer: #"{"type": "Precompiled"}"#), "Precompiled"),
    (SmallTokenizer.text(normalizer: #"{"kind": "NFC"}"#), "type"),
    (
      SmallTokenizer.text(
        normalizer: "{\"type\": \"Sequence\", \"normalizers\": ["
          + Array(
            repeating: #"{"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}"#,
            count: 13
          ).joined(separator: ",") + "]}"), "longer"
    ),
    (
      SmallTokenizer.text(
        normalizer: String(repeating: #"{"type": "Sequence", "normalizers": ["#, count: 40)
          + #"{"type": "NFC"}"# + String(repeating: "]}", count: 40)), "deep"
    ),
    (String(repeating: "[", count: 100_000), "'{'"),
    (#"{"model": "# + String(repeating: "[", count: 100_000), "deep"),
    (#"{"x": "\ud800"} trailing"#, "unexpected"),
  ]

  @Test("tokenizer.json", arguments: hostileFiles)
  func tokenizers(text: String, reason: String) {
    do {
      _ = try SmallTokenizer.load(text)
      Issue.record("was accepted: \(text.prefix(200))")
    } catch let error as TokenizerError {
      #expect(error.description.contains(reason), "\(error)")
      #expect(error.description.contains("tokenizer.json"))
    } catch {
      Issue.record("\(error)")
    }
  }

  @Test("a folder without a tokenizer says what it needs")
  func folders() throws {
    let folder = try TemporaryFolder()
    #expect { try Tokenizer(folder: folder.url) } throws: { "\($0)".contains("vocab.json") }
    try folder.write("x", "tokenizer.model")
    #expect { try Tokenizer(folder: folder.url) } throws: { "\($0)".contains("save_pretrained") }
    try folder.write("\u{0}", "tokenizer.json")
    #expect(throws: TokenizerError.self) { try Tokenizer(folder: folder.url) }
    let pipe = folder.url.appendingPathComponent("tokenizer_config.json").path
    #expect(mkfifo(pipe, 0o600) == 0)
    #expect { try Tokenizer(folder: folder.url) } throws: { "\($0)".contains("regular") }
  }

  @Test("merges that form a cycle of names still end, as each merge shortens the word")
  func cyclicMerges() throws {
    // With the prefix "b", a + b is a again.
    let text = SmallTokenizer.text(
      model: #"""
        {"type": "BPE", "continuing_subword_prefix": "b", "vocab": {"a": 0, "b": 1, "bb": 2},
         "merges": [["a", "b"], ["b", "bb"], ["bb", "b"]]}
        """#)
    let tokenizer = try SmallTokenizer.load(text)
    let ids = SmallTokenizer.ids(tokenizer, "a" + String(repeating: "b", count: 10_000))
    #expect(ids.count <= 10_001)
  }

  /// Templates that would run, grow or nest without end, and what their error must speak of.
  static let hostileTemplates: [(String, String)] = [
    ("{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}", "steps"),
    ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "deep"),
    ("{{ 'a' * 10**12 }}", "grows"), ("{{ [1] * 10**12 }}", "grows"),
    ("{{ 10 ** 10 ** 10 }}", "too large"),
    (
      "{% set n = namespace(s='ab') %}{% for i in range(64) %}{% set n.s = n.s + n.s %}{% endfor %}",
      "steps|grows"
    ),
    (
      "{% set n = namespace(l=[1]) %}{% for i in range(64) %}{% set n.l = [n.l, n.l] %}{% endfor %}{{ n.l }}",
      "large"
    ),
    (
      "{% set n = namespace(l=[1]) %}{% for i in range(64) %}{% set n.l = [n.l, n.l] %}{% endfor %}{{ n.l|tojson }}",
      "large"
    ),
    (
      "{% set n = namespace(l=[1]) %}{% for i in range(64) %}{% set n.l = [n.l, n.l] %}{% endfor %}{{ n.l == n.l }}",
      "steps"
    ),
    ("{{ 'x'.center(10**15) }}", "grows"), ("{{ '%99999999999d' % 1 }}", ""),
    ("{{ range(10**18) }}", "100000"), ("{{ ('a' * 10**6).replace('a', 'b' * 10**6) }}", "grows"),
    (String(repeating: "{% if 1 %}", count: 5000), "deep"),
    (
      "{{ " + String(repeating: "(", count: 5000) + "1" + String(repeating: ")", count: 5000)
        + " }}",
      "deep"
    ),
    ("{{ " + String(repeating: "not ", count: 5000) + "1 }}", "deep"),
    ("{{ " + String(repeating: "-", count: 5000) + "1 }}", "deep"),
    ("{{ 1" + String(repeating: " + 1", count: 5000) + " }}", "long"),
    ("{{ a" + String(repeating: "|list", count: 5000) + " }}", "long"),
    ("{{ (0 - 1e300)|filesizeformat }}", "no size"),
    ("{{ ('-inf'|float)|filesizeformat }}", "no size"),
    ("{{ 'ab'.rjust(-9223372036854775807 - 1) }}", ""),
    (
      "{% set n = namespace(x=[]) %}{% for i in range(100000) %}{% set n.x = [n.x] %}{% endfor %}",
      "nest"
    ),
    (
      "{% set n = namespace(x=1) %}{% for i in range(100000) %}{% set n.x = {'a': n.x} %}{% endfor %}",
      "nest"
    ),
    (
      "{% set n = namespace(x=1) %}{% for i in range(100000) %}{% set n.x = (n.x,) %}{% endfor %}",
      "nest"
    ),
    ("{{ ('a' * 2000000).find('a' * 1000000 ~ 'b') }}", ""),
    ("{{ ('a' * 2000000).count('a' * 4000 ~ 'b') }}", ""),
    ("{{ ('a' * 2000000).replace('a' * 4000 ~ 'b', '')|length }}", ""),
    ("{{ ('a' * 100000 ~ 'b') in ('a' * 4000000) }}", ""),
    (
      "{% set n = namespace(x='a' * 16000000) %}{% for i in range(100000) %}"
        + "{% set n.x = n.x|upper|lower %}{% endfor %}", "steps"
    ),
    (
      "{% set x = 'a' * 16000000 %}{% set n = namespace(l=[]) %}{% for i in range(1000) %}"
        + "{% set n.l = n.l + [x|trim] %}{% endfor %}", "steps"
    ),
    (
      "{% set x = 'a' * 16000000 %}{% for i in range(100000) %}{% set y = x[1:] %}{% endfor %}",
      "steps"
    ),
    (
      "{% set x = [1] * 1000000 %}{% for i in range(100000) %}{% set y = x[1:] %}{% endfor %}",
      "steps"
    ),
    (
      "{% set x = 'a' * 16000000 %}{% set d = {x: 1} %}{% for i in range(100000) %}{{ d[x] }}"
        + "{% endfor %}", "steps"
    ),
    ("{{ (['a' * 16000000] * 1000)|sort|length }}", "steps"),
    ("{{ ('\\n' * 16000000).splitlines()|length }}", "list grows"),
    ("{{ ('a,' * 8000000).split(',')|length }}", "list grows"),
    ("{{ [[[1]]]|tojson(indent='a' * 16000000) }}", "too large"),
    (
      "{% set n = namespace(x='x') %}{% for i in range(40) %}{% set n.x = (n.x, n.x) %}{% endfor %}"
        + "{{ 'abc'.startswith(n.x) }}", "steps"
    ),
    ("{{ 9223372036854775807 + 1 }}", "too large"),
    ("{{ (-9223372036854775807 - 1) // -1 }}", "too large"),
    ("{{ 99999999999999999999 }}", "too large"), ("{% for x in y", "closed"), ("{{ 'a", "closed"),
    ("{# ", "closed"), ("{% raw %}", "raw"), ("{% endfor %}", "endfor"), ("{{ }}", "value"),
  ]

  @Test("chat templates", arguments: hostileTemplates)
  func templates(source: String, reason: String) {
    do throws(TemplateError) {
      let text = try ChatTemplate(source: source, name: "T")
        .render(messages: [ChatMessage](), end: .closed)
      #expect(reason.isEmpty && text.utf8.count < 1 << 17, "was accepted: \(source.prefix(100))")
    } catch {
      let reasons = reason.split(separator: "|")
      #expect(reasons.contains { error.description.contains($0) }, "\(error)")
      #expect(error.description.hasPrefix("T, line 1: "))
    }
  }

  @Test("errors name the template's line")
  func lines() {
    #expect {
      try ChatTemplate(source: "a\n\n{% if %}", name: "chat.jinja")
    } throws: {
      "\($0)".hasPrefix("chat.jinja, line 3: ")
    }
    #expect {
      try ChatTemplate(source: "a\r\n{{ 1 }}\n\n  {{ x.y }}")
        .render(messages: [ChatMessage](), end: .closed)
    } throws: {
      ($0 as? TemplateError)?.line == 4
    }
    #expect {
      try ChatTemplate(source: "\n{{ raise_exception('No user query.') }}")
        .render(messages: [ChatMessage](), end: .closed)
    } throws: {
      ($0 as? TemplateError)?.line == 2 && "\($0)".contains("No user query.")
    }
  }
}
