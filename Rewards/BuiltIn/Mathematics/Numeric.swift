// 1 where the completion's number is the answer's, else 0.
//
// strict:   every mark holds the same number, and nothing but a number.
// lenient:  the last marked text's first number, or without a mark the last number of the text; an
//           operand, as the 2 of 20 − 2, is none, nor is a bare number three times in a row.
//
// An answer that is a word (GSM-Plus: "None", where the question can't be answered) or a time is
// compared as text with what is marked. Any other answer that is not a number makes its row unscorable.
//
// Both are computed and logged as parts; `mode` says which is the score.
import RewardKit

/// Rewards the right number, as in GSM8K.
struct Numeric: BuiltInReward {
  static let about = BuiltInDescription(
    name: "numeric", summary: "1 where the number stated is the answer, else 0",
    category: .answer, columns: ["answer"],
    parameters: [
      RewardParameter(
        "mode", .choice(["strict", "lenient"]), default: "strict",
        "strict: every mark holds the same number and no more; lenient: last mark or last number"),
      RewardParameter(
        "marks", .texts, default: ["hashes", "boxed", "tag", "words"],
        "kinds of marks, by priority: hashes (####), boxed, tag (<answer>), words (A:, answer is)"),
      RewardParameter(
        "tolerance", .number(0...1), default: 1e-6,
        "relative error allowed where neither number is whole"),
      .markLimit,
    ],
    source: "GSM8K's extraction (Cobbe et al. 2021), kept apart as in verl's strict and flexible")

  private let isStrict: Bool
  private let marks: [AnswerMark]
  private let markLimit: Int
  private let tolerance: Double

  init(parameters: RewardParameters) throws(RewardParameterError) {
    isStrict = parameters.text("mode") == "strict"
    tolerance = parameters.number("tolerance")
    marks = try parameters.answerMarks()
    markLimit = parameters.markLimit
  }

  var range: ClosedRange<Double>? { 0...1 }

  func score(_ completion: Completion, for problem: Problem) throws -> Score {
    let golds = try Self.golds(of: problem)
    let stated = StatedAnswer(in: completion.text, marks: marks)
    let strict = strictNumber(stated)
    let lenient = lenientNumber(stated, in: completion.text)
    var parts = ["strict": 0.0, "lenient": 0.0]
    for gold in golds {
      switch gold {
      case .text(let text):
        let isStated = states(stated, text)
        parts = parts.mapValues { isStated ? 1 : $0 }
      case .number(let gold):
        if let strict, equal(strict, gold, strictly: true) { parts["strict"] = 1 }
        if let lenient, equal(lenient, gold, strictly: false) { parts["lenient"] = 1 }
      }
    }
    let value = parts[isStrict ? "strict" : "lenient"] ?? 0
    let found = isStrict ? strict : lenient
    var log = JSONObject()
    if let found { log["found"] = Self.logged(found.value) }
    return Score(
      value, parts: parts, log: log,
      reason: value == 1 ? "equal" : found == nil ? missing(stated) : "another number")
  }

  /// A number as the log keeps it: whole ones beyond 2⁵³ exactly, which a double is not.
  private static func logged(_ value: Rational) -> JSONValue {
    guard value.isWhole, value.magnitude.double >= 0x1p53, value.magnitude.double < 1e100,
      let exact = try? JSONValue.parse(value.description)
    else { return .number(value.double) }
    return exact
  }

  /// Why no number was found.
  private func missing(_ stated: StatedAnswer?) -> String {
    guard let stated else { return isStrict ? "no answer is marked" : "no number" }
    let count = stated.mark.counted(stated.count)
    if stated.repeats > markLimit {
      return "\(stated.mark.counted(stated.repeats)) with the same answer, mark_limit \(markLimit)"
    }
    if isStrict, !stated.others.isEmpty { return "\(count) that differ, strict" }
    return "what is marked is not a number"
  }

  func goldCompletion(for problem: Problem) -> String? {
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

  func fault(in problem: Problem) -> String? {
    do {
      _ = try Self.golds(of: problem)
      return nil
    } catch {
      return error.reason
    }
  }

  /// What a row's answer is compared as.
  enum Gold {
    case number(WrittenNumber)
    /// A word (GSM-Plus: "None"), or a time such as 10:30.
    case text(String)
  }

  private static func golds(of problem: Problem) throws(Unscorable) -> [Gold] {
    var golds: [Gold] = []
    for answer in try problem.answers() {
      guard let gold = gold(answer) else {
        throw Unscorable("answer '\(answer.prefix(60))' is not a number: use math")
      }
      golds.append(gold)
    }
    return golds
  }

  /// A bare number, that of a worked solution, or a word; nil for other mathematics.
  static func gold(_ answer: String) -> Gold? {
    if let number = NumberReader.whole(answer, allowingUnits: true) { return .number(number) }
    if let stated = StatedAnswer(in: answer, marks: AnswerMark.allCases),
      let number = NumberReader.whole(stated.text, allowingUnits: true)
        ?? NumberReader(stated.text).all.first
    {
      return .number(number)
    }
    guard let reading = try? MathReading(answer) else { return nil }
    switch reading.values.first {
    case .ratio?: return .text(answer)
    case .words?: return reading.plain.contains(where: \.isNumber) ? nil : .text(answer)
    default:
      let isWord = answer.unicodeScalars.allSatisfy { $0.properties.isAlphabetic || $0 == " " }
      return isWord ? .text(answer) : nil
    }
  }

  /// Whether the text that is the answer is marked, and nothing else.
  private func states(_ stated: StatedAnswer?, _ answer: String) -> Bool {
    guard let stated, stated.others.isEmpty, isWithinLimit(stated) else { return false }
    var given = stated.text.trimmed().lowercased()
    while given.last == "." || given.last == "!" { given.removeLast() }
    return given == answer.trimmed().lowercased()
  }

  private func isWithinLimit(_ stated: StatedAnswer) -> Bool {
    stated.repeats <= markLimit
  }

  /// What is marked without the exclamation marks of its sentence: "The answer is 5!" says 5, `\boxed{5!}` 120.
  private static func spoken(_ text: String, in mark: AnswerMark) -> String {
    guard mark != .boxed, text.trimmed().hasSuffix("!") else { return text }
    var text = text.trimmed()
    while let last = text.last, "!*".contains(last) { text.removeLast() }
    return text.last?.isNumber == true ? text : text + "!"
  }

  private func strictNumber(_ stated: StatedAnswer?) -> WrittenNumber? {
    guard let stated, isWithinLimit(stated),
      let number = NumberReader.whole(Self.spoken(stated.text, in: stated.mark))
    else { return nil }
    let agree = stated.others.allSatisfy { other in
      NumberReader.whole(Self.spoken(other, in: stated.mark)).map {
        $0.value == number.value && $0.isPercent == number.isPercent
      }
        ?? false
    }
    return agree ? number : nil
  }

  private func lenientNumber(_ stated: StatedAnswer?, in text: String) -> WrittenNumber? {
    if let stated {
      guard isWithinLimit(stated) else { return nil }
      let spoken = Self.spoken(stated.lastMark, in: stated.mark)
      if let number = NumberReader.whole(spoken, allowingUnits: true) { return number }
      if let number = NumberReader(stated.lastMark).all.first { return number }
    }
    let reader = NumberReader(text)
    let last = reader.all.suffix(3)
    guard let number = last.last, !reader.isOperand(number) else { return nil }
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
    return WrittenNumber(
      value: given.value.scaled(byTenTo: given.isPercent ? -2 : 2), place: given.place
    )
    .equals(gold.value, tolerance: tolerance)
  }
}
