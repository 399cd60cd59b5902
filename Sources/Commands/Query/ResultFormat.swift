import Rollouts
import TrajectoryStore

/// How results are written.
enum ResultFormat: String, CaseIterable, Sendable {
  case table, json, jsonl, csv, markdown

  /// The flags that choose it.
  static let options: [OptionSpecification] = [
    .json,
    .flag("jsonl", help: "print a JSON object per row"),
    .flag("csv", help: "print CSV with a header"),
    .flag("markdown", help: "print a Markdown table"),
    .flag("full", help: "cut nothing to fit the terminal, and print every digit"),
  ]

  /// The format that is asked for.
  /// - Throws: `UsageError` where several are.
  init(_ arguments: ParsedArguments) throws(UsageError) {
    let chosen = Self.allCases.filter { $0 != .table && arguments.flag($0.rawValue) }
    if chosen.count > 1 {
      let names = chosen.map { "--\($0.rawValue)" }.joined(separator: " and ")
      throw UsageError("\(names) exclude each other: one format at a time")
    }
    self = chosen.first ?? .table
  }
}

/// How a value is written for people, or exactly.
struct CellFormat {
  /// Whether nothing is rounded or cut.
  var isFull: Bool

  /// The cell of a value; `format` says what kind of number it is.
  func text(_ value: QueryValue, _ format: ReportTable.Format = .plain) -> String {
    switch (value, format) {
    case (.null, _): return ""
    case (.blob(let bytes), _):
      let shown = isFull ? bytes[...] : bytes.prefix(8)
      let digits = QueryValue.blob(Array(shown)).plainText
      return "x'\(digits)\(shown.count < bytes.count ? "…" : "")'"
        + (isFull ? "" : " (\(NumberFormat.bytes(bytes.count)))")
    case (.text(let json), .object): return object(json) ?? json
    case (.text(let prompt), .prompt): return PromptText.readable(prompt)
    case (_, .ending): return value.plainText
    case (_, .share): return value.double.map { NumberFormat.percent($0) } ?? value.plainText
    case (_, .seconds): return value.double.map { NumberFormat.duration($0) } ?? value.plainText
    case (.real(let number), .number):
      return isFull ? value.plainText : NumberFormat.significant(number, 4)
    case (.real(let number), _):
      return isFull ? value.plainText : NumberFormat.significant(number, 6)
    case (.integer(let number), .plain) where !isFull && number.magnitude >= 1_000_000:
      return NumberFormat.grouped(Int(number))
    default: return value.plainText
    }
  }

  /// A JSON object as people read it, `digits 0.3, form 1`; nil where the text is none.
  private func object(_ json: String) -> String? {
    guard let object = (try? JSONValue.parse(json))?.object else { return nil }
    return object.map { name, value in
      switch value {
      case .integer(let number): "\(name) \(text(.integer(number)))"
      case .number(let number): "\(name) \(text(.real(number), .number))"
      case .string(let text): "\(name) \(text)"
      default: "\(name) \(value.jsonText)"
      }
    }.joined(separator: ", ")
  }
}
