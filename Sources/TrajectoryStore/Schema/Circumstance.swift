/// What of a table may differ between two runs of the same inputs, read from the table's comments.
///
/// The marks stand in the CREATE TABLE statement, which SQLite keeps as it was written: the file
/// itself says what its circumstance is, and an export follows the schema it finds there.
struct Circumstance: Equatable {
  /// Whether the whole table is circumstance.
  var isWholeTable = false
  /// An SQL condition on the rows that are circumstance.
  var rows: String?
  /// The columns that are circumstance.
  var columns: Set<String> = []

  /// Reads the marks of a CREATE TABLE statement, one column definition a line.
  init(of statement: String) {
    for line in statement.split(separator: "\n") {
      guard let dashes = line.firstRange(of: "--"),
        let mark = line[dashes.upperBound...].firstRange(of: "[circumstance"),
        let close = line[mark.upperBound...].lastIndex(of: "]")
      else { continue }
      let definition = line[..<dashes.lowerBound].drop { $0 == " " }
      let rest = line[mark.upperBound..<close]
      if !definition.isEmpty {
        columns.insert(String(definition.prefix { $0 != " " }))
      } else if rest.hasPrefix(" where ") {
        rows = String(rest.dropFirst(" where ".count))
      } else {
        isWholeTable = true
      }
    }
  }
}
