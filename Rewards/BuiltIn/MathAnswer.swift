// 1 where the boxed answer is equivalent to the row's, else 0.
//
// Both are brought to a normal form (LatexNormalForm) and compared as texts, as values of closed
// expressions (relative error 1e-9), or element by element for tuples, intervals and sets.
//
// strict:   one mark, or two that agree (as in some of MATH's own solutions, which give two ways)
// lenient:  the last mark
import RewardKit

/// Rewards the right mathematical answer, as in MATH.
public struct MathAnswer: BuiltInReward {
  public static let about = BuiltInDescription(
    name: "math", summary: "1 where the boxed LaTeX answer is equivalent to the row's, else 0",
    category: .answer, columns: ["answer"],
    parameters: [
      RewardParameter(
        "mode", .choice(["strict", "lenient"]), default: "strict",
        "strict: one mark, or two that agree; lenient: the last mark counts"),
      RewardParameter(
        "marks", .texts, default: ["boxed", "tag"],
        "kinds of marks, by priority: boxed, tag (<answer>), hashes (####), words (answer is)"),
    ],
    source: "MATH's string rules (Hendrycks et al. 2021), with closed expressions evaluated")

  private let isStrict: Bool
  private let marks: [AnswerMark]

  public init(parameters: RewardParameters) throws(RewardParameterError) {
    isStrict = parameters.text("mode") == "strict"
    marks = parameters.texts("marks").compactMap(AnswerMark.init(rawValue:))
    guard marks.count == parameters.texts("marks").count, !marks.isEmpty else {
      let known = AnswerMark.allCases.map(\.rawValue).joined(separator: ", ")
      throw RewardParameterError(["parameter \"marks\" takes a list of: \(known)"])
    }
  }

  public var range: ClosedRange<Double>? { 0...1 }

  public func score(_ completion: Completion, for problem: Problem) throws -> Score {
    let golds = try problem.answers().map { LatexNormalForm(Self.gold($0)) }
    guard let stated = StatedAnswer(in: completion.text, marks: marks), !stated.isRepeated,
      !isStrict || stated.count <= 2
    else { return Score(0) }
    // An answer of more than 2,000 letters is none, and comparing it would take long.
    guard stated.recent.allSatisfy({ $0.utf8.count <= 2000 }) else { return Score(0) }
    let given = LatexNormalForm(stated.text)
    if isStrict, stated.recent.contains(where: { !LatexNormalForm($0).isEquivalent(to: given) }) {
      return Score(0)
    }
    return Score(
      golds.contains { given.isEquivalent(to: $0) } ? 1 : 0, log: ["found": .string(stated.text)])
  }

  public func goldCompletion(for problem: Problem) -> String? {
    guard let answer = try? problem.answers().first else { return nil }
    if StatedAnswer(in: answer, marks: marks) != nil { return answer }
    return marks.first == .tag ? "<answer>\(answer)</answer>" : "\\boxed{\(answer)}"
  }

  /// A bare answer, or that of a worked solution.
  private static func gold(_ answer: String) -> String {
    StatedAnswer(in: answer, marks: [.boxed])?.text ?? answer
  }
}
