import BuiltInRewards
import Foundation
import RewardKit
import TestSupport
import Testing

/// What `math` says of a boxed answer.
private func judged(_ gold: String, _ answer: String) throws -> Scoring {
  try scoring("math", [:], "\\boxed{\(answer)}", gold: .string(gold))
}

private func scoring(
  _ name: String, _ parameters: JSONObject, _ text: String, gold: JSONValue
) throws -> Scoring {
  try builtIn(name, parameters).scoring(
    of: Completion(text: text, tokens: [], finish: .stop),
    for: Problem(index: 0, prompt: .text("?"), columns: ["answer": gold]))
}

extension Scoring {
  fileprivate var judgement: Score? {
    guard case .scored(let score) = self else { return nil }
    return score
  }
  fileprivate var isPaid: Bool { judgement?.value == 1 }
}

@Suite("Mathematics: what is read, and what is equal") struct MathematicsTests {
  @Test("equal answers are paid")
  func paysEqual() throws {
    let refused = try MathCases.equal.filter { try !judged($0, $1).isPaid }
    #expect(refused.isEmpty, "\(refused)")
  }

  @Test("other answers are not paid")
  func refusesOthers() throws {
    let paid = try MathCases.different.filter { try judged($0, $1).isPaid }
    #expect(paid.isEmpty, "\(paid)")
  }

  @Test("numbers at the ends of Int trap nothing")
  func extremes() throws {
    for answer in [
      "2e-9223372036854775808", "x^{-9223372036854775808}", "2^{9223372036854775807}",
      "-9223372036854775808 \\ln 2 + 4611686018427387904 \\ln 4 + 1",
      "\\frac{\\ln 3}{9223372036854775807} - \\ln 2",
    ] {
      #expect(try !judged("\\ln 5", answer).isPaid, "\(answer)")
    }
  }

  @Test("equality goes both ways for whole numbers, powers and fractions")
  func symmetry() throws {
    for (gold, answer) in MathCases.equal {
      guard gold.allSatisfy({ $0.isNumber || "-^{}/!".contains($0) }) else { continue }
      #expect(try judged(answer, gold).isPaid, "\(answer) for \(gold)")
    }
  }

  /// Golds, and whether they are read: what can't be makes its row unscorable.
  static let golds: [(String, JSONValue, isRead: Bool)] = [
    ("math", "5+", false), ("math", "(1, 2", false), ("math", "\\frac{1}{0}", false),
    ("math", "", false), ("math", "  ", false), ("math", .null, false), ("math", [], false),
    ("math", ["5", ""], false), ("math", "\\begin{cases} x \\\\ y \\end{cases}", false),
    ("math", "\\frac{1}{2}", true), ("math", ["5", "6"], true), ("math", 5, true),
    ("numeric", "2\\sqrt{3}", false), ("numeric", "x^2", false), ("numeric", "(3,4)", false),
    ("numeric", "5-7", false), ("numeric", "2023-01-05", false), ("numeric", "", false),
    ("numeric", "3\\frac{1}{2}", true), ("numeric", "1 000", true), ("numeric", "None", true),
    ("numeric", "10:30", true), ("numeric", "1.5 \\times 10^3", true),
    ("numeric", "3 apples", true),
  ]

  @Test(
    "a gold that cannot be read makes its row unscorable, and is named",
    arguments: MathematicsTests.golds)
  func judgesGolds(name: String, gold: JSONValue, isRead: Bool) throws {
    let problem = Problem(index: 0, prompt: .text("?"), columns: ["answer": gold])
    #expect(try (builtIn(name).fault(in: problem) == nil) == isRead)
    for text in ["\\boxed{}", "\\boxed{3}", "#### 3", ""] {
      let scoring = try scoring(name, [:], text, gold: gold)
      #expect((scoring.judgement != nil) == isRead, "\(text): \(scoring)")
    }
  }

