import Audits
import Rollouts
import Training

/// What `grpo eval` prints: figures a model, and how two compare.
struct EvaluationView {
  var names: [String]
  var reports: [EvaluationReport]
  var dataset: Dataset
  var rewardNames: [String]
  var seed: UInt64

  private var comparison: PairedComparison? {
    guard reports.count == 2, reports[0].problems == reports[1].problems else { return nil }
    // A problem that one of them has no score for says nothing about the two.
    let pairs = zip(reports[0].rewardByProblem, reports[1].rewardByProblem).compactMap {
      first, second in
      first.flatMap { first in second.map { (first, $0) } }
    }
    guard !pairs.isEmpty else { return nil }
    return PairedComparison(first: pairs.map(\.0), second: pairs.map(\.1), seed: seed)
  }

  func text(style: Style) -> String {
    let first = reports[0]
    var lines = [
      "\(dataset.name): \(NumberFormat.grouped(first.problems)) problems, \(first.samples) "
        + "\(first.samples == 1 ? "completion" : "completions") each, by "
        + rewardNames.joined(separator: ", "),
      "",
    ]
    var table = Table([.text("")] + names.map { .number($0) })
    func row(_ name: String, _ value: (EvaluationReport) -> String) {
      table.rows.append([name] + reports.map(value))
    }
    /// A row of what only scores can say.
    func judged(_ name: String, _ value: (EvaluationReport) -> String) {
      row(name) { $0.meanReward == nil ? "–" : value($0) }
    }
    judged("mean reward") { NumberFormat.fixed($0.meanReward ?? 0, 4) }
    judged("right") { Self.share($0.accuracy) }
    for k in first.passAtK.keys.sorted() where k > 1 {
      judged("pass@\(k)") { NumberFormat.percent($0.passAtK[k] ?? 0) }
    }
    for k in first.majorityAtK.keys.sorted() where k > 1 {
      judged("maj@\(k)") { $0.majorityAtK[k].map(Self.share) ?? "" }
    }
    if first.wrongForm != nil {
      row("wrong form") { NumberFormat.percent($0.wrongForm ?? 0) }
      row("wrong answer") { NumberFormat.percent($0.wrongAnswer ?? 0) }
    }
    if reports.contains(where: { $0.unscored > 0 }) { row("unscored") { "\($0.unscored)" } }
    row("mean length") { NumberFormat.fixed($0.meanLength, 1) + " tokens" }
    lines.append(table.text(width: nil, style: style))
    if let comparison { lines += ["", Self.sentence(comparison, names, samples: first.samples)] }
    return lines.joined(separator: "\n")
  }

  private static func share(_ interval: ProportionInterval) -> String {
    "\(NumberFormat.percent(interval.share)) [\(NumberFormat.percent(interval.lower)), "
      + "\(NumberFormat.percent(interval.upper))]"
  }

  private static func sentence(
    _ comparison: PairedComparison, _ names: [String], samples: Int
  ) -> String {
    let test = samples == 1 ? "McNemar's exact test" : "sign test"
    let verdict =
      comparison.pValue >= 0.05
      ? "they can't be told apart"
      : "\(comparison.wins > comparison.losses ? names[0] : names[1]) is better"
    return
      "\(names[0]) − \(names[1]): mean reward \(NumberFormat.fixed(comparison.meanDifference, 4)) "
      + "[\(NumberFormat.fixed(comparison.interval.lowerBound, 4)), "
      + "\(NumberFormat.fixed(comparison.interval.upperBound, 4))]; better on \(comparison.wins) "
      + "problems, worse on \(comparison.losses), the same on \(comparison.ties); "
      + "p = \(NumberFormat.significant(comparison.pValue, 3)) (\(test)): \(verdict) at 5%"
  }

  var json: JSONValue {
    var result: JSONObject = [
      "dataset": .string(dataset.name), "rewards": .array(rewardNames.map(JSONValue.string)),
      "models": .array(zip(names, reports).map(Self.json)),
    ]
    if let comparison {
      result["comparison"] = [
        "wins": .integer(Int64(comparison.wins)), "losses": .integer(Int64(comparison.losses)),
        "ties": .integer(Int64(comparison.ties)),
        "mean_difference": .number(comparison.meanDifference),
        "interval": [
          .number(comparison.interval.lowerBound), .number(comparison.interval.upperBound),
        ],
        "p_value": .number(comparison.pValue),
      ]
    }
    return .object(result)
  }

  private static func json(_ name: String, _ report: EvaluationReport) -> JSONValue {
    func interval(_ value: ProportionInterval) -> JSONValue {
      [
        "share": .number(value.share), "low": .number(value.lower), "high": .number(value.upper),
      ]
    }
    /// What only scores can say.
    func judged(_ value: JSONValue) -> JSONValue { report.meanReward == nil ? .null : value }
    var object: JSONObject = [
      "model": .string(name), "problems": .integer(Int64(report.problems)),
      "samples": .integer(Int64(report.samples)),
      "mean_reward": report.meanReward.map { .number($0) } ?? .null,
      "accuracy": judged(interval(report.accuracy)),
      "pass_at_k": judged(
        .object(
          JSONObject(report.passAtK.sorted { $0.key < $1.key }.map { ("\($0)", .number($1)) }))),
      "maj_at_k": judged(
        .object(
          JSONObject(
            report.majorityAtK.sorted { $0.key < $1.key }.map { ("\($0)", interval($1)) }))),
      "unscored": .integer(Int64(report.unscored)), "mean_length": .number(report.meanLength),
      "seconds": .number(report.seconds),
    ]
    if let form = report.wrongForm { object["wrong_form"] = .number(form) }
    if let answer = report.wrongAnswer { object["wrong_answer"] = .number(answer) }
    return .object(object)
  }
}
