import Rollouts
import Testing

@testable import Training

@Suite("JSON5")
struct JSON5Tests {
  @Test(
    "What JSON5 adds to JSON is read",
    arguments: [
      ("{a: 1, // x\n 'b': \"y\", /* z */ c: [1, 2,],}", "{\"a\":1,\"b\":\"y\",\"c\":[1,2]}"),
      ("[+1, -2, .5, 5., 0x1F, -0x10, 1e-6, 1E3]", "[1,-2,0.5,5.0,31,-16,1e-06,1000.0]"),
      ("'it\\'s \\x41\\u00e9\\\nb'", "\"it's Aéb\""),
      ("'\\ud83d\\ude00'", "\"😀\""),
      ("\u{FEFF}{}", "{}"), ("[]", "[]"), ("null", "null"),
      ("{a:{b:[{}]}}", "{\"a\":{\"b\":[{}]}}"),
      ("9223372036854775807", "9223372036854775807"),
      ("-98765432109876543210", "-98765432109876543210"),
    ])
  func reading(text: String, json: String) throws {
    #expect(try JSON5.parse(text).jsonText == json)
  }

  @Test(
    "Faults name their line and column",
    arguments: [
      ("", "line 1, column 1: the text ends where a value was expected"),
      ("{a: 1,\n b: tru}", "line 2, column 5: expected a value; a text stands in quotes: \"tru\""),
      ("{a: 1\n b: 2}", "line 2, column 2: expected ',' or '}' after a member"),
      ("{a = 1}", "line 1, column 4: expected ':' after 'a', not '='"),
      ("{a: 'x\n'}", "line 1, column 5: this text has no end on its line"),
      ("{a: 1} x", "line 1, column 8: unexpected text after the value"),
      ("{\n# no\n}", "line 2, column 1: '#' begins no comment in JSON5; use //"),
      ("/* no end", "line 1, column 1: this comment has no end"),
      ("[NaN]", "line 1, column 2: NaN is not a value that a setting takes"),
      ("[1e999]", "line 1, column 2: the number 1e999 is too large"),
      ("[1.2.3]", "line 1, column 2: '1.2.3' is not a number"),
      ("[-]", "line 1, column 2: expected a number"),
      ("{", "line 1, column 2: the text ends inside an object"),
      ("'\\ud800x'", "line 1, column 8: a high surrogate needs a low one after it"),
    ])
  func faults(text: String, message: String) {
    let error = #expect(throws: JSONError.self) { try JSON5.parse(text) }
    #expect(error?.description == message)
  }

  @Test("Deep nesting is refused, not followed")
  func depth() {
    let text = String(repeating: "[", count: 100_000)
    let error = #expect(throws: JSONError.self) { try JSON5.parse(text) }
    #expect(error?.reason == "nested more than 256 deep")
  }

  @Test("Lines of members and repeated keys are kept")
  func places() throws {
    let document = try JSON5.document("{a: 1,\n b: [\n {c: 2}],\n a: 3}")
    #expect(document.lines["b"] == 2)
    #expect(document.lines["b[0].c"] == 3)
    #expect(document.duplicates.map(\.path) == ["a"])
    #expect(document.duplicates.first?.first == 1)
    #expect(document.duplicates.first?.second == 4)
  }

  @Test("Any bytes are read or refused", arguments: 0..<40)
  func mutations(seed: Int) {
    var state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 | 1
    func random(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    let seedText = Array(
      "{a: [1, -2.5e3, 'x\\u00e9', {b: null}], /* c */ \"d\": true, // e\n}".utf8)
    for _ in 0..<250 {
      var bytes = seedText
      for _ in 0..<(1 + random(4)) {
        switch random(3) {
        case 0: bytes[random(bytes.count)] = UInt8(random(256))
        case 1: bytes.remove(at: random(bytes.count))
        default: bytes.insert(bytes[random(bytes.count)], at: random(bytes.count))
        }
      }
      _ = try? JSON5.parse(String(decoding: bytes, as: UTF8.self))
    }
  }
}
