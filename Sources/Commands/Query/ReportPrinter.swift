import Rollouts
import TrajectoryStore

/// Writes a report's page: for people at a terminal, or for programs.
struct ReportPrinter {
  private let context: CommandContext
  private let cells: CellFormat
  private let coloring: TokenColoring

  init(_ context: CommandContext, isFull: Bool, coloring: TokenColoring) {
    self.context = context
    self.coloring = coloring
    cells = CellFormat(isFull: isFull)
  }

  /// Writes the page; formats of rows write its main table.
  func write(_ page: ReportPage, as format: ResultFormat) throws(UsageError) {
    switch format {
    case .table: writeForPeople(page)
    case .json: context.print(exactly: Self.json(of: page).prettyJSONText)
    case .jsonl, .csv, .markdown:
      guard let table = page.mainTable else {
        throw UsageError("this report has no rows to write as \(format.rawValue); use --json")
      }
      var rows = RowPrinter(context, format, isFull: cells.isFull)
      rows.begin(table.columns.map(\.key))
      for row in table.rows where !rows.add(row) { break }
      rows.end()
    }
  }

  /// The page as one object: a member a section.
  static func json(of page: ReportPage) -> JSONValue {
    var object = JSONObject()
    object["title"] = .string(page.title)
    var notes: [JSONValue] = []
    for section in page.sections {
      switch section {
      case .facts(let key, _, let facts):
        object[key] = .object(
          JSONObject(facts.map { ($0.name.replacing(" ", with: "_"), $0.value.json) }))
      case .table(let key, _, let table):
        object[key] = .array(
          table.rows.map { row in
            .object(JSONObject(zip(table.columns.map(\.key), row.map(\.json))))
          })
      case .curves(let key, _, let curves):
        object[key] = .array(
          curves.map { curve in
            [
              "name": .string(curve.name),
              "steps": .array(curve.steps.map { .integer(Int64($0)) }),
              "values": .array(curve.values.map { $0.isFinite ? .number($0) : .null }),
            ]
          })
      case .text(let key, _, let text): object[key] = .string(text)
      case .tokens(let key, _, let tokens): object[key] = .array(tokens.map(json(of:)))
      case .note(let text): notes.append(.string(text))
      }
    }
    if !notes.isEmpty { object["notes"] = .array(notes) }
    return .object(object)
  }

  private static func json(of token: ReportSection.TokenCell) -> JSONValue {
    var object = JSONObject()
    object["id"] = .integer(Int64(token.id))
    object["text"] = token.text.map { .string($0) }
    for (name, value) in [
      ("logprob", token.logProbability), ("entropy", token.entropy), ("ratio", token.ratio),
      ("advantage", token.advantage),
    ] { object[name] = value.map { $0.isFinite ? .number($0) : .null } }
    if token.isObserved { object["observed"] = true }
    object["kept"] = token.keptCount.map { .integer(Int64($0)) }
    object["excluded"] = token.excludedCount.map { .integer(Int64($0)) }
    return .object(object)
  }

  private func writeForPeople(_ page: ReportPage) {
    context.print(context.style.bold(page.title))
    for section in page.sections {
      switch section {
      case .facts(_, let title, let facts): write(title, facts: facts)
      case .table(_, let title, let table): write(title, table)
      case .curves(_, let title, let curves): write(title, curves)
      case .text(let key, let title, let text):
        heading(title)
        let safe = TextLayout.withoutControls(key == "prompt" ? PromptText.readable(text) : text)
        let lines = TextLayout.fold(safe, width: min(context.width, 100) - 2)
        context.print(lines.map { "  " + $0 }.joined(separator: "\n"))
      case .tokens(_, let title, let tokens):
        heading(title)
        context.print(coloring.text(of: tokens, in: context))
      case .note(let text): context.print("\n" + context.style.dim(text))
      }
    }
  }

  private func heading(_ title: String) {
    context.print()
    if !title.isEmpty { context.print(context.style.bold(title)) }
  }

  private func write(_ title: String, facts: [ReportSection.Fact]) {
    heading(title)
    let width = facts.map { TextLayout.width(of: $0.name) }.max() ?? 0
    for fact in facts {
      let value = TextLayout.singleLine(cells.text(fact.value, fact.format))
      let room = context.isTerminal && !cells.isFull ? context.width - width - 4 : Int.max
      context.print(
        "  " + TextLayout.pad(fact.name, to: width) + "  "
          + TextLayout.truncate(value.isEmpty ? "–" : value, to: max(10, room)))
    }
  }

  private func write(_ title: String, _ table: ReportTable) {
    heading(title)
    guard !table.rows.isEmpty else {
      context.print("  none")
      return
    }
    let columns = table.columns.enumerated().map { index, column in
      let isText = table.rows.contains { row in
        if case .text = row[index] { return true } else { return false }
      }
      var shown = isText ? Table.Column.text(column.title) : .number(column.title)
      shown.rank = column.rank
      shown.losesStart = column.format.losesStart
      return shown
    }
    let rows = table.rows.map { row in
      zip(row, table.columns).map { cells.text($0, $1.format) }
    }
    let width = context.isTerminal && !cells.isFull ? context.width : nil
    context.print(
      shortened(Table(columns, rows: rows), table)
        .text(width: width, folds: table.isWhole, style: context.style))
  }

  /// Where nothing says how wide to be, long texts are cut all the same: a report is one screen.
  private func shortened(_ table: Table, _ report: ReportTable) -> Table {
    guard !cells.isFull, !report.isWhole, !context.isTerminal else { return table }
    var table = table
    for (index, column) in report.columns.enumerated()
    where column.format == .text || column.format.losesStart {
      for row in table.rows.indices {
        let line = TextLayout.singleLine(table.rows[row][index])
        table.rows[row][index] =
          column.format.losesStart
          ? TextLayout.truncateStart(line, to: 60) : TextLayout.truncate(line, to: 60)
      }
    }
    return table
  }

  private func write(_ title: String, _ curves: [ReportSection.Curve]) {
    heading(title)
    var table = Table([
      .text(""), .number("first"), .number("last"), .number("min"), .number("max"), .text(""),
    ])
    for curve in curves {
      let values = curve.values.filter(\.isFinite)
      func number(_ value: Double?) -> String {
        value.map { cells.text(.real($0), .number) } ?? ""
      }
      table.append(
        curve.name, number(values.first), number(values.last), number(values.min()),
        number(values.max()), Sparkline.draw(curve.values, width: 32))
    }
    guard !table.rows.isEmpty else {
      context.print("  none")
      return
    }
    context.print(table.text(width: context.isTerminal ? context.width : nil, style: context.style))
  }
}
