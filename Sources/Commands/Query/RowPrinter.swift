import Rollouts
import TrajectoryStore

/// Writes the rows of a query as they come, in any format, with bounded memory.
struct RowPrinter {
  private let context: CommandContext
  private let format: ResultFormat
  private let cells: CellFormat
  private var columns: [String] = []
  private var kept: [[QueryValue]] = []
  private var count = 0

  /// The rows that a table shows: what is aligned must be held in memory.
  private static let tableLimit = 10_000

  init(_ context: CommandContext, _ format: ResultFormat, isFull: Bool) {
    self.context = context
    self.format = format
    cells = CellFormat(isFull: isFull)
  }

  /// Begins with the names of the columns.
  mutating func begin(_ names: [String]) {
    columns = Self.unique(names)
    switch format {
    case .json: context.standardOutput.write("[")
    case .csv: context.print(Self.csvLine(columns))
    case .table, .jsonl, .markdown: break
    }
  }

  /// Writes a row; false where no more are wanted.
  mutating func add(_ row: [QueryValue]) -> Bool {
    if context.standardOutput.isClosed { return false }
    count += 1
    switch format {
    case .json:
      context.standardOutput.write(exactly: (count > 1 ? ",\n " : "\n ") + object(row).jsonText)
    case .jsonl: context.print(exactly: object(row).jsonText)
    case .csv: context.print(Self.csvLine(row.map(\.plainText)))
    case .table, .markdown:
      if count > Self.tableLimit { return false }
      kept.append(row)
    }
    return true
  }

  /// Ends what was begun.
  func end() {
    switch format {
    case .json: context.print(count > 0 ? "\n]" : "]")
    case .jsonl, .csv: break
    case .markdown:
      context.print(table.markdown)
    case .table:
      let width = context.isTerminal && !cells.isFull ? context.width : nil
      context.print(table.text(width: width, style: context.style))
      if count > Self.tableLimit {
        context.note(
          "… more rows: a table shows \(Self.tableLimit); --csv and --jsonl write all of them")
      }
    }
  }

  private var table: Table {
    let columns = columns.indices.map { index in
      let isNumber =
        kept.contains { $0[index].double != nil }
        && kept.allSatisfy { $0[index] == .null || $0[index].double != nil }
      return isNumber ? Table.Column.number(self.columns[index]) : .text(self.columns[index])
    }
    return Table(columns, rows: kept.map { row in row.map { cells.text($0) } })
  }

  private func object(_ row: [QueryValue]) -> JSONValue {
    .object(JSONObject(zip(columns, row.map(\.json))))
  }

  /// Names that differ, so that no member of an object is lost: `id`, `id_2`.
  private static func unique(_ names: [String]) -> [String] {
    var seen: [String: Int] = [:]
    return names.map { name in
      seen[name, default: 0] += 1
      let count = seen[name] ?? 1
      return count == 1 ? name : "\(name)_\(count)"
    }
  }

  static func csvLine(_ fields: [String]) -> String {
    fields.map { text in
      text.contains { ",\"\n\r\r\n".contains($0) }
        ? "\"" + text.replacing("\"", with: "\"\"") + "\"" : text
    }.joined(separator: ",")
  }
}