  @Test("a suite names the rows that cannot be scored")
  func faultsOfDataset() throws {
    let problems = ["1", "5+", "", "2"].enumerated().map { index, answer in
      Problem(index: index, prompt: .text("?"), columns: ["a": .string(answer)])
    }
    let dataset = Dataset(name: "d.jsonl", problems: problems, contentHash: "")
    let suite = try suite([["use": "math", "columns": ["answer": "a"]], "numeric"], columns: nil)
    let faults = suite.faults(in: dataset)
    #expect(faults.count == 2)
    #expect(faults[0].contains("cannot score 2 of 4 rows of d.jsonl"))
    #expect(faults[0].contains("answer '5+' cannot be read as mathematics: it ends where"))
    #expect(faults[1].contains("cannot score 4 of 4 rows"))
  }

  /// Texts with marks, and what becomes of them: strict, lenient, and strict's reason.
  static let marks: [(String, strict: Double, lenient: Double, reason: String)] = [
    ("\\boxed{7}", 1, 1, "equal"),
    ("\\boxed{8}", 0, 0, "another answer"),
    ("7", 0, 0, "no answer is marked"),
    ("\\boxed{7} so \\boxed{7.0} thus \\boxed{7}", 1, 1, "equal"),
    ("\\boxed{6} so it is \\boxed{8}, or else \\boxed{7}", 0, 1, "three boxes that differ, strict"),
    ("<think>\\boxed{1} \\boxed{2}</think> It is \\boxed{7}.", 1, 1, "equal"),
    ("<think>\\boxed{7}</think> It is seven.", 1, 1, "equal"),
    ("<think>\\boxed{7}</think> It is \\boxed{8}.", 0, 0, "another answer"),
    (
      String(repeating: "It is \\boxed{7}.\n\n", count: 6), 0, 0,
      "six boxes with the same answer, mark_limit 5"
    ),
    ("\\boxed{7+}", 0, 0, "the answer cannot be read: it ends where a term should follow"),
    ("\\boxed{\\boxed{7}}", 1, 1, "equal"),
  ]

  @Test("marks, thinking and reasons", arguments: MathematicsTests.marks)
  func judgesMarks(text: String, strict: Double, lenient: Double, reason: String) throws {
    let scored = try #require(try scoring("math", [:], text, gold: "7").judgement)
    #expect(scored.value == strict)
    #expect(scored.reason == reason)
    #expect(try scoring("math", ["mode": "lenient"], text, gold: "7").judgement?.value == lenient)
  }

  @Test("boxes side by side are a list; a row's boxes too")
  func neighbours() throws {
    for (text, gold, isPaid) in [
      ("\\boxed{1} and \\boxed{2}", "1,2", true), ("\\boxed{2},\\ \\boxed{1}", "1,2", true),
      ("\\boxed{1} papers and \\boxed{2} bins", "1,2", true),
      ("\\boxed{1}\\boxed{2}", "\\boxed{1}\\boxed{2}", true),
      ("\\boxed{1} no no no no no \\boxed{2}", "1,2", false),
      ("\\boxed{1} and so the answer is \\boxed{2}", "1,2", false),
      ("$\\boxed{1} = \\boxed{2}$", "1,2", false),
      ("$\\boxed{1\\frac12},$ or $\\boxed{\\frac32}$", "1.5", true),
      ("\\boxed{1,2}", "\\(\\boxed{1}\\) and \\(\\boxed{2}\\)", true),
    ] {
      #expect(try scoring("math", [:], text, gold: .string(gold)).isPaid == isPaid, "\(text)")
    }
  }

  @Test("mark_limit says how often an answer may be marked")
  func markLimit() throws {
    let three = "\\boxed{7}, \\boxed{7}, \\boxed{7}"
    for (limit, isPaid) in [(2, false), (3, true)] {
      let limit: JSONObject = ["mark_limit": .integer(Int64(limit))]
      #expect(try scoring("math", limit, three, gold: "7").isPaid == isPaid)
      #expect(try scoring("numeric", limit, three, gold: "7").isPaid == isPaid)
    }
  }

