import Foundation
import Rollouts
import Testing

@testable import Audits

/// What fairlearn and AIF360 say of the same rows; Tests/Reference/audits/fairness.py wrote it.
private enum Peers {
  static let cases: [JSONValue] = {
    let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("Goldens/fairness.json")
    let text = (try? String(contentsOf: url, encoding: .utf8)) ?? ""
    return (try? JSONValue.parse(text))?.array ?? []
  }()

  static func rows(_ value: JSONValue) -> [BiasRow] {
    let groups = value["groups"]?.array ?? []
    return groups.indices.map { index in
      BiasRow(
        groups: [groups[index].string ?? ""], label: value["labels"]?.array?[index].integer == 1,
        isFavourable: value["outcomes"]?.array?[index].integer == 1, unit: index)
    }
  }
}

@Suite("Fairness between groups")
struct FairnessTests {
  @Test("fairlearn's differences and ratios, AIF360's signed forms", arguments: 0..<4)
  func peers(_ number: Int) throws {
    let value = try #require(Peers.cases.indices.contains(number) ? Peers.cases[number] : nil)
    var audit = BiasAudit(columns: ["g"])
    audit.minimumRows = 2
    audit.resamples = 0
    audit.privileged = ["g": try #require(value["privileged"]?.string)]
    var compared = 0
    for comparison in RateComparison.allCases {
      audit.comparison = comparison
      let report = audit.report(of: Peers.rows(value))
      let figures = Dictionary(
        uniqueKeysWithValues: report.groupings[0].figures.map { ($0.name, $0.value) })
      let expected = try #require(value["expected"]?[comparison.rawValue]?.object).dictionary
        .merging(try #require(value["expected"]?["signed"]?.object).dictionary) { first, _ in first
        }
      for (name, number) in expected {
        let found = try #require(figures[name] ?? nil, "\(name)")
        #expect(abs(found - (number.double ?? .nan)) < 1e-12, "\(name) \(comparison)")
        compared += 1
      }
    }
    #expect(compared == 2 * (6 + 4))
  }

  /// 400 rows of each group, of which given shares are favourable.
  private func rows(_ shares: [Double], label: Bool? = nil, count: Int = 400) -> [BiasRow] {
    shares.enumerated().flatMap { group, share in
      (0..<count).map { index in
        BiasRow(
          groups: ["g\(group)"], label: label, isFavourable: Double(index) < share * Double(count),
          unit: group * count + index)
      }
    }
  }

  private func audit() -> BiasAudit {
    var audit = BiasAudit(columns: ["g"])
    audit.resamples = 200
    return audit
  }

  @Test("Parity passes, a difference beyond the threshold fails, the threshold itself passes")
  func verdicts() {
    #expect(audit().report(of: rows([0.5, 0.5])).verdict == .passed)
    #expect(audit().report(of: rows([0.5, 0.6])).verdict == .passed)
    #expect(audit().report(of: rows([0.5, 0.61])).verdict == .failed)
    #expect(audit().report(of: rows([0.5, 0.5, 0.8])).verdict == .failed)
  }

  @Test("The four-fifths rule and the ratio's threshold are told apart from the difference")
  func rules() {
    var audit = audit()
    let low = rows([0.05, 0.08])
    #expect(audit.report(of: low).verdict == .passed)
    audit.rule = .fourFifths
    #expect(audit.report(of: low).verdict == .failed)
    #expect(audit.report(of: rows([0.85, 1.0])).verdict == .passed)
    audit.rule = .ratio
    #expect(audit.report(of: rows([0.85, 1.0])).verdict == .failed)
  }

  @Test("Too few rows are said, and are not passed")
  func tooFew() throws {
    let few = audit().report(of: rows([0.5, 0.5], count: 20))
    #expect(few.verdict == .tooFewRows)
    #expect(few.groupings[0].groups.allSatisfy { !$0.isJudged })
    // Enough to be judged, too few to show 0.1: 1.96 √(¼ · 2/100) = 0.139.
    let hundred = audit().report(of: rows([0.5, 0.5], count: 100))
    #expect(hundred.verdict == .tooFewRows)
    let shown = try #require(
      hundred.groupings[0].figures.first { $0.isJudged }?.smallestDifference)
    #expect(abs(shown - 1.959963984540054 * (0.25 * 2 / 100).squareRoot()) < 1e-12)
    // A third group of three rows keeps the others from passing, unless it is ignored.
    var mixed = rows([0.5, 0.5])
    mixed += (0..<3).map { BiasRow(groups: ["g9"], isFavourable: true, unit: 10_000 + $0) }
    #expect(audit().report(of: mixed).verdict == .tooFewRows)
    var ignoring = audit()
    ignoring.ignoresSmallGroups = true
    #expect(ignoring.report(of: mixed).verdict == .passed)
    #expect(audit().report(of: []).verdict == .tooFewRows)
  }

  @Test("Completions of one problem count as one unit")
  func units() throws {
    // 400 rows of 40 problems per group: what they can show is what 40 rows can.
    let rows = rows([0.5, 0.5]).map { row in
      var row = row
      row.unit /= 10
      return row
    }
    let report = audit().report(of: rows)
    #expect(report.groupings[0].groups.map(\.units) == [40, 40])
    #expect(report.verdict == .tooFewRows)
  }

