/// What of a table may differ between two runs of the same inputs, read from the table's comments.
///
/// The marks stand in the CREATE TABLE statement, which SQLite keeps as it was written: the file
/// itself says what of it is nondeterministic, and an export follows the schema it finds there.
struct NondeterministicColumns: Equatable {
  /// Whether the whole table is nondeterministic.
  var isWholeTable = false
  /// An SQL condition on the rows that are nondeterministic.
  var rows: String?
  /// The nondeterministic columns.
  var names: Set<String> = []

  /// The words that open a mark; the second is that of logs of format 1.
  private static let marks = ["[nondeterministic", "[circumstance"]

  /// Reads the marks of a CREATE TABLE statement, one column definition per line.
  init(of statement: String) {
    for line in statement.split(separator: "\n") {
      guard let dashes = line.firstRange(of: "--"),
        let mark = Self.marks.lazy.compactMap({ line[dashes.upperBound...].firstRange(of: $0) })
          .first,
        let close = line[mark.upperBound...].lastIndex(of: "]")
      else { continue }
      let definition = line[..<dashes.lowerBound].drop { $0 == " " }
      let rest = line[mark.upperBound..<close]
      if !definition.isEmpty {
        names.insert(String(definition.prefix { $0 != " " }))
      } else if rest.hasPrefix(" where ") {
        rows = String(rest.dropFirst(" where ".count))
      } else {
        isWholeTable = true
      }
    }
  }
}
