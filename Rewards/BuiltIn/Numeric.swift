// 1 where the completion's number is the answer's, else 0.
//
// strict:   the answer is marked exactly once, and what is marked is a number and nothing else.
// lenient:  the last marked text's first number, or without a mark the last number of the text; an
//           answer said three times in a row is none.
//
// An answer that is a word (GSM-Plus: "None", where the question can't be answered) is compared as
// text with what is marked.
//
// Both are computed and logged as parts; `mode` says which is the score.
import RewardKit

/// Rewards the right number, as in GSM8K.
public struct Numeric: BuiltInReward {
  public static let about = BuiltInDescription(
    name: "numeric", summary: "1 where the number stated is the answer, else 0",
    category: .answer, columns: ["answer"],
    parameters: [
      RewardParameter(
        "mode", .choice(["strict", "lenient"]), default: "strict",
        "strict: marked once, nothing but a number; lenient: last mark or last number"),
      RewardParameter(
        "marks", .texts, default: ["hashes", "boxed", "tag", "words"],
        "kinds of marks, by priority: hashes (####), boxed, tag (<answer>), words (A:, answer is)"),
      RewardParameter(
        "tolerance", .number(0...1), default: 1e-6,
        "relative error allowed where either number is not whole"),
    ],
    source: "GSM8K's extraction (Cobbe et al. 2021), kept apart as in verl's strict and flexible")

  private let isStrict: Bool
  private let marks: [AnswerMark]
  private let tolerance: Double

  public init(parameters: RewardParameters) throws(RewardParameterError) {
    isStrict = parameters.text("mode") == "strict"
    tolerance = parameters.number("tolerance")
    marks = parameters.texts("marks").compactMap(AnswerMark.init(rawValue:))
    guard marks.count == parameters.texts("marks").count, !marks.isEmpty else {
      let known = AnswerMark.allCases.map(\.rawValue).joined(separator: ", ")
      throw RewardParameterError(["parameter \"marks\" takes a list of: \(known)"])
    }
  }

  public var range: ClosedRange<Double>? { 0...1 }

  public func score(_ completion: Completion, for problem: Problem) throws -> Score {
    let answers = try problem.answers()
    let stated = StatedAnswer(in: completion.text, marks: marks)
    let strict = strictNumber(stated)
    let lenient = lenientNumber(stated, in: completion.text)
    var parts = ["strict": 0.0, "lenient": 0.0]
    for answer in answers {
      guard let gold = Self.gold(answer) else {
        let isStated = Self.states(stated, answer)
        parts = parts.mapValues { isStated ? 1 : $0 }
        continue
      }
      if let strict, equal(strict, gold, strictly: true) { parts["strict"] = 1 }
      if let lenient, equal(lenient, gold, strictly: false) { parts["lenient"] = 1 }
    }
    var log = JSONObject()
    if let found = isStrict ? strict : lenient { log["found"] = .number(found.value) }
    return Score(parts[isStrict ? "strict" : "lenient"] ?? 0, parts: parts, log: log)
  }

  public func goldCompletion(for problem: Problem) -> String? {
    guard let answer = try? problem.answers().first else { return nil }
    // A whole worked solution, as GSM8K's answers are, is its own gold completion.
    if StatedAnswer(in: answer, marks: marks) != nil { return answer }
    switch marks.first {
    case .boxed: return "\\boxed{\(answer)}"
    case .tag: return "<answer>\(answer)</answer>"
    case .words: return "A: \(answer)"
    default: return "#### \(answer)"
    }
  }

  /// The number of a row's answer: a bare number, or that of a worked solution.
  static func gold(_ answer: String) -> WrittenNumber? {
    if let number = NumberReader(answer).whole { return number }
    if let stated = StatedAnswer(in: answer, marks: AnswerMark.allCases) {
      return NumberReader(stated.text).whole ?? NumberReader(stated.text).all.first
    }
    return NumberReader(answer).all.last
  }

  /// Whether the word that is the answer is marked, once.
  private static func states(_ stated: StatedAnswer?, _ answer: String) -> Bool {
    guard let stated, stated.count == 1 else { return false }
    var given = stated.text.trimmed().lowercased()
    if given.hasSuffix(".") { given.removeLast() }
    return given == answer.trimmed().lowercased()
  }

  private func strictNumber(_ stated: StatedAnswer?) -> WrittenNumber? {
    guard let stated, stated.count == 1 else { return nil }
    return NumberReader(stated.text).whole
  }

  private func lenientNumber(_ stated: StatedAnswer?, in text: String) -> WrittenNumber? {
    if let stated {
      guard !stated.isRepeated else { return nil }
      if let number = NumberReader(stated.text).all.first { return number }
    }
    let reader = NumberReader(text)
    let last = reader.all.suffix(3)
    guard let number = last.last else { return nil }
    if last.count == 3, last.allSatisfy({ $0.value == number.value }) {
      let (a, b, c) = (last[last.startIndex], last[last.startIndex + 1], number)
      if reader.onlyPunctuation(between: a, and: b), reader.onlyPunctuation(between: b, and: c) {
        return nil
      }
    }
    return number
  }

  private func equal(_ given: WrittenNumber, _ gold: WrittenNumber, strictly: Bool) -> Bool {
    if given.equals(gold.value, tolerance: tolerance) { return true }
    guard !strictly, given.isPercent != gold.isPercent else { return false }
    let factor = given.isPercent ? 0.01 : 100
    return WrittenNumber(value: given.value * factor, place: given.place)
      .equals(gold.value, tolerance: tolerance)
  }
}
