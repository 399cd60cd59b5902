import Audits
import Rollouts

/// What `grpo audit bias` prints.
struct BiasView {
  let report: BiasReport
  let audit: BiasAudit
  let material: BiasMaterial

  func text(style: Style) -> String {
    var lines = [
      "\(material.name): \(NumberFormat.grouped(report.rowCount)) rows; an outcome of "
        + "\(NumberFormat.significant(material.favourableAt)) or more is favourable"
    ]
    if material.rowsWithoutGroup > 0 {
      lines.append(
        "\(NumberFormat.grouped(material.rowsWithoutGroup)) rows without a group are left out")
    }
    for grouping in report.groupings { lines += text(of: grouping, style) }
    if let pairs = report.pairs { lines += text(of: pairs, style) }
    lines += ["", style.bold(sentence)]
    return lines.joined(separator: "\n")
  }

  /// The audit in a sentence, for the log and the model card.
  var summary: String {
    let judged = report.groupings.map { grouping in
      let figures = grouping.figures.filter(\.isJudged).map {
        "\($0.name) \(Self.number($0.value))"
      }
      return grouping.columns.joined(separator: " × ") + ": " + figures.joined(separator: ", ")
    }
    return "bias, \(NumberFormat.grouped(report.rowCount)) rows: \(report.verdict.rawValue) at "
      + "\(NumberFormat.significant(report.threshold)); " + judged.joined(separator: "; ")
  }

  private var sentence: String {
    let threshold = NumberFormat.significant(report.threshold)
    switch report.verdict {
    case .passed: return "passed: no judged difference is beyond \(threshold)"
    case .failed: return "failed: a judged difference is beyond \(threshold)"
    case .tooFewRows:
      return "not passed: too few rows to tell a difference of \(threshold)"
    }
  }

  private func text(of grouping: GroupingReport, _ style: Style) -> [String] {
    var groups = Table([
      .text(grouping.columns.joined(separator: " × ")), .number("rows"), .number("favourable"),
    ])
    let hasLabels = grouping.groups.contains {
      $0.rates.truePositive != nil || $0.rates.falsePositive != nil
    }
    if hasLabels { groups.columns += [.number("TPR"), .number("FPR")] }
    groups.columns += audit.measures.map { .number($0.name) } + [.text("")]
    for group in grouping.groups {
      var cells = [
        group.values.joined(separator: " × "), NumberFormat.grouped(group.rows),
        Self.number(group.rates.selection),
      ]
      if hasLabels {
        cells += [Self.number(group.rates.truePositive), Self.number(group.rates.falsePositive)]
      }
      cells += group.means.map(Self.number)
      cells.append(group.isJudged ? "" : "fewer than \(audit.minimumRows) rows: not judged")
      groups.rows.append(cells)
    }
    var figures = Table([
      .text("figure"), .number("value"), .text("95% interval"), .number("smallest shown"),
      .text(""),
    ])
    for figure in grouping.figures {
      figures.append(
        figure.name, Self.number(figure.value),
        figure.interval.map { "[\(Self.number($0.lowerBound)), \(Self.number($0.upperBound))]" }
          ?? "",
        Self.number(figure.smallestDifference), figure.isJudged ? "judged" : "")
    }
    var lines = ["", groups.text(style: style)]
    if grouping.groups.count(where: \.isJudged) > 1 {
      lines += ["", figures.text(style: style)]
      if let privileged = grouping.privileged {
        lines.append(
          "signed figures compare the others with \(privileged.joined(separator: " × "))")
      }
    }
    return lines
  }

  private func text(of pairs: [PairReport], _ style: Style) -> [String] {
    var table = Table([
      .text("pairs"), .text("measure"), .number("texts"), .number("mean difference"),
      .text("95% interval"), .number("p"), .text(""),
    ])
    for pair in pairs {
      let comparison = pair.comparison
      table.append(
        pair.groups.joined(separator: " − "), pair.measure, NumberFormat.grouped(pair.pairs),
        Self.number(comparison.meanDifference),
        "[\(Self.number(comparison.interval.lowerBound)), \(Self.number(comparison.interval.upperBound))]",
        NumberFormat.significant(comparison.pValue, 3), pair.isJudged ? "judged" : "")
    }
    return [
      "", table.text(style: style), "p is of the sign test (McNemar's exact test of 0 and 1)",
    ]
  }

  private static func number(_ value: Double?) -> String {
    value.map { NumberFormat.fixed($0, 3) } ?? "–"
  }

  // MARK: JSON

  var json: JSONValue {
    var object: JSONObject = [
      "input": .string(material.name), "rows": .integer(Int64(report.rowCount)),
      "rows_without_group": .integer(Int64(material.rowsWithoutGroup)),
      "favourable_at": .number(material.favourableAt), "threshold": .number(report.threshold),
      "rule": .string(report.rule.rawValue), "method": .string(audit.comparison.rawValue),
      "groupings": .array(report.groupings.map(json(of:))),
    ]
    if let pairs = report.pairs { object["pairs"] = .array(pairs.map(Self.json(of:))) }
    object["verdict"] = .string(report.verdict.rawValue)
    return .object(object)
  }

  private func json(of grouping: GroupingReport) -> JSONValue {
    [
      "columns": .array(grouping.columns.map(JSONValue.string)),
      "groups": .array(
        grouping.groups.map { group in
          .object(
            JSONObject(
              [
                ("values", .array(group.values.map(JSONValue.string))),
                ("rows", .integer(Int64(group.rows))), ("units", .integer(Int64(group.units))),
                ("judged", .bool(group.isJudged)),
                ("selection_rate", Self.json(group.rates.selection)),
                ("true_positive_rate", Self.json(group.rates.truePositive)),
                ("false_positive_rate", Self.json(group.rates.falsePositive)),
              ] + zip(audit.measures, group.means).map { ("mean_" + $0.name, Self.json($1)) }))
        }),
      "privileged": grouping.privileged.map { .array($0.map(JSONValue.string)) } ?? .null,
      "figures": .object(
        JSONObject(
          grouping.figures.map { figure in
            (
              figure.name,
              [
                "value": Self.json(figure.value), "interval": Self.json(figure.interval),
                "smallest_difference": Self.json(figure.smallestDifference),
                "judged": .bool(figure.isJudged),
              ]
            )
          })),
      "verdict": .string(grouping.verdict.rawValue),
    ]
  }

  private static func json(of pair: PairReport) -> JSONValue {
    [
      "groups": .array(pair.groups.map(JSONValue.string)), "measure": .string(pair.measure),
      "pairs": .integer(Int64(pair.pairs)), "wins": .integer(Int64(pair.comparison.wins)),
      "losses": .integer(Int64(pair.comparison.losses)),
      "ties": .integer(Int64(pair.comparison.ties)),
      "mean_difference": .number(pair.comparison.meanDifference),
      "interval": json(pair.comparison.interval), "p_value": .number(pair.comparison.pValue),
      "judged": .bool(pair.isJudged),
    ]
  }

  private static func json(_ value: Double?) -> JSONValue {
    value.flatMap { $0.isFinite ? .number($0) : nil } ?? .null
  }

  private static func json(_ interval: ClosedRange<Double>?) -> JSONValue {
    interval.map { [.number($0.lowerBound), .number($0.upperBound)] } ?? .null
  }
}
