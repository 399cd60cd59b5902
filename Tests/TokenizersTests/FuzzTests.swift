import Foundation
import Rollouts
import Testing

@testable import Tokenizers

/// Feeds mutated files to the parsers; whatever comes, it must be a value or an error.
///
/// `GRPO_FUZZ=100000 swift test -c release --filter FuzzTests` runs the long form.
@Suite("Mutated files never trap")
struct FuzzTests {
  static let count =
    ProcessInfo.processInfo.environment["GRPO_FUZZ"].flatMap { Int($0) } ?? 3000

  /// Bytes cut out, doubled, moved, or replaced by words that mean something to a parser.
  static func mutate(
    _ seed: [UInt8], _ words: [String], _ random: inout Generator
  ) -> [UInt8] {
    var bytes = seed
    for _ in 0...random.below(4) {
      let place = random.below(bytes.count + 1)
      let end = min(place + random.below(24), bytes.count)
      switch random.below(6) {
      case 0: bytes.removeSubrange(place..<end)
      case 1: bytes.insert(contentsOf: bytes[place..<end], at: random.below(bytes.count + 1))
      case 2: if place < bytes.count { bytes[place] = UInt8(truncatingIfNeeded: random.next()) }
      case 3: bytes.replaceSubrange(place..<end, with: words[random.below(words.count)].utf8)
      case 4: bytes.insert(contentsOf: words[random.below(words.count)].utf8, at: place)
      default: if random.below(8) == 0 { bytes.removeSubrange(place...) }
      }
    }
    return bytes
  }

  static let tokenizerSeeds = [
    SmallTokenizer.text(
      normalizer: #"""
        {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Prepend", "prepend": "▁"},
         {"type": "Replace", "pattern": {"Regex": " +"}, "content": "▁"}, {"type": "Lowercase"},
         {"type": "Strip", "strip_left": true, "strip_right": false}]}
        """#,
      preTokenizer: #"""
        {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex":
         "(?i:'s|'t)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|\\s+(?!\\S)|(?:a|b)*c"},
         "behavior": "MergedWithNext", "invert": false}, {"type": "Digits", "individual_digits": true},
         {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first"}]}
        """#,
      postProcessor: #"""
        {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
         {"Sequence": {"id": "A", "type_id": 0}}], "special_tokens": {"<s>": {"ids": [1]}}}
        """#,
      decoder: #"""
        {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
         {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 1}]}
        """#,
      added:
        #"[{"id": 30, "content": "<x>", "special": true, "lstrip": true, "single_word": true}]"#),
    SmallTokenizer.text(
      preTokenizer: #"{"type": "ByteLevel", "add_prefix_space": true, "use_regex": true}"#,
      decoder: #"{"type": "ByteLevel"}"#),
  ]

  @Test("tokenizers")
  func tokenizers() {
    var random = Generator(state: 1)
    let words = [
      "{", "}", "[", "]", "\"", ",", ":", "null", "true", "-1", "1e400", "99999999999", "0.5",
      "\\u",
      "\\ud800", "(", ")", "*", "+", "{1000}", "(?=", "(?!", "(?<=", "[^", "&&", "|", "\\\\p{L}",
      "a",
      "NFC", "ByteLevel", "Fuse", "Isolated", "vocab", "merges", "<0x0A>", "▁", "🙂", "\u{0}",
      "(a*)*", "\"type\": \"Sequence\"",
    ]
    let texts = ["", "abc de <x> ab", "aé日🙂\r\n  12345 's", String(repeating: "ab ", count: 60)]
    var accepted = 0
    for index in 0..<Self.count {
      let seed = Array(Self.tokenizerSeeds[index % Self.tokenizerSeeds.count].utf8)
      let bytes = Self.mutate(seed, words, &random)
      guard
        let description = try? TokenizerDescription(tokenizerFile: bytes, file: "fuzz")
      else { continue }
      accepted += 1
      let encoder = TextEncoder(description)
      for text in texts {
        let ids = encoder.encode(text, addSpecialTokens: true)
        var decoder = IncrementalDecoder(
          encoder: encoder, steps: description.decoders, skippedIDs: [])
        for id in ids + [-1, 7, 2, .max] { _ = decoder.append(id) }
        _ = decoder.finish()
      }
    }
    #expect(accepted > 0)
  }

  static let templateSeeds = [
    #"""
    {%- macro show(x, y=1) -%}{{ x ~ y|string }}{%- endmacro -%}
    {% set ns = namespace(n=0, s='') %}{# comment #}
    {%- for message in messages if message.role != 'tool' %}
      {%- set ns.n = ns.n + loop.index0 %}
      {{- '<|' + message['role'] + '|>' + message.content|trim }}
      {%- if loop.last or message.tool_calls is defined and message.tool_calls %}{{ show(message, y=2) }}{% endif %}
    {%- else %}none{% endfor %}
    {% if tools %}{{ tools | map(attribute='name') | list | tojson(indent=2) }}{% endif %}
    {% filter upper %}{{ messages[-1:]|length }}{% endfilter %}{% raw %}{{ x }}{% endraw %}
    """#,
    #"""
    {{ "a-b-c".split("-")[1:]|join(", ") }}{{ [3,1,2]|sort(reverse=true)|first }}{{ {"a": 1}.items()|list }}
    {{ "%05.2f|%s" % (1.5, "x") }}{{ "{} {x}".format(1, x=2) }}{{ range(3)|sum }}{{ 7 // 2 ** 2 % 3 }}
    {% with a = 1 %}{{ a is divisibleby 2 }}{% endwith %}{{ strftime_now("%d %b %Y") }}{{ 'x' if a else 'y' }}
    {% call(b) show(1) %}{{ b }}{% endcall %}{% set t %}{{ 1.5e3 }}{% endset %}{{ t|indent(2)|truncate(3) }}
    """#,
  ]

  @Test("chat templates")
  func templates() {
    var random = Generator(state: 2)
    let words = [
      "{{", "}}", "{%", "%}", "{#", "#}", "-%}", "{%-", "(", ")", "[", "]", "|", ".", ",", "'",
      "\"",
      "for", "in", "if", "else", "endif", "endfor", "set", "macro", "recursive", "loop", "not",
      "is",
      "~", "**", "//", "1e400", "9223372036854775807", "-9223372036854775807", "range(99999)", "*",
      "|tojson", "|list", "|batch(3)", "|slice(0)", "|center(999)", "[::-1]", "[::0]", "none",
      "\\u12",
      "messages", "loop(messages)", "caller()", "namespace", "{'a': [1]}", "\n", "🙂", "|round(400)",
      "|int", "1/0", "%99999s", "|urlencode", "|groupby('role')", "|replace('', 'xx')",
    ]
    let messages: [JSONValue] = [
      ["role": "user", "content": " Héllo "], ["role": "assistant", "content": .null],
      ["role": "tool", "content": [1, 2.5, true]],
    ]
    var accepted = 0
    for index in 0..<Self.count {
      let seed = Array(Self.templateSeeds[index % Self.templateSeeds.count].utf8)
      let source = String(decoding: Self.mutate(seed, words, &random), as: UTF8.self)
      guard let template = try? ChatTemplate(source: source) else { continue }
      let text = try? template.render(
        messages: messages, tools: [["name": "f"]], end: .generationPrompt)
      if text != nil { accepted += 1 }
    }
    #expect(accepted > 0)
  }
}
