// Cheerful words, as a reward plugin in Swift: min(5, n)/5 for n cheerful words, repeats counted.
//
//   grpo train --reward Rewards/cheerful-words-swift
import RewardKit

@main struct CheerfulWords: RewardPlugin {
  static let name = "cheerful-words"
  static let range: ClosedRange<Double>? = 0...1
  static let cheerful: Set<Substring> = [
    "happy", "smiled", "smile", "love", "loved", "fun", "play", "played", "good", "nice",
    "laughed", "hug", "hugged", "friend", "friends",
  ]

  init(parameters: RewardParameters) {}

  func score(_ completion: Completion, for problem: Problem) -> Score {
    let words = completion.text.lowercased().split { !("a"..."z").contains($0) }
    return Score(Double(min(5, words.count(where: Self.cheerful.contains))) / 5)
  }
}
