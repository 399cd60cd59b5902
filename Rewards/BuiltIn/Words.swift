// Words in the completion:
//
//   contains:   r = share of the wanted texts that occur, and 0 where a forbidden one does
//   word_list:  r = min(n, full) / full     n: words of the list, repeats counted
//
// A word is a longest run of letters in the lower-cased text ([a-z]+ with letters of any script).
import RewardKit

/// Rewards completions that contain texts.
struct Contains: BuiltInReward {
  static let about = BuiltInDescription(
    name: "contains", summary: "the share of the wanted texts that occur; 0 with a forbidden one",
    category: .form,
    parameters: [
      RewardParameter("texts", .texts, default: nil, "what is wanted"),
      RewardParameter("any", .flag, default: false, "whether one of them is enough"),
      RewardParameter("without", .texts, default: [], "what must not occur"),
      RewardParameter("ignore_case", .flag, default: false, "whether case doesn't count"),
    ])

  private let texts: [String]
  private let forbidden: [String]
  private let isAnyEnough: Bool
  private let ignoresCase: Bool

  init(parameters: RewardParameters) throws(RewardParameterError) {
    ignoresCase = parameters.flag("ignore_case")
    isAnyEnough = parameters.flag("any")
    let lower = ignoresCase
    texts = parameters.texts("texts").map { lower ? $0.lowercased() : $0 }
    forbidden = parameters.texts("without").map { lower ? $0.lowercased() : $0 }
    guard !texts.isEmpty, !(texts + forbidden).contains("") else {
      throw RewardParameterError(["parameter \"texts\" takes texts that aren't empty"])
    }
  }

  var range: ClosedRange<Double>? { 0...1 }

  func score(_ completion: Completion, for problem: Problem) -> Score {
    let text = ignoresCase ? completion.text.lowercased() : completion.text
    if forbidden.contains(where: { text.contains($0) }) { return Score(0) }
    let found = texts.count { text.contains($0) }
    return Score(isAnyEnough ? (found > 0 ? 1 : 0) : Double(found) / Double(texts.count))
  }

  func goldCompletion(for problem: Problem) -> String? { texts.joined(separator: " ") }
}

/// Rewards words of a list.
struct WordList: BuiltInReward {
  static let about = BuiltInDescription(
    name: "word_list", summary: "min(n, full)/full for n words of a list, repeats counted",
    category: .form,
    parameters: [
      RewardParameter("words", .texts, default: nil, "the list; case doesn't count"),
      RewardParameter("full", .integer(1...100_000), default: 5, "how many give the full score"),
      RewardParameter("distinct", .flag, default: false, "whether a repeated word counts once"),
    ])

  private let words: Set<String>
  private let full: Int
  private let isDistinct: Bool

  init(parameters: RewardParameters) throws(RewardParameterError) {
    words = Set(parameters.texts("words").map { $0.lowercased() })
    full = parameters.integer("full")
    isDistinct = parameters.flag("distinct")
    guard !words.isEmpty, words.allSatisfy({ $0.allSatisfy(\.isLetter) && !$0.isEmpty }) else {
      throw RewardParameterError(["parameter \"words\" takes words made of letters"])
    }
  }

  var range: ClosedRange<Double>? { 0...1 }

  func score(_ completion: Completion, for problem: Problem) -> Score {
    let found = completion.text.lowercased().split { !$0.isLetter }.map(String.init)
      .filter(words.contains)
    let count = isDistinct ? Set(found).count : found.count
    return Score(
      Double(min(count, full)) / Double(full), log: ["words": .integer(Int64(count))])
  }

  func goldCompletion(for problem: Problem) -> String? {
    let list = words.sorted()
    return (0..<full).map { list[$0 % list.count] }.joined(separator: " ")
  }
}
