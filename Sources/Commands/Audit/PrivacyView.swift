import Audits
import Rollouts

/// What `grpo audit privacy` prints.
struct PrivacyView {
  /// What classes must satisfy.
  struct Wanted {
    var k: Int
    var l: Int?
    var t: Double?
  }

  /// How well rows hide.
  struct Anonymity {
    var columns: [String]
    var audit: AnonymityAudit
    var places: [String]
    var wanted: Wanted
    var diversities: [(column: String, value: AnonymityAudit.Diversity)]
  }

  /// Something that was found.
  private struct Finding {
    var kind: PersonalDataKind
    var place: String
    var shown: String
  }

  let name: String
  let limit: Int
  let showsAll: Bool
  let allowed: Set<PersonalDataKind>
  var textCount = 0
  var anonymity: Anonymity?
  private var counts: [PersonalDataKind: Int] = [:]
  private var findings: [Finding] = []

  init(name: String, limit: Int, showsAll: Bool, allowed: Set<PersonalDataKind>) {
    (self.name, self.limit, self.showsAll, self.allowed) = (name, limit, showsAll, allowed)
  }

  /// Notes a match.
  mutating func add(_ match: PersonalDataMatch, in text: PrivacyMaterial.Text) {
    counts[match.kind, default: 0] += 1
    guard findings.count < limit else { return }
    let whole = String(decoding: Array(text.text.utf8)[match.bytes], as: UTF8.self)
    findings.append(
      Finding(
        kind: match.kind, place: text.place,
        shown: showsAll ? whole : PersonalDataScanner.hint(match, in: text.text)))
  }

  /// Why it does not pass.
  var faults: [String] {
    var faults = counts.keys.sorted().filter { !allowed.contains($0) }.map { kind in
      "personal data of kind \(kind.rawValue) was found \(counts[kind] ?? 0) times"
    }
    guard let anonymity else { return faults }
    let wanted = anonymity.wanted
    if anonymity.audit.k < wanted.k {
      faults.append("k is \(anonymity.audit.k), below \(wanted.k)")
    }
    for (column, value) in anonymity.diversities {
      if let l = wanted.l, value.distinct < l {
        faults.append("l of '\(column)' is \(value.distinct), below \(l)")
      }
      if let t = wanted.t, value.closeness > t {
        faults.append(
          "t of '\(column)' is \(NumberFormat.fixed(value.closeness)), above "
            + NumberFormat.significant(t))
      }
    }
    return faults
  }

  func text(style: Style) -> String {
    var lines = ["\(name): \(NumberFormat.grouped(textCount)) texts"]
    if counts.isEmpty {
      lines.append("no personal data of a known form was found")
    } else {
      var table = Table([.text("personal data"), .number("found")])
      for kind in counts.keys.sorted() {
        table.append(kind.rawValue, NumberFormat.grouped(counts[kind] ?? 0))
      }
      var places = Table([.text("kind"), .text("where"), .text("what")])
      for finding in findings { places.append(finding.kind.rawValue, finding.place, finding.shown) }
      lines += ["", table.text(style: style), "", places.text(style: style)]
      let total = counts.values.reduce(0, +)
      if total > findings.count { lines.append("… and \(total - findings.count) more") }
    }
    if let anonymity { lines += text(of: anonymity, style) }
    lines += [
      "", style.bold(faults.isEmpty ? "passed" : "not passed: " + faults.joined(separator: "; ")),
    ]
    return lines.joined(separator: "\n")
  }

  private func text(of anonymity: Anonymity, _ style: Style) -> [String] {
    let audit = anonymity.audit
    var facts = Table([
      .text("classes of " + anonymity.columns.joined(separator: ", ")), .number(""),
    ])
    facts.append("rows", NumberFormat.grouped(audit.rowCount))
    facts.append("classes", NumberFormat.grouped(audit.classes.count))
    facts.append("k (smallest class)", NumberFormat.grouped(audit.k))
    facts.append("prosecutor = journalist risk (1/k)", NumberFormat.percent(audit.prosecutorRisk))
    facts.append("marketer risk (classes/rows)", NumberFormat.percent(audit.marketerRisk))
    facts.append("mean of 1/class over classes", NumberFormat.percent(audit.averageClassRisk))
    facts.append(
      "rows in classes below \(anonymity.wanted.k)",
      NumberFormat.percent(audit.recordsAtRisk(anonymity.wanted.k)))
    var lines = ["", facts.text(style: style)]
    if !anonymity.diversities.isEmpty {
      var table = Table([
        .text("sensitive"), .number("distinct l"), .number("entropy l"), .number("recursive l"),
        .number("t"), .number("alpha"),
      ])
      for (column, value) in anonymity.diversities {
        table.append(
          column, "\(value.distinct)", NumberFormat.fixed(value.entropy, 2), "\(value.recursive)",
          NumberFormat.fixed(value.closeness), NumberFormat.fixed(value.alpha))
      }
      lines += ["", table.text(style: style)]
    }
    var smallest = Table([.text("smallest classes"), .number("rows"), .text("where")])
    for (values, rows) in audit.smallestClasses(limit) where rows.count < anonymity.wanted.k {
      smallest.append(
        values.joined(separator: ", "), "\(rows.count)",
        rows.prefix(5).map { anonymity.places[$0] }.joined(separator: ", "))
    }
    if !smallest.rows.isEmpty { lines += ["", smallest.text(style: style)] }
    return lines
  }

  var json: JSONValue {
    var object: JSONObject = [
      "input": .string(name), "texts": .integer(Int64(textCount)),
      "personal_data": .object(
        JSONObject(
          PersonalDataKind.allCases.map { ($0.rawValue, .integer(Int64(counts[$0] ?? 0))) })),
      "findings": .array(
        findings.map {
          [
            "kind": .string($0.kind.rawValue), "where": .string($0.place),
            "what": .string($0.shown),
          ]
        }),
    ]
    if let anonymity { object["anonymity"] = json(of: anonymity) }
    object["faults"] = .array(faults.map(JSONValue.string))
    object["verdict"] = .string(faults.isEmpty ? "passed" : "failed")
    return .object(object)
  }

  private func json(of anonymity: Anonymity) -> JSONValue {
    let audit = anonymity.audit
    return [
      "quasi": .array(anonymity.columns.map(JSONValue.string)),
      "rows": .integer(Int64(audit.rowCount)), "classes": .integer(Int64(audit.classes.count)),
      "k": .integer(Int64(audit.k)), "prosecutor_risk": .number(audit.prosecutorRisk),
      "journalist_risk": .number(audit.prosecutorRisk),
      "marketer_risk": .number(audit.marketerRisk),
      "average_class_risk": .number(audit.averageClassRisk),
      "records_at_risk": .number(audit.recordsAtRisk(anonymity.wanted.k)),
      "sensitive": .object(
        JSONObject(
          anonymity.diversities.map { column, value in
            (
              column,
              [
                "distinct_l": .integer(Int64(value.distinct)), "entropy_l": .number(value.entropy),
                "recursive_l": .integer(Int64(value.recursive)), "t": .number(value.closeness),
                "alpha": .number(value.alpha),
              ]
            )
          })),
      "smallest_classes": .array(
        audit.smallestClasses(limit).map { values, rows in
          [
            "values": .array(values.map(JSONValue.string)),
            "rows": .array(rows.map { .string(anonymity.places[$0]) }),
          ]
        }),
    ]
  }
}
