// How long the completion is, L, in tokens, words or characters.
//
//   length:         r = max(0, 1 − |L − target| / tolerance)
//   soft_overlong:  r = 0                               for L ≤ max − cache
//                       (max − cache − L) / cache       for max − cache < L ≤ max
//                       −1                              for L > max        (DAPO, eq. 13)
//   cosine_length:  r = to + ½·(from − to)·(1 + cos(π·L/max)), from at L = 0, to at L = max,
//                   with one pair for right and one for wrong answers; `exceeds` at L ≥ max
import Foundation
import RewardKit

/// What a length counts.
private enum LengthUnit: String {
  case tokens, words, characters

  /// - Throws: `UnknownTokens` where tokens are counted and the completion is a text that no tokenizer read.
  func length(of completion: Completion) throws -> Double {
    switch self {
    case .tokens: return Double(try completion.knownTokens.count)
    case .words: return Double(completion.text.split(whereSeparator: \.isWhitespace).count)
    case .characters: return Double(completion.text.unicodeScalars.count)
    }
  }

  static let parameter = RewardParameter(
    "unit", .choice(["tokens", "words", "characters"]), default: "tokens", "what is counted")
}

/// Rewards a length near a target.
struct LengthTarget: BuiltInReward {
  static let about = BuiltInDescription(
    name: "length", summary: "1 at a target length, falling to 0 at its tolerance",
    category: .form,
    parameters: [
      RewardParameter("target", .number(0...1e9), default: nil, "the wanted length"),
      RewardParameter(
        "tolerance", .number(1e-6...1e9), default: nil, "the distance at which nothing is left"),
      LengthUnit.parameter,
    ])

  private let target: Double
  private let tolerance: Double
  private let unit: LengthUnit

  init(parameters: RewardParameters) {
    target = parameters.number("target")
    tolerance = parameters.number("tolerance")
    unit = LengthUnit(rawValue: parameters.text("unit")) ?? .tokens
  }

  var range: ClosedRange<Double>? { 0...1 }

  func score(_ completion: Completion, for problem: Problem) throws -> Score {
    let length = try unit.length(of: completion)
    return Score(max(0, 1 - abs(length - target) / tolerance), log: ["length": .number(length)])
  }

  func goldCompletion(for problem: Problem) -> String? { nil }
}

/// Punishes the approach to the limit of length, softly.
struct SoftOverlong: BuiltInReward {
  static let about = BuiltInDescription(
    name: "soft_overlong", summary: "0 for short, falling to −1 towards the greatest length",
    category: .form,
    parameters: [
      RewardParameter(
        "max_completion_length", .number(1...1e9), default: nil, "the length that gets −1"),
      RewardParameter("cache", .number(0...1e9), default: nil, "where before it the fall begins"),
      LengthUnit.parameter,
    ],
    source: "DAPO (arXiv 2503.14476), equation 13")

  private let longest: Double
  private let cache: Double
  private let unit: LengthUnit

  init(parameters: RewardParameters) throws(RewardParameterError) {
    longest = parameters.number("max_completion_length")
    cache = parameters.number("cache")
    unit = LengthUnit(rawValue: parameters.text("unit")) ?? .tokens
    guard cache <= longest else {
      throw RewardParameterError([
        "parameter \"cache\" is \(cache), more than max_completion_length, \(longest)"
      ])
    }
  }

  var range: ClosedRange<Double>? { -1...0 }

  func score(_ completion: Completion, for problem: Problem) throws -> Score {
    let length = try unit.length(of: completion)
    let free = longest - cache
    if length <= free { return Score(0) }
    return Score(length > longest ? -1 : (free - length) / cache)
  }

  func goldCompletion(for problem: Problem) -> String? { "x" }
}

/// Rewards short right answers and long wrong ones, along a cosine.
struct CosineLength: BuiltInReward {
  static let about = BuiltInDescription(
    name: "cosine_length",
    summary: "right answers score more when short, wrong ones when long, along a cosine",
    category: .answer, columns: ["answer"],
    parameters: [
      RewardParameter(
        "max_length", .number(1...1e9), default: 1000, "the length at the cosine's end"),
      RewardParameter("right_short", .number(-1e9...1e9), default: 1.0, "right, at length 0"),
      RewardParameter("right_long", .number(-1e9...1e9), default: 0.5, "right, at max_length"),
      RewardParameter("wrong_short", .number(-1e9...1e9), default: -1.0, "wrong, at length 0"),
      RewardParameter("wrong_long", .number(-1e9...1e9), default: -0.5, "wrong, at max_length"),
      RewardParameter(
        "exceeds", .number(-1e9...1e9), default: .null,
        "the score at max_length and beyond; null goes on with the cosine's end"),
      RewardParameter(
        "judge", .choice(["numeric", "math", "exact_match"]), default: "numeric",
        "which built-in says whether the answer is right, with its default settings"),
      LengthUnit.parameter,
    ],
    source: "Yeo et al. 2025 (arXiv 2502.03373) §4; defaults as open-r1's get_cosine_scaled_reward")

  private let judge: any BuiltInReward
  private let longest: Double
  private let right: (short: Double, long: Double)
  private let wrong: (short: Double, long: Double)
  private let exceeds: Double?
  private let unit: LengthUnit

  init(parameters: RewardParameters) throws(RewardParameterError) {
    switch parameters.text("judge") {
    case "math":
      judge = try MathAnswer(parameters: .init([:], declared: MathAnswer.about.parameters))
    case "exact_match":
      judge = try ExactMatch(parameters: .init([:], declared: ExactMatch.about.parameters))
    default: judge = try Numeric(parameters: .init([:], declared: Numeric.about.parameters))
    }
    longest = parameters.number("max_length")
    right = (parameters.number("right_short"), parameters.number("right_long"))
    wrong = (parameters.number("wrong_short"), parameters.number("wrong_long"))
    exceeds = parameters.optionalNumber("exceeds")
    unit = LengthUnit(rawValue: parameters.text("unit")) ?? .tokens
  }

  var range: ClosedRange<Double>? {
    let bounds = [right.short, right.long, wrong.short, wrong.long] + [exceeds].compactMap(\.self)
    return (bounds.min() ?? 0)...(bounds.max() ?? 0)
  }

  func score(_ completion: Completion, for problem: Problem) throws -> Score {
    let verdict = try judge.score(completion, for: problem).value
    let length = try unit.length(of: completion)
    let parts = ["right": verdict, "length": length]
    if let exceeds, length >= longest { return Score(exceeds, parts: parts) }
    let ends = verdict > 0 ? right : wrong
    let phase = cos(Double.pi * min(length, longest) / longest)
    return Score(ends.long + 0.5 * (ends.short - ends.long) * (1 + phase), parts: parts)
  }

  func goldCompletion(for problem: Problem) -> String? { judge.goldCompletion(for: problem) }
}
