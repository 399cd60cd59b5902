// The numbers game: an expression over the given numbers, each used exactly once, that reaches the
// target.
//
//   r = 1            where the expression is right
//       form_score   where it uses the numbers as it must, and misses the target
//       0            otherwise
import RewardKit

/// Rewards an expression that reaches a target from given numbers.
struct Countdown: BuiltInReward {
  static let about = BuiltInDescription(
    name: "countdown", summary: "1 where an expression of the given numbers reaches the target",
    category: .answer, columns: ["numbers", "target"],
    parameters: [
      RewardParameter(
        "form_score", .number(0...1), default: 0.0,
        "the score of a legal expression that misses the target"),
      RewardParameter(
        "all", .flag, default: true, "whether every number must be used (none more than once)"),
      RewardParameter(
        "tag", .flag, default: true,
        "whether the expression stands in <answer>…</answer>; else it is the last line"),
    ],
    source: "TinyZero's countdown (Pan et al. 2025), with an exact evaluator in place of eval()")

  private let formScore: Double
  private let needsAll: Bool
  private let isTagged: Bool

  init(parameters: RewardParameters) {
    formScore = parameters.number("form_score")
    needsAll = parameters.flag("all")
    isTagged = parameters.flag("tag")
  }

  var range: ClosedRange<Double>? { 0...1 }

  func score(_ completion: Completion, for problem: Problem) throws -> Score {
    let (numbers, target) = try Self.task(of: problem)
    guard let expression = expression(in: completion.text), let result = Arithmetic(expression),
      isLegal(result.numbers, numbers)
    else { return Score(0) }
    return Score(
      result.value == Fraction(target) ? 1 : formScore, log: ["expression": .string(expression)])
  }

  func goldCompletion(for problem: Problem) -> String? {
    guard let (numbers, target) = try? Self.task(of: problem), numbers.count <= 6,
      let solution = CountdownSolver.solve(numbers, target: target)
    else { return nil }
    return isTagged ? "<answer>\(solution)</answer>" : solution
  }

  /// The expression: what is tagged once, or the last line; what follows an = is left out.
  private func expression(in text: String) -> String? {
    let found =
      isTagged
      ? text.onlyContent(ofTag: "answer")
      : text.split(whereSeparator: \.isNewline).last.map(String.init)
    guard let found else { return nil }
    return found.split(separator: "=", maxSplits: 1).first?.trimmed()
  }

  private func isLegal(_ used: [Int], _ given: [Int]) -> Bool {
    if needsAll { return used.sorted() == given.sorted() }
    var left = given
    for number in used {
      guard let index = left.firstIndex(of: number) else { return false }
      left.remove(at: index)
    }
    return !used.isEmpty
  }

  /// The numbers (a list, or a text such as "30,100,93") and the target of a row.
  private static func task(of problem: Problem) throws(Unscorable) -> (numbers: [Int], target: Int)
  {
    let list: [Int]
    switch problem.columns["numbers"] {
    case .array(let values)?: list = values.compactMap { $0.integer ?? Int($0.plainText) }
    case .string(let text)?:
      list = text.split { !("0"..."9").contains($0) }.compactMap { Int($0) }
    default: throw Unscorable("the row has no \"numbers\"")
    }
    guard !list.isEmpty else { throw Unscorable("the row's \"numbers\" holds none") }
    guard let value = problem.columns["target"],
      let target = value.integer ?? Int(value.plainText.trimmed())
    else { throw Unscorable("the row has no whole \"target\"") }
    return (list, target)
  }
}

/// Finds an expression by trying every way to combine two numbers into one.
enum CountdownSolver {
  /// An expression that uses every number once, nil where there is none.
  ///
  /// For six numbers about a
  /// million steps.
  static func solve(_ numbers: [Int], target: Int) -> String? {
    let terms = numbers.map { (value: Fraction($0), text: String($0)) }
    return solve(terms, Fraction(target))
  }

  private static func solve(_ terms: [(value: Fraction, text: String)], _ target: Fraction)
    -> String?
  {
    if terms.count == 1 { return terms[0].value == target ? terms[0].text : nil }
    for i in terms.indices {
      for j in terms.indices where i != j {
        let rest = terms.indices.filter { $0 != i && $0 != j }.map { terms[$0] }
        for operation in "+-*/" {
          // Both orders of a sum or product are the same.
          if i > j, operation == "+" || operation == "*" { continue }
          guard let value = terms[i].value.combined(operation, with: terms[j].value) else {
            continue
          }
          let text = "(\(terms[i].text)\(operation)\(terms[j].text))"
          if let found = solve(rest + [(value, text)], target) { return found }
        }
      }
    }
    return nil
  }
}
