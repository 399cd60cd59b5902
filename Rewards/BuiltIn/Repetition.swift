// How much the completion repeats itself:
//
//   r = −penalty · (1 − distinct n-grams / n-grams)      over words in lower case; 0 below n words
import RewardKit

/// Punishes repeated n-grams.
struct Repetition: BuiltInReward {
  static let about = BuiltInDescription(
    name: "repetition", summary: "0 without repeats, towards −penalty the more n-grams repeat",
    category: .form,
    parameters: [
      RewardParameter("n", .integer(1...64), default: 3, "words of an n-gram"),
      RewardParameter("penalty", .number(0...1e9), default: 1.0, "the greatest loss"),
      RewardParameter(
        "unit", .choice(["words", "tokens", "characters"]), default: "words", "what repeats"),
    ],
    source: "Yeo et al. 2025 (arXiv 2502.03373) appendix B; open-r1's get_repetition_penalty_reward"
  )

  private let n: Int
  private let penalty: Double
  private let unit: String

  init(parameters: RewardParameters) {
    n = parameters.integer("n")
    penalty = parameters.number("penalty")
    unit = parameters.text("unit")
  }

  var range: ClosedRange<Double>? { -penalty...0 }

  func score(_ completion: Completion, for problem: Problem) throws -> Score {
    let share: Double
    switch unit {
    case "tokens": share = repeatedShare(try completion.knownTokens)
    case "characters": share = repeatedShare(Array(completion.text.unicodeScalars))
    default:
      share = repeatedShare(completion.text.lowercased().split(whereSeparator: \.isWhitespace))
    }
    // 0, never −0.
    return Score(share == 0 ? 0 : -penalty * share, parts: ["repeated": share])
  }

  func goldCompletion(for problem: Problem) -> String? { "x" }

  private func repeatedShare<Element: Hashable>(_ elements: [Element]) -> Double {
    guard elements.count >= n else { return 0 }
    let total = elements.count - n + 1
    // Equal elements get equal numbers, so that an n-gram is compared as numbers.
    var numbers: [Element: Int] = [:]
    let coded = elements.map { element in
      numbers[element]
        ?? {
          numbers[element] = numbers.count
          return numbers.count - 1
        }()
    }
    var seen = Set<ArraySlice<Int>>()
    for start in 0..<total { seen.insert(coded[start..<(start + n)]) }
    return 1 - Double(seen.count) / Double(total)
  }
}
