import Rollouts
import TestSupport

@testable import Commands
@testable import Training

/// Draws what people, scripts and mistakes write at the ends of what may be written: least and greatest numbers,
/// nothing, far too much, and legal values between.
struct BoundaryWords {
  private var random: ByteMutator
  /// Names of files that are there.
  var files: [String]
  /// The greatest whole number that a legal value may be: work that is legal and long proves nothing.
  var longest = Int.max

  init(seed: UInt64, files: [String]) {
    random = ByteMutator(seed: seed)
    self.files = files
  }

  mutating func below(_ limit: Int) -> Int { random.below(limit) }

  mutating func one<Element>(of list: [Element]) -> Element { list[random.below(list.count)] }

  private static let integers = [
    Int.min, Int.min + 1, -4_294_967_297, -1, 0, 1, 2, 3, 7, 255, 256, 65_536, 2_147_483_648,
    1 << 53, 1 << 62, .max - 1, .max,
  ]
  private static let numbers = [
    "nan", "inf", "-inf", "1e400", "-0.0", "5e-324", "1e-46", "2.2250738585072014e-308",
    "1.7976931348623157e308", "3.5e38", "-9223372036854775808", "9223372036854775807", "0", "1",
    "0.5", "0.9999999999999999", "-1", "1e9", "0x1p3", "1_0", "", "1e", "99999999999999999999",
  ]
  private static let texts = [
    "", " ", "none", "-", "=", "a=b", "x=1e308", "[", "{", "{}", "[]", "null", "a,b", ",", ":",
    "a:b",
    "true", "0", "-1", ".", "/", "/dev/null", "nowhere", "\u{1B}[2J", "\u{202E}", "é\u{301}", "日本",
    "=-9223372036854775808", "[9223372036854775807:]", "[0:0]", "{use: \"length\"}", "*", "1 1",
    "\n",
    "{\"match\": \"*\", \"learning_rate\": 1e400}", "[-9223372036854775808]", "nan=nan",
    "9223372036854775808",
    String(repeating: "x", count: 5000), String(repeating: "[", count: 3000),
  ]

  /// A word for an option or a positional of a kind; about half are legal.
  mutating func word(_ kind: ArgumentKind) -> String {
    switch kind {
    case .flag: return ""
    case .boolean: return one(of: ["true", "false", "1", "no", "maybe", ""])
    case .integer(let range): return "\(integer(in: range))"
    case .number(let range):
      let ends = [range.lowerBound, range.upperBound, range.lowerBound.nextUp].map { "\($0)" }
      return random.below(2) == 0 ? one(of: ends) : one(of: Self.numbers)
    case .choice(let names): return random.below(4) == 0 ? text() : one(of: names)
    case .text, .path: return text()
    }
  }

  private mutating func integer(in range: ClosedRange<Int>) -> Int {
    let ends = [
      range.lowerBound, range.upperBound, range.lowerBound +| 1, range.lowerBound -| 1,
      range.upperBound -| 1, range.upperBound +| 1,
    ]
    let drawn = random.below(2) == 0 ? one(of: ends) : one(of: Self.integers)
    return range.contains(drawn) && drawn > longest ? max(range.lowerBound, longest) : drawn
  }

  private mutating func text() -> String {
    switch random.below(4) {
    case 0: one(of: files)
    // A file with a slice or a weight.
    case 1:
      one(of: files)
        + one(
          of: [
            "=0.01", "=5e-324", "=1e300", "[1:]", "[0:9223372036854775807]", "[:-1]", "=0",
            "[9223372036854775807:]=2", "=-1",
          ])
    default: one(of: Self.texts)
    }
  }

  /// A value of a setting for a config file: of its kind or of another.
  mutating func json(_ kind: SettingKind) -> JSONValue {
    if random.below(4) == 0 {
      return one(of: [
        .null, .bool(true), .string(""), .array([]), .object([:]), .integer(.min), .integer(.max),
        .number(1.5), .array([.null]), .array([.integer(.min)]), .object(["use": .integer(.min)]),
      ])
    }
    switch kind {
    case .boolean: return .bool(random.below(2) == 0)
    case .integer(let range): return .integer(Int64(integer(in: range)))
    case .number(let range):
      return .number(
        one(of: [
          range.lowerBound, range.upperBound, range.lowerBound.nextDown, 0.5, -0.0,
          .leastNonzeroMagnitude,
        ]))
    case .choice(let names): return .string(one(of: names))
    case .bytes: return one(of: [.integer(1), .integer(.max), .string("1e300 TiB"), .string("1b")])
    case .text, .path: return .string(text())
    case .object: return .object([text(): .integer(.min), "enable_thinking": .bool(false)])
    case .list, .values: return .array((0...random.below(2)).map { _ in .string(text()) })
    }
  }
}