  /// Exact where a double is not.
  static let numbers: [(String, JSONValue, Bool)] = [
    ("#### 9007199254740992", "9007199254740993", false),
    ("#### 12345678901234567891", "12345678901234567890", false),
    ("#### 12345678901234567890", "12345678901234567890", true),
    ("#### 0.0000009", "0.0000005", false), ("#### 0", "1e-7", false),
    ("#### 1000000", "1000000.5", false), ("#### 1234568", "1234567.25", false),
    ("#### 0.333333", "0.3333333", true), ("#### 1e400", "1e400", true),
    ("The answer is **18**.", 18, true), ("#### - 18", -18, true), ("#### 3 / 4", "0.75", true),
    ("#### 2\\frac{1}{2}", "2.5", true), ("#### 18€", 18, true), ("#### €18", 18, true),
    ("\\boxed{2^{10}}", 1024, true), ("\\boxed{x = 18}", 18, true), ("#### 20 - 2", 18, false),
    ("#### 1{,}234{,}567", 1_234_567, true), ("#### 1 234 567", 1_234_567, true),
    ("#### 0.33", "1/3", false), ("<answer>#### 18</answer>", 18, true),
    ("#### 10:30", "10:30", true), ("#### 10:31", "10:30", false), ("#### 18 dollars", 18, false),
    ("#### 50", "50%", true), ("#### 72<|im_end|>", 72, true), ("#### 1e-5000", 0, false),
    ("The answer is 5!", 5, true), ("**The answer is 5!**", 5, true), ("A: **5**!", 5, true),
    ("<answer>5!!</answer>", 5, true), ("#### 5! ", 120, false), ("\\boxed{5!}", 5, false),
    ("\\boxed{5!}", 120, true), ("The answer is $5!$", 120, true), ("A: None!", "None", true),
  ]

  @Test("numeric is exact", arguments: MathematicsTests.numbers)
  func judgesNumbers(text: String, gold: JSONValue, isPaid: Bool) throws {
    #expect(try scoring("numeric", [:], text, gold: gold).isPaid == isPaid)
  }

  @Test("the number that was found is logged exactly")
  func found() throws {
    for (text, found) in [
      ("9007199254740993", "9007199254740993"), ("12345678901234567891", "12345678901234567891"),
      ("-9007199254740993", "-9007199254740993"), ("18", "18.0"), ("1/4", "0.25"),
    ] {
      let judgement = try scoring("numeric", [:], "#### \(text)", gold: "7").judgement
      #expect(judgement?.log["found"]?.jsonText == found)
    }
  }

  @Test("an operand is no answer")
  func operands() throws {
    let lenient: JSONObject = ["mode": "lenient"]
    for (text, gold, isPaid) in [
      ("20 - 2", "2", false), ("18 = 20 - 2", "2", false), ("20 - 2 = 18", "18", true),
      ("it went from 20 to -2", "-2", true),
    ] {
      #expect(
        try scoring("numeric", lenient, text, gold: .string(gold)).isPaid == isPaid, "\(text)")
    }
  }

  @Test(
    "no text takes long or deep",
    arguments: [
      "(x+", "(", "{", "\\frac{", "\\sqrt{", "2^{", "|", "-", "\\sin ", "9", "2500!", "x_{",
      "1,", "\\pm ", "\\begin{pmatrix}", "(a+b+c+d)^{20}", "\\log_2 ", "\\text{", "f(", "A(", "\\{",
      "^{99999}", "(x+y)^2", "1/", "\\ln", "\\overline{", "\\", "0.\\overline{", "\\cup ", "=", ":",
    ])
  func survives(unit: String) throws {
    for (count, end) in [(19, "1"), (160, "")] {
      let text = String(repeating: unit, count: count) + end
      _ = try judged(text, text)
      _ = try scoring("numeric", [:], "#### " + text, gold: "5")
    }
  }
}
