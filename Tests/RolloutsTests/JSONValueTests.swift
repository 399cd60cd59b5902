import Testing

@testable import Rollouts

@Suite("JSON")
struct JSONValueTests {
  @Test(
    "A value is written as it was read",
    arguments: [
      "null", "true", "-12", "9223372036854775807", "9223372036854775808",
      "-9223372036854775809", "[1,123456789012345678901234567890]", "0.1", "1e+300",
      "\"a\\\"\\n\\u0001é😀\"",
      "[]", "{}", "[1,[2,{\"b\":1,\"a\":[]}]]",
    ])
  func roundTrip(text: String) throws {
    #expect(try JSONValue.parse(text).jsonText == text)
    let pretty = try JSONValue.parse(text).prettyJSONText
    #expect(try JSONValue.parse(pretty) == JSONValue.parse(text))
  }

  @Test(
    "What isn't JSON is refused with its place",
    arguments: [
      ("", 1, 1), ("{\"a\":1,}", 1, 8), ("[1,\n2,\n x]", 3, 2), ("01", 1, 1), ("\"a", 1, 3),
      ("NaN", 1, 1), ("1 2", 1, 3), ("[1e999]", 1, 2), ("\"\u{1}\"", 1, 2),
      ("00000000000000000000", 1, 1), ("[" + String(repeating: "9", count: 4301) + "]", 1, 2),
    ])
  func faults(text: String, line: Int, column: Int) {
    let error = #expect(throws: JSONError.self) { try JSONValue.parse(text) }
    #expect(error?.line == line && error?.column == column)
  }

  @Test(
    "An integer beyond 64 bits keeps its digits, is rounded as a double, and is no 64-bit integer")
  func largeIntegers() throws {
    let value = try JSONValue.parse("18446744073709551617")
    #expect(
      value.double == 0x1p64 && value.integer == nil && value.jsonText == "18446744073709551617")
    #expect(try value != JSONValue.parse("18446744073709551616"))
    #expect(try JSONValue.parse("-9223372036854775808") == .integer(.min))
    #expect(try JSONValue.parse("[-0]") == [0])
    let digits = String(repeating: "9", count: LargeInteger.digitLimit)
    let longest = try JSONValue.parse(digits)
    #expect(longest.jsonText == digits && longest.double == nil, "beyond every double")
    for text in ["", "-", "007", "1.5", "１", "+1"] { #expect(LargeInteger(text) == nil) }
  }

  @Test("A lone surrogate becomes the replacement character, a pair its character")
  func surrogates() throws {
    #expect(try JSONValue.parse("\"\\ud83d\\ude00\"").string == "😀")
    #expect(try JSONValue.parse("\"\\ud83dx\"").string == "\u{FFFD}x")
  }

  @Test("Deep nesting is refused, not followed")
  func depth() {
    #expect(throws: JSONError.self) {
      try JSONValue.parse(String(repeating: "[", count: 1_000_000))
    }
  }

  @Test("Numbers that aren't finite are written as null")
  func nonfinite() {
    #expect(JSONValue.array([.number(.nan), .number(.infinity)]).jsonText == "[null,null]")
  }
}
