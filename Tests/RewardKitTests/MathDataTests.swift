import BuiltInRewards
import Foundation
import RewardKit
import TestSupport
import Testing

/// `math` and `numeric` over answers that others wrote.
@Suite("Mathematics over real answers") struct MathDataTests {
  private static func golds() throws -> [String] {
    try Data(contentsOf: SharedFiles.url("data/math/math500_test.jsonl"))
      .split(separator: UInt8(ascii: "\n"))
      .map { try #require(JSONValue.parse(bytes: $0)["answer"]?.string) }
  }

  private static func isPaid(
    _ reward: any BuiltInReward, _ gold: String, _ text: String
  ) -> Bool? {
    let problem = Problem(index: 0, prompt: .text("?"), columns: ["answer": .string(gold)])
    let completion = Completion(text: text, tokens: [], finish: .stop)
    guard case .scored(let score) = reward.scoring(of: completion, for: problem) else { return nil }
    return score.value == 1
  }

  /// Spellings that mean the same.
  private static func rewritings(_ gold: String) -> [String] {
    var texts = [
      gold, "{\(gold)}", "$\(gold)$", " \(gold) ", "\(gold).", "\\(\(gold)\\)",
      "\\displaystyle \(gold)",
    ]
    for (old, new) in [
      ("\\frac", "\\dfrac"), ("\\frac", "\\tfrac"), ("\\dfrac", "\\frac"), ("\\left", ""),
      ("\\right", ""), ("pmatrix", "bmatrix"), ("\\\\ ", "\\\\"), ("^\\circ", "^{\\circ}"),
      ("\\text", "\\mbox"), ("\\pi", "{\\pi}"), ("\\mbox", "\\textbf"), (" + ", "+"),
    ] {
      // Both of a pair of delimiters, or neither.
      let pair = old == "\\left" ? gold.replacing("\\right", with: "") : gold
      if old != "\\right" { texts.append(pair.replacing(old, with: new)) }
    }
    return texts
  }

  @Test(
    "MATH-500: every gold is read and is paid in every harmless spelling",
    .enabled(if: SharedFiles.has("data/math/math500_test.jsonl")))
  func paysRewritings() throws {
    let reward = try builtIn("math")
    var refused: [String] = []
    for gold in try Self.golds() {
      for text in Self.rewritings(gold)
      where Self.isPaid(reward, gold, "\\boxed{\(text)}") != true {
        refused.append("\(gold): \(text)")
      }
    }
    #expect(refused.isEmpty, "\(refused)")
  }

  @Test(
    "MATH-500: no gold made wrong is paid",
    .enabled(if: SharedFiles.has("data/math/math500_test.jsonl")))
  func wrongAnswers() throws {
    let reward = try builtIn("math")
    let golds = try Self.golds()
    var paid: [String] = []
    // The same in both, by the people who wrote them.
    let same: Set<Set<String>> = [["x=5", "5"], ["15\\mbox{ cm}^2", "15"], ["0", "-0"]]
    func plain(_ text: String) -> String {
      [
        "\\left", "\\right", "\\!", " ", "\\dfrac", "\\frac", "\\text", "\\mbox", "{", "}",
        "^\\circ",
      ]
      .reduce(text) { $0.replacing($1, with: "") }
    }
    for (index, gold) in golds.enumerated() {
      var wrong = (1...40).map { golds[(index + $0 * 11) % golds.count] }
        .filter { plain($0) != plain(gold) }
      wrong.append(gold.hasPrefix("-") ? String(gold.dropFirst()) : "-" + gold)
      if let number = Int(gold) { wrong += ["\(number + 1)", "\(number - 1)"] }
      if let range = gold.firstRange(of: "^2") {
        wrong.append(gold.replacingCharacters(in: range, with: "^3"))
      }
      if let range = gold.firstRange(of: "^3") {
        wrong.append(gold.replacingCharacters(in: range, with: "^{2}"))
      }
      for text in wrong where !same.contains([gold, text]) && text != gold {
        if Self.isPaid(reward, gold, "\\boxed{\(text)}") == true { paid.append("\(gold): \(text)") }
      }
    }
    #expect(paid.isEmpty, "\(paid)")
  }

  /// 0.33 is no third, by the seven-digit rule.
  static let argued: Set<String> = [
    "$(\\begin{pmatrix}\\frac{1}{3}\\\\ \\frac{1}{5} \\end{pmatrix})$"
  ]

  @Test("pairs with verdicts", .enabled(if: SharedFiles.has("cases/math/pairs.csv")))
  func pairs() throws {
    let rows = try Dataset.read(
      SharedFiles.url("cases/math/pairs.csv").path,
      mapping: try #require(ColumnMapping(["prompt=reward+category"])),
      split: .evaluation, limit: nil
    ).problems.map(\.columns)
    let rewards = try [
      "math": builtIn("math"), "numeric": builtIn("numeric", ["mode": "lenient"]),
    ]
    var wrong: [String] = []
    for row in rows {
      let (gold, text) = (row["gold"]?.plainText ?? "", row["completion"]?.plainText ?? "")
      let reward = try #require(rewards[row["reward"]?.string ?? ""])
      let isRight = row["right"]?.plainText == "1"
      if (Self.isPaid(reward, gold, text) == true) != isRight, !Self.argued.contains(gold) {
        wrong.append("\(gold): \(text)")
      }
    }
    #expect(rows.count >= 378)
    #expect(wrong.isEmpty, "\(wrong)")
  }
}
