import Rollouts
import TrajectoryStore

extension Query {
  /// The most values of a column that a report is made for.
  private static let sliceLimit = 50

  /// A report once for each value of a column of the problems, the most frequent first.
  func answer(report name: String, _ words: [String], by column: String) throws {
    guard let report = Report.named(name), report.filters.contains(.condition) else {
      let able = Report.all.filter { $0.filters.contains(.condition) }.map(\.name)
      throw UsageError(
        "--by needs a report of trajectories, which '\(name)' is not: \(able.joined(separator: ", "))"
      )
    }
    let slices = try slices(by: column)
    let pages = try slices.map { value in
      (value: value, page: try page(of: name, words, slice: Slice(column: column, value: value)))
    }
    switch format {
    case .json:
      let json: JSONValue = [
        "by": .string(column),
        "slices": .array(
          pages.map { value, page in
            ["value": .string(value), "report": ReportPrinter.json(of: page)]
          }),
      ]
      context.print(exactly: json.prettyJSONText)
    case .table:
      for (index, (value, page)) in pages.enumerated() {
        if index > 0 { context.print() }
        var titled = page
        titled.title = "\(column) = \(value) · \(page.title)"
        try printer.write(titled, as: .table)
      }
    case .jsonl, .csv, .markdown:
      var rows = RowPrinter(context, format, isFull: arguments.flag("full"))
      var hasBegun = false
      for (value, page) in pages {
        guard let table = page.mainTable else {
          throw UsageError("this report has no rows to write as \(format.rawValue); use --json")
        }
        if !hasBegun { rows.begin([column] + table.columns.map(\.key)) }
        hasBegun = true
        for row in table.rows where !rows.add([.text(value)] + row) { break }
      }
      rows.end()
    }
  }

  /// A value of a column.
  struct Slice {
    var column: String
    var value: String
  }

  private var printer: ReportPrinter {
    ReportPrinter(context, isFull: arguments.flag("full"), coloring: coloring)
  }

  /// The values of a column, by how many problems have them.
  private func slices(by column: String) throws -> [String] {
    guard !column.contains("\"") else {
      throw UsageError("--by: the name of a column holds no quotation mark")
    }
    let run = try session.rows("SELECT max(id) FROM runs").rows.first?[0].integer
    let id = arguments.integer("run") ?? run ?? 0
    let found = try session.rows(
      """
      SELECT CAST(json_extract(columns, :path) AS TEXT) AS value, count(*) FROM problems
      WHERE run_id = :run AND value IS NOT NULL GROUP BY value ORDER BY count(*) DESC, value LIMIT :limit
      """,
      parameters: [
        "path": .text(Self.path(column)), "run": .integer(Int64(id)),
        "limit": .integer(Int64(Self.sliceLimit + 1)),
      ])
    guard !found.rows.isEmpty else {
      let known = try TrajectoryReader(readOnly: location.log).columnNames(run: id)
      let hint = Spelling.nearest(to: column, among: known).map { "did you mean '\($0)'?" }
      throw UsageError(
        "--by: no problem has a column '\(column)'; "
          + (hint ?? "there are \(known.isEmpty ? "none" : known.joined(separator: ", "))"))
    }
    guard found.rows.count <= Self.sliceLimit else {
      throw UsageError(
        "--by: the column '\(column)' has more than \(Self.sliceLimit) values; take one with fewer")
    }
    return found.rows.map { $0[0].plainText }
  }

  private static func path(_ column: String) -> String { "$.\"\(column)\"" }

  /// Narrows a filter to the problems of a slice.
  static func narrow(_ filter: inout TrajectoryFilter, to slice: Slice) {
    let condition =
      "problem_id IN (SELECT id FROM problems WHERE CAST(json_extract(columns, :slice_path) AS TEXT) = :slice_value)"
    filter.condition = filter.condition.map { "(\($0)\n) AND \(condition)" } ?? condition
    filter.parameters["slice_path"] = .text(path(slice.column))
    filter.parameters["slice_value"] = .text(slice.value)
  }
}
