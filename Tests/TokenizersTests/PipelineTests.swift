import Foundation
import Rollouts
import Testing

@testable import Tokenizers

@Suite("The steps from text to tokens and back")
struct PipelineTests {
  @Test("merges apply by rank, leftmost first")
  func merges() throws {
    let tokenizer = try SmallTokenizer.load(SmallTokenizer.text())
    #expect(SmallTokenizer.ids(tokenizer, "abcde") == [7, 8])
    #expect(SmallTokenizer.ids(tokenizer, "ababc") == [6, 7])
    #expect(SmallTokenizer.ids(tokenizer, "") == [])
    // Unknown characters fuse; a long word goes through the heap and gives the same.
    #expect(SmallTokenizer.ids(tokenizer, "axya") == [1, 0, 1])
    let long = String(repeating: "abcde", count: 100)
    #expect(
      SmallTokenizer.ids(tokenizer, long) == Array(repeating: [7, 8], count: 100).flatMap(\.self))
  }

  @Test("words are cut before ▁ without changing the result")
  func wordStarts() throws {
    let normalizer = #"{"type": "Replace", "pattern": {"String": " "}, "content": "▁"}"#
    let plain = try SmallTokenizer.load(SmallTokenizer.text(normalizer: normalizer))
    #expect(SmallTokenizer.ids(plain, "ab a  abc") == [6, 10, 9, 9, 7])
  }

  @Test(
    "added tokens take, or leave, the white space and the words around them",
    arguments: [
      (#""lstrip": true"#, "a <x> b", [1, 20, 9, 2]),
      (#""rstrip": true"#, "a <x> b", [1, 9, 20, 2]),
      (#""single_word": true"#, "a<x>b", [1, 0, 2]),
      (#""single_word": true"#, "a <x> b", [1, 9, 20, 9, 2]),
      (#""lstrip": false"#, "<x><x>a", [20, 20, 1]),
    ])
  func addedTokens(flag: String, text: String, expected: [TokenID]) throws {
    let tokenizer = try SmallTokenizer.load(
      SmallTokenizer.text(
        normalizer: #"{"type": "Replace", "pattern": {"String": " "}, "content": "▁"}"#,
        added: #"[{"id": 20, "content": "<x>", "special": true, \#(flag)}]"#))
    #expect(SmallTokenizer.ids(tokenizer, text) == expected)
    #expect(tokenizer.vocabularySize == 21)
    #expect(tokenizer.isSpecial(20))
  }

  @Test("special tokens of the template surround the text")
  func postProcessor() throws {
    let template = #"""
      {"type": "Sequence", "processors": [{"type": "ByteLevel"}, {"type": "TemplateProcessing",
       "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                  {"SpecialToken": {"id": "</s>", "type_id": 0}}],
       "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]},
                          "</s>": {"id": "</s>", "ids": [2, 3], "tokens": ["</s>", "x"]}}}]}
      """#
    let tokenizer = try SmallTokenizer.load(SmallTokenizer.text(postProcessor: template))
    #expect(tokenizer.encode("a", addSpecialTokens: true) == [1, 1, 2, 3])
    #expect(tokenizer.encode("a", addSpecialTokens: false) == [1])
  }

  /// Expected pieces by tokenizers 0.23.3, `pre_tokenizers.….pre_tokenize_str`.
  static let cuts: [(String, String, [String])] = [
    (#"{"type": "Digits", "individual_digits": true}"#, "ab12c", ["ab", "1", "2", "c"]),
    (#"{"type": "Digits", "individual_digits": false}"#, "ab12c", ["ab", "12", "c"]),
    (#"{"type": "Punctuation"}"#, "hey,-you!", ["hey", ",", "-", "you", "!"]),
    (
      #"{"type": "Punctuation", "behavior": "MergedWithNext"}"#, "hey,-you!",
      ["hey", ",", "-you", "!"]
    ),
    (#"{"type": "WhitespaceSplit"}"#, " a  b\n", ["a", "b"]),
    (#"{"type": "Whitespace"}"#, "a.b c", ["a", ".", "b", "c"]),
    (#"{"type": "CharDelimiterSplit", "delimiter": "-"}"#, "a-b--c", ["a", "b", "c"]),
    (
      #"{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"}"#, "a b",
      ["▁a", "▁b"]
    ),
    (
      #"{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never", "split": false}"#,
      "a b", ["a▁b"]
    ),
    (
      #"{"type": "Split", "pattern": {"Regex": "b+"}, "behavior": "Removed", "invert": false}"#,
      "abbcb", ["a", "c"]
    ),
    (
      #"{"type": "Split", "pattern": {"Regex": "b+"}, "behavior": "Removed", "invert": true}"#,
      "abbcb", ["bb", "b"]
    ),
    (
      #"{"type": "Split", "pattern": {"String": "b"}, "behavior": "MergedWithPrevious"}"#, "abbcb",
      ["ab", "b", "cb"]
    ),
    (
      #"{"type": "Split", "pattern": {"String": "b"}, "behavior": "MergedWithNext"}"#, "abbcb",
      ["a", "b", "bc", "b"]
    ),
    (
      #"{"type": "Split", "pattern": {"String": "b"}, "behavior": "Contiguous"}"#, "abbcb",
      ["a", "bb", "c", "b"]
    ),
    (
      #"{"type": "Split", "pattern": {"Regex": "(?=(\\d{3})+(?!\\d))"}, "behavior": "Isolated"}"#,
      "1234567", ["1", "234", "567"]
    ),
  ]

  @Test("pre-tokenizers cut as the reference does", arguments: cuts)
  func preTokenizers(json: String, text: String, expected: [String]) throws {
    var steps: [PreTokenizer] = []
    try PreTokenizer.read(
      ComponentReader(file: "", place: "", value: JSONValue.parse(json)), into: &steps)
    var pieces: [String] = []
    Array(text.utf8).withUnsafeBufferPointer { bytes in
      PreTokenizer.cut(bytes, isFirst: true, by: steps[...]) {
        pieces.append(String(decoding: $0, as: UTF8.self))
      }
    }
    #expect(pieces == expected)
  }

  /// Expected texts by tokenizers 0.23.3, `decoders.….decode`.
  static let decodings: [(String, [String], String)] = [
    (#"{"type": "ByteFallback"}"#, ["<0xE4>", "<0xBD>", "<0xA0>", "a"], "你a"),
    (#"{"type": "ByteFallback"}"#, ["<0xE4>", "<0xBD>", "b"], "\u{FFFD}\u{FFFD}b"),
    (#"{"type": "ByteLevel"}"#, ["Ġa", "Ã", "©", "Ã"], " aé\u{FFFD}"),
    (
      #"{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"}"#, ["▁a", "▁b"], "a b"
    ),
    (#"{"type": "BPEDecoder", "suffix": "</w>"}"#, ["a</w>", "b", "c</w>"], "a bc"),
    (
      #"{"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "Strip", "content": "x", "start": 2, "stop": 1}]}"#,
      ["x", "xx", "a", "x", "x"], "xax"
    ),
    (#"{"type": "Strip", "content": "x", "start": 1, "stop": 0}"#, ["xa", "xb"], "ab"),
  ]

  @Test("decoders join as the reference does, at once and piece by piece", arguments: decodings)
  func decoders(json: String, tokens: [String], expected: String) throws {
    var steps: [Decoder] = []
    try Decoder.read(
      ComponentReader(file: "", place: "", value: JSONValue.parse(json)), into: &steps)
    var stream = DecoderStream(steps)
    var text: [UInt8] = []
    for token in tokens {
      Array(token.utf8).withUnsafeBufferPointer { stream.push($0, into: &text) }
      // Whatever has come out is whole characters.
      #expect(String(validating: text, as: UTF8.self) != nil)
    }
    stream.finish(into: &text)
    #expect(isSame(String(decoding: text, as: UTF8.self), expected))
  }

  @Test("a file without a decoder joins tokens by spaces")
  func noDecoder() throws {
    let tokenizer = try SmallTokenizer.load(SmallTokenizer.text())
    #expect(tokenizer.decode([7, 8], skipSpecialTokens: false) == "abc de")
    #expect(tokenizer.decode([7, 99, -1, 8], skipSpecialTokens: false) == "abc de")
  }

  @Test("character tokenizers give back every character of their alphabet")
  func characters() throws {
    let folder = try TemporaryFolder()
    let alphabet: [Character] = ["a", "b", " ", "\n", "\"", "\\", "é", "日", "🙂", "<", "a"]
    try CharacterTokenizer.write(alphabet: alphabet, to: folder.url)
    let tokenizer = try Tokenizer(folder: folder.url)
    #expect(tokenizer.vocabularySize == 3 + 10)
    #expect(tokenizer.padTokenID == 0 && tokenizer.endTokenID == 1 && tokenizer.unknownTokenID == 2)
    let text = String(alphabet)
    let ids = tokenizer.encode(text, addSpecialTokens: true)
    #expect(ids == [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 3])
    #expect(tokenizer.decode(ids, skipSpecialTokens: true) == text)
    #expect(tokenizer.encode("a<eos>", addSpecialTokens: false) == [3, 1])
    #expect(tokenizer.decode([3, 1, 0], skipSpecialTokens: true) == "a")
    #expect(tokenizer.encode("z", addSpecialTokens: false) == [2])
    #expect(throws: TokenizerError.self) {
      try CharacterTokenizer.write(alphabet: ["e\u{301}"], to: folder.url)
    }
  }

  @Test("one tokenizer serves many threads")
  func threads() async throws {
    let tokenizer = try SmallTokenizer.load(SmallTokenizer.text())
    await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 {
        group.addTask {
          (0..<200).allSatisfy { _ in SmallTokenizer.ids(tokenizer, "abcdexab") == [7, 8, 0, 6] }
        }
      }
      for await isRight in group { #expect(isRight) }
    }
  }
}
