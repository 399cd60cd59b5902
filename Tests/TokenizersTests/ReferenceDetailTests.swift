import Foundation
import Rollouts
import Testing

@testable import Tokenizers

/// Expected ids and texts by tokenizers 0.23.3 from the same files.
@Suite("Corners in which the reference library has its own way")
struct ReferenceDetailTests {
  private static func sequence(_ normalizers: String...) -> String {
    #"{"type": "Sequence", "normalizers": [\#(normalizers.joined(separator: ","))]}"#
  }

  private static func replace(_ old: String, by new: String) -> String {
    #"{"type": "Replace", "pattern": {"String": "\#(old)"}, "content": "\#(new)"}"#
  }

  private static let wordStart = #"{"type": "Prepend", "prepend": "▁"}"#

  @Test("a normalized added token is decoded as it is spelt in normalized text")
  func normalizedSpelling() throws {
    let text = SmallTokenizer.text(
      normalizer: Self.sequence(Self.wordStart, Self.replace(" ", by: "▁")),
      decoder:
        #"{"type": "Sequence", "decoders": [\#(Self.replace("▁", by: " ")), {"type": "Fuse"}]}"#,
      added: #"[{"id": 20, "content": "<x>", "normalized": true}]"#)
    let tokenizer = try SmallTokenizer.load(text)
    // The library numbers the added token 11: it takes no holes.
    let ids = SmallTokenizer.ids(tokenizer, "ab <x> c")
    #expect(ids == [9, 6, 20, 9, 3])
    #expect(tokenizer.decode(ids, skipSpecialTokens: true) == " ab <x> c")
    #expect(tokenizer.token(of: 20) == "<x>")
  }

  @Test(
    "added tokens are none of the model's own",
    arguments: [("éaéb é", [0, 1, 0, 2, 0, 20]), ("é", [20])] as [(String, [TokenID])])
  func addedSymbol(text: String, expected: [TokenID]) throws {
    let file = SmallTokenizer.text(
      added: #"[{"id": 20, "content": "é", "single_word": true, "normalized": false}]"#)
    #expect(SmallTokenizer.ids(try SmallTokenizer.load(file), text) == expected)
  }

  @Test("a word that is an added token is merged like any other, also where merges may be ignored")
  func addedWord() throws {
    let file = SmallTokenizer.text(
      preTokenizer: #"{"type": "Digits", "individual_digits": true}"#,
      added: #"[{"id": 20, "content": "cb", "single_word": true, "normalized": false}]"#,
      model: SmallTokenizer.model.replacingOccurrences(
        of: #""ignore_merges": false"#, with: #""ignore_merges": true"#))
    #expect(SmallTokenizer.ids(try SmallTokenizer.load(file), "cb1") == [3, 2, 0])
  }

  @Test("what an added token took along is no token for the next")
  func takenAlong() throws {
    let file = SmallTokenizer.text(
      added: #"""
        [{"id": 20, "content": "<r>", "rstrip": true, "normalized": false},
         {"id": 21, "content": " ", "lstrip": true, "rstrip": true, "normalized": false}]
        """#)
    #expect(SmallTokenizer.ids(try SmallTokenizer.load(file), "a<r>  b a") == [1, 20, 2, 21, 1])
  }

  /// A normalizer, a text, and its ids where Metaspace marks the beginning of the text only.
  static let beginnings: [(String, String, [TokenID])] = [
    (#"{"type": "Strip", "strip_left": true, "strip_right": false}"#, "ab", [9, 6]),
    (#"{"type": "Strip", "strip_left": true, "strip_right": false}"#, "  a", [1]),
    (replace("b", by: ""), "ab", [10]), (replace("b", by: ""), "bba", [1]),
    (replace("b", by: "c"), "bba", [9, 3, 3, 1]), (replace("bb", by: "c"), "bba", [3, 1]),
    (replace("bb", by: "c"), "ba", [9, 2, 1]),
    (sequence(#"{"type": "Prepend", "prepend": "cd"}"#, replace("c", by: "")), "ab", [9, 4, 6]),
    (sequence(#"{"type": "Prepend", "prepend": "cd"}"#, replace("cda", by: "e")), "ab", [9, 5, 2]),
    (sequence(#"{"type": "Prepend", "prepend": "cd"}"#, replace("cdab", by: "e")), "ab", [5]),
    (sequence(#"{"type": "NFD"}"#, #"{"type": "StripAccents"}"#), "áb", [9, 6]),
    (sequence(#"{"type": "NFD"}"#, #"{"type": "StripAccents"}"#), "\u{301}ab", [6]),
    (
      sequence(
        #"{"type": "Strip", "strip_left": true, "strip_right": false}"#,
        #"{"type": "Prepend", "prepend": "c"}"#), " a", [3, 1]
    ),
  ]

  @Test("a text begins with its first character, also after normalizing", arguments: beginnings)
  func beginning(normalizer: String, text: String, expected: [TokenID]) throws {
    let file = SmallTokenizer.text(
      normalizer: normalizer,
      preTokenizer:
        #"{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": true}"#)
    #expect(SmallTokenizer.ids(try SmallTokenizer.load(file), text) == expected)
  }

  @Test("a normalizer that makes a text too long is found before memory is taken")
  func tooLong() {
    let steps: [Normalizer] = [
      .lowercase, .replace(.literal(Array("a".utf8)), Array(repeating: 0x62, count: 100)),
    ]
    func beyond(_ text: String, _ limit: Int) -> String? {
      Array(text.utf8).withUnsafeBufferPointer { steps.firstBeyond(limit, for: $0)?.name }
    }
    #expect(beyond(String(repeating: "a", count: 30), 2999) == "Replace")
    #expect(beyond(String(repeating: "a", count: 30), 3000) == nil)
    #expect(beyond(String(repeating: "c", count: 30), 100) == nil)
  }
}
