import Foundation
import Testing

@testable import Tokenizers

@Suite("The pattern engine")
struct RegexTests {
  static func matches(_ pattern: String, _ text: String) throws -> [String] {
    let program = try RegexProgram(pattern)
    return Array(text.utf8).withUnsafeBufferPointer { bytes in
      var search = RegexSearch(program, in: bytes)
      var matches: [String] = []
      while let range = search.next() {
        matches.append(String(decoding: bytes[range], as: UTF8.self))
      }
      return matches
    }
  }

  /// Matches as Oniguruma 6.9 finds them (through tokenizers 0.23.3).
  static let cases: [(String, String, [String])] = [
    ("a|ab", "ab", ["a"]), ("(?:a|ab)c", "abc", ["abc"]), ("a*?b", "aab", ["aab"]),
    ("a+?", "aa", ["a", "a"]), ("[^a-c]+", "abxyc", ["xy"]),
    ("[a-z&&[^aeiou]]+", "hello", ["h", "ll"]),
    (#"\p{L}+"#, "añ日1", ["añ日"]), (#"\P{L}+"#, "a12b", ["12"]), (#"\p{^L}+"#, "a12b", ["12"]),
    (#"(?i)k+"#, "kK\u{212A}", ["kK\u{212A}"]), (#"(?i:'s)x"#, "'Sx'ſx", ["'Sx", "'ſx"]),
    (#"\d{2,3}"#, "12345", ["123", "45"]), (#"\d{2}+"#, "12345", ["1234"]), (#"\w++x"#, "abx", []),
    (#"\s+(?!\S)"#, "a  b ", [" ", " "]), (#"(?<=a)b"#, "abcb", ["b"]),
    (#"(?<!a)b"#, "abcb", ["b"]),
    (#"^a"#, "a\na", ["a", "a"]), (#"a$"#, "a\na", ["a", "a"]), (#"\bfoo\b"#, "foo food", ["foo"]),
    (#"[\]\-a]+"#, "a-]b", ["a-]"]), (#"[[:digit:]a]+"#, "a1b", ["a1"]),
    (#"\x41\u0042\x{43}"#, "ABC", ["ABC"]),
    (".", "a\nb", ["a", "b"]), ("(?m:.)", "a\n", ["a", "\n"]), ("(a|b)*c", "ababc", ["ababc"]),
    ("(?:a*)*b", "aab", ["aab"]), (#"\p{Han}+"#, "ab漢字c", ["漢字"]), ("x{0}y", "xy", ["y"]),
  ]

  @Test("finds what Oniguruma finds", arguments: cases)
  func finds(pattern: String, text: String, expected: [String]) throws {
    let found = try Self.matches(pattern, text)
    #expect(found.count == expected.count && zip(found, expected).allSatisfy(isSame), "\(found)")
  }

  @Test(
    "refuses what it can't bound, with a reason",
    arguments: [
      "(", ")", "[a", "a{1001}", "(?:a{1000}){1000}", #"\1"#, "(?<=a*)b", "(?>ab|a)c", "*a",
      #"\p{Nonsense}"#, "[b-a]", #"a\"#, String(repeating: "(", count: 1000),
      "(?:(?:(?:){1000}){1000}){1000}", String(repeating: "a", count: 100_000),
    ])
  func refuses(pattern: String) {
    #expect(throws: RegexError.self) { try RegexProgram(pattern) }
  }

  @Test(
    "ends on patterns that make others run for ever",
    arguments: ["(a+)+b", "(a|a)*b", "(a|aa)+$b", "a*a*a*a*a*a*b", "(?:(?=.*x)a)*b", "(.*.*)*x"])
  func bounded(pattern: String) throws {
    let text = String(repeating: "a", count: 20_000)
    #expect(try Self.matches(pattern, text) == [])
    #expect(try Self.matches("a", text).count == 20_000)
  }

  @Test("the hand-written patterns cut as the general engine does")
  func knownPatterns() throws {
    let sources = [
      KnownPattern.gpt2Source, KnownPattern.cl100kSource(digits: #"\p{N}"#),
      KnownPattern.cl100kSource(digits: #"\p{N}{1,3}"#),
    ]
    let alphabet: [Unicode.Scalar] = [
      "a", "B", "é", "日", "1", "२", "½", " ", " ", "\n", "\r", "\t", "\u{A0}", "\u{3000}", "'", "s",
      "S", "ſ", "l", "L", "r", "e", "v", "t", "m", "d", "!", "—", "🙂", "\u{301}", "_", "\0",
    ]
    var random = Generator(state: 7)
    for source in sources {
      let known = try #require(KnownPattern(source: source))
      let program = try RegexProgram(source)
      for _ in 0..<2000 {
        var text = String.UnicodeScalarView()
        for _ in 0..<random.below(24) { text.append(alphabet[random.below(alphabet.count)]) }
        Array(String(text).utf8).withUnsafeBufferPointer { bytes in
          var fast: [Range<Int>] = []
          known.forEachMatch(in: bytes) { fast.append($0) }
          var general: [Range<Int>] = []
          var search = RegexSearch(program, in: bytes)
          while let range = search.next() { general.append(range) }
          #expect(fast == general, "\(String(text).debugDescription)")
        }
      }
    }
  }
}

/// A small generator of repeatable numbers (SplitMix64).
struct Generator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var word = state
    word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
    return word ^ word >> 31
  }

  mutating func below(_ limit: Int) -> Int { limit > 0 ? Int(next() % UInt64(limit)) : 0 }
}
