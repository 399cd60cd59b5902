// 1 where the completion is the answer, else 0.
//
//   r = [ normal(completion) = normal(answer) ]
//
// normal() trims white space; with `ignore_case` it lowers the case, with `ignore_punctuation` it
// drops punctuation, with `collapse_space` it joins words by single spaces. With `form` the part
// "form" is 1 where what is compared matches that expression, else 0.
import RewardKit

/// Rewards a completion that is the answer, letter for letter.
struct ExactMatch: BuiltInReward {
  static let about = BuiltInDescription(
    name: "exact_match", summary: "1 where the completion is the answer, else 0",
    category: .answer, columns: ["answer"],
    parameters: [
      RewardParameter("ignore_case", .flag, default: false, "compares in lower case"),
      RewardParameter("ignore_punctuation", .flag, default: false, "leaves punctuation out"),
      RewardParameter("collapse_space", .flag, default: true, "joins words by single spaces"),
      RewardParameter(
        "extract", .choice(["all", "answer_tag", "last_line"]), default: "all",
        "what is compared: the whole text, the content of <answer>…</answer>, or the last line"),
      RewardParameter(
        "form", .text, default: .null,
        "a regular expression that an answer in the right form matches from end to end; evaluations "
          + "then tell a wrong form from a wrong answer"),
    ],
    source: "SQuAD's exact match (Rajpurkar et al. 2016), each normalisation a setting")

  private let ignoresCase: Bool
  private let ignoresPunctuation: Bool
  private let collapsesSpace: Bool
  private let extract: String
  private let form: Pattern?

  init(parameters: RewardParameters) throws(RewardParameterError) {
    ignoresCase = parameters.flag("ignore_case")
    ignoresPunctuation = parameters.flag("ignore_punctuation")
    collapsesSpace = parameters.flag("collapse_space")
    extract = parameters.text("extract")
    if let source = parameters.optionalText("form") {
      form = try Pattern("(?:\(source))\\Z")
    } else {
      form = nil
    }
  }

  var range: ClosedRange<Double>? { 0...1 }

  func score(_ completion: Completion, for problem: Problem) throws -> Score {
    let answers = try problem.answers()
    guard let found = extracted(from: completion.text) else { return Score(0, parts: parts("")) }
    let given = normal(found)
    return Score(answers.contains { normal($0) == given } ? 1 : 0, parts: parts(given))
  }

  private func parts(_ text: String) -> [String: Double] {
    guard let form else { return [:] }
    let scalars = text.unicodeScalars.map(\.value)
    return ["form": form.firstMatch(in: scalars, anchored: true) == nil ? 0 : 1]
  }

  func goldCompletion(for problem: Problem) -> String? {
    guard let answer = try? problem.answers().first else { return nil }
    return extract == "answer_tag" ? "<answer>\(answer)</answer>" : answer
  }

  private func extracted(from text: String) -> String? {
    switch extract {
    case "answer_tag": return text.onlyContent(ofTag: "answer")
    case "last_line": return text.split(whereSeparator: \.isNewline).last.map(String.init) ?? ""
    default: return text
    }
  }

  private func normal(_ text: String) -> String {
    var text = ignoresCase ? text.lowercased() : text
    if ignoresPunctuation { text = text.filter { !$0.isPunctuation } }
    return collapsesSpace
      ? text.split(whereSeparator: \.isWhitespace).joined(separator: " ") : text.trimmed()
  }
}
