// 1 where the marked answer is the row's, else 0.
//
// Both are read as mathematics (MathParser) and compared by what they denote (MathEquality).
//
// strict:   every mark holds the same answer
// lenient:  the last mark counts
import RewardKit

/// Rewards the right mathematical answer, as in MATH.
struct MathAnswer: BuiltInReward {
  static let about = BuiltInDescription(
    name: "math", summary: "1 where the boxed LaTeX answer is equal to the row's, else 0",
    category: .answer, columns: ["answer"],
    parameters: [
      RewardParameter(
        "mode", .choice(["strict", "lenient"]), default: "strict",
        "strict: every mark holds the same answer; lenient: the last mark counts"),
      RewardParameter(
        "marks", .texts, default: ["boxed", "tag"],
        "kinds of marks, by priority: boxed, tag (<answer>), hashes (####), words (answer is)"),
      .markLimit,
    ],
    source: "a reader of its own, held against the cases of math-verify's tests (Hugging Face 2025)"
  )

  /// The most different answers that are compared with one another.
  private static let mostAnswers = 8

  private let isStrict: Bool
  private let marks: [AnswerMark]
  private let markLimit: Int

  init(parameters: RewardParameters) throws(RewardParameterError) {
    isStrict = parameters.text("mode") == "strict"
    marks = try parameters.answerMarks()
    markLimit = parameters.markLimit
  }

  var range: ClosedRange<Double>? { 0...1 }

  func score(_ completion: Completion, for problem: Problem) throws -> Score {
    let golds = try Self.golds(of: problem)
    guard let stated = StatedAnswer(in: completion.text, marks: marks) else {
      return Score(0, reason: "no answer is marked")
    }
    let found: JSONObject = ["found": .string(String(stated.text.prefix(500)))]
    if stated.repeats > markLimit {
      let count = stated.mark.counted(stated.repeats)
      return Score(0, log: found, reason: "\(count) with the same answer, mark_limit \(markLimit)")
    }
    do throws(Unreadable) {
      var given = [try Self.reading(of: stated, allowingSentence: true)]
      if isStrict {
        guard agree(stated, with: given[0]) else {
          let count = stated.mark.counted(stated.count)
          return Score(0, log: found, reason: "\(count) that differ, strict")
        }
      } else if stated.lastMark != stated.text, let last = try? MathReading(stated.lastMark) {
        given.append(last)
      }
      let (isRight, reason) = Self.judged(given, golds)
      return Score(isRight ? 1 : 0, log: found, reason: reason)
    } catch {
      return Score(0, log: found, reason: "the answer cannot be read: \(error)")
    }
  }

  private func agree(_ stated: StatedAnswer, with given: MathReading) -> Bool {
    stated.others.count < Self.mostAnswers
      && stated.others.allSatisfy { other in
        guard let other = try? MathReading(other) else { return false }
        return MathEquality.verdict(gold: given, given: other) == .equal
      }
  }

  private static func judged(
    _ given: [MathReading], _ golds: [MathReading]
  ) -> (isRight: Bool, reason: String) {
    var reason = "another answer"
    for gold in golds {
      for answer in given {
        switch MathEquality.verdict(gold: gold, given: answer) {
        case .equal: return (true, "equal")
        case .undecided: reason = "whether the answers are equal could not be decided"
        case .different: break
        }
      }
    }
    return (false, reason)
  }

  func goldCompletion(for problem: Problem) -> String? {
    guard let answer = try? problem.answers().first else { return nil }
    if StatedAnswer(in: answer, marks: marks) != nil { return answer }
    return marks.first == .tag ? "<answer>\(answer)</answer>" : "\\boxed{\(answer)}"
  }

  func fault(in problem: Problem) -> String? {
    do {
      _ = try Self.golds(of: problem)
      return nil
    } catch {
      return error.reason
    }
  }

  /// What is marked: of marks side by side a list, or what all of them say: 1\frac12 or \frac32.
  private static func reading(
    of stated: StatedAnswer, allowingSentence: Bool
  ) throws(Unreadable) -> MathReading {
    if stated.parts.count > 1, stated.parts.count <= mostAnswers,
      let last = try? MathReading(stated.lastMark),
      stated.parts.allSatisfy({ part in
        (try? MathReading(part)).map { MathEquality.verdict(gold: last, given: $0) } == .equal
      })
    {
      return last
    }
    return try MathReading(stated.text, allowingSentence: allowingSentence)
  }

  /// The row's answers, bare or boxed in worked solutions.
  private static func golds(of problem: Problem) throws(Unscorable) -> [MathReading] {
    var golds: [MathReading] = []
    for answer in try problem.answers() {
      do {
        golds.append(
          try StatedAnswer(in: answer, marks: [.boxed]).map { (stated) throws(Unreadable) in
            try reading(of: stated, allowingSentence: false)
          } ?? MathReading(answer))
      } catch {
        throw Unscorable("answer '\(answer.prefix(60))' cannot be read as mathematics: \(error)")
      }
    }
    return golds
  }
}
