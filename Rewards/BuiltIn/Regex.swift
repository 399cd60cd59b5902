// A regular expression over the completion:
//
//   one match wanted:  r = [ the pattern occurs ]            (`whole`: is the whole text)
//   several wanted:    r = min(n, full) / full               n: matches, repeats counted
//   with `group`:      r = [ the group's text is the answer ]
import RewardKit

/// Rewards completions in which a pattern occurs.
struct RegexReward: BuiltInReward {
  static let about = BuiltInDescription(
    name: "regex", summary: "1 where a pattern occurs; or the share of wanted matches",
    category: .form,
    parameters: [
      RewardParameter("pattern", .text, default: nil, "the regular expression"),
      RewardParameter("whole", .flag, default: false, "whether it must match the whole text"),
      RewardParameter("ignore_case", .flag, default: false, "whether case doesn't count"),
      RewardParameter("multiline", .flag, default: false, "whether ^ and $ match at every line"),
      RewardParameter("dot_all", .flag, default: true, "whether . matches the ends of lines"),
      RewardParameter(
        "full", .integer(1...1000), default: 1, "how many matches give the full score"),
      RewardParameter(
        "group", .integer(0...99), default: 0,
        "a group whose text must be the column \"answer\"; 0 for none"),
    ],
    source: "Pike's machine (Cox 2007): linear in the text; no look-around, no back-references")

  private let pattern: Pattern
  private let isWhole: Bool
  private let full: Int
  private let group: Int

  init(parameters: RewardParameters) throws(RewardParameterError) {
    let source = parameters.text("pattern")
    isWhole = parameters.flag("whole")
    full = parameters.integer("full")
    group = parameters.integer("group")
    pattern = try Pattern(
      isWhole ? "(?:\(source))\\Z" : source, ignoresCase: parameters.flag("ignore_case"),
      isMultiline: parameters.flag("multiline"), isDotAll: parameters.flag("dot_all"))
    guard group <= pattern.groups else {
      throw RewardParameterError([
        "parameter \"group\" is \(group), and the pattern has \(pattern.groups) groups"
      ])
    }
  }

  var range: ClosedRange<Double>? { 0...1 }

  func score(_ completion: Completion, for problem: Problem) throws -> Score {
    let text = completion.text.unicodeScalars.map(\.value)
    if group > 0 {
      let answers = try problem.answers()
      guard let range = pattern.firstMatch(in: text, anchored: isWhole)?.ranges[group] else {
        return Score(0)
      }
      let found = String(
        String.UnicodeScalarView(text[range].compactMap(Unicode.Scalar.init))
      ).trimmed()
      return Score(
        answers.contains { $0.trimmed() == found } ? 1 : 0, log: ["found": .string(found)])
    }
    if full == 1 || isWhole {
      return Score(pattern.firstMatch(in: text, anchored: isWhole) == nil ? 0 : 1)
    }
    let count = pattern.count(in: text, limit: full)
    return Score(Double(count) / Double(full), log: ["matches": .integer(Int64(count))])
  }

  func goldCompletion(for problem: Problem) -> String? { nil }
}