  @Test("A planted difference lies in its interval, and an interval narrows with the rows")
  func intervals() throws {
    let interval = try #require(
      audit().report(of: rows([0.4, 0.65])).groupings[0].figures.first { $0.isJudged }?.interval)
    #expect(interval.contains(0.25) && interval.lowerBound > 0.15 && interval.upperBound < 0.35)
    let wide = try #require(
      audit().report(of: rows([0.4, 0.65], count: 60)).groupings[0].figures.first { $0.isJudged }?
        .interval)
    #expect(
      wide.upperBound - wide.lowerBound > 2 * (interval.upperBound - interval.lowerBound))
    #expect(audit().report(of: rows([0.4, 0.65])) == audit().report(of: rows([0.4, 0.65])))
  }

  @Test("A reward that takes 0.25 from a group is seen where labels are alike, not in its rates")
  func plantedOffset() throws {
    var audit = BiasAudit(columns: ["g"], measures: [BiasMeasure("score", isConditional: true)])
    audit.resamples = 100
    // The biased group is right more often, so that means over all rows hide the offset.
    let rows = (0..<1600).map { index -> BiasRow in
      let (group, place) = (index / 800, index % 800)
      let isRight = Double(place) < (group == 0 ? 400 : 600)
      let score = (isRight ? 1.0 : 0) - (group == 1 ? 0.25 : 0)
      return BiasRow(
        groups: ["g\(group)"], label: isRight, isFavourable: score >= 0.5, values: [score],
        unit: index)
    }
    let report = audit.report(of: rows)
    let figures = Dictionary(
      uniqueKeysWithValues: report.groupings[0].figures.map { ($0.name, $0) })
    #expect(figures["score_difference"]?.value == 0)
    #expect(figures["equalized_odds_difference"]?.value == 0)
    #expect(figures["score_difference_given_label"]?.value == 0.25)
    #expect(report.verdict == .failed)
  }

  @Test("Fair by each column alone, unfair where both meet")
  func intersections() {
    var audit = BiasAudit(columns: ["a", "b"])
    audit.resamples = 0
    // Favourable where the two differ: 50% in each column's groups, 0 or 1 at their intersections.
    let rows = (0..<1600).map { index in
      BiasRow(
        groups: ["\(index % 2)", "\(index / 2 % 2)"], isFavourable: index % 2 != index / 2 % 2,
        unit: index)
    }
    let report = audit.report(of: rows)
    #expect(report.groupings.map(\.verdict) == [.passed, .passed, .failed])
    #expect(report.groupings[2].groups.count == 4)
  }
}

@Suite("Counterfactual pairs")
struct CounterfactualTests {
  private func exchange() throws -> WordExchange {
    try WordExchange(
      [
        ["male": "he", "female": "she"], ["male": "him", "female": "her"],
        ["male": "his", "female": "her"],
      ], name: "words")
  }

  @Test("Whole words are exchanged, capitals kept; texts that differ in them alone have one form")
  func words() throws {
    let exchange = try exchange()
    #expect(exchange.groups == ["male", "female"])
    #expect(exchange.text("He gave HIS hat; the", asOf: 1) == "She gave HER hat; the")
    #expect(exchange.text("nothing here", asOf: 1) == nil)
    let (a, b) = (exchange.form(of: "He saw his cat."), exchange.form(of: "She saw her cat."))
    #expect(a?.form == b?.form && a?.group == 0 && b?.group == 1)
    #expect(exchange.form(of: "he and she") == nil)
    #expect(exchange.form(of: "He saw his dog.")?.form != a?.form)
  }

  @Test("A table without two groups, or with a word missing, is refused by row")
  func faults() {
    #expect(throws: AuditError.self) { try WordExchange([["male": "he"]], name: "t") }
    #expect(throws: AuditError.self) { try WordExchange([], name: "t") }
    let gap: [JSONObject] = [["a": "x", "b": "y"], ["a": "z"]]
    #expect { try WordExchange(gap, name: "t.csv") } throws: { "\($0)".contains("row 2") }
  }

  @Test("Pairs are tested as pairs: McNemar's exact p, mean difference")
  func paired() throws {
    // 30 texts: 12 where the first is favoured, 2 the other way.
    let rows = (0..<30).flatMap { text in
      [
        CounterfactualRow(form: "\(text)", group: 0, values: [text < 12 ? 1 : 0]),
        CounterfactualRow(form: "\(text)", group: 1, values: [text >= 28 ? 1 : 0]),
      ]
    }
    let report = try #require(
      PairReport.reports(
        of: rows, groups: ["a", "b"], measures: [BiasMeasure("accuracy")], seed: 1, resamples: 200
      ).first)
    #expect(report.pairs == 30)
    #expect(report.comparison.wins == 12 && report.comparison.losses == 2)
    // 2 (C(14,0) + C(14,1) + C(14,2)) / 2¹⁴
    #expect(abs(report.comparison.pValue - 2 * 106 / 16384) < 1e-12)
    #expect(report.verdict(threshold: 0.1) == .failed)
  }
}
