/// A table as `--canonical` sees it: what is deterministic, in the order of its key.
struct CanonicalTable {
  var name: String
  /// The columns of the key, in order.
  var key: [String]
  /// The columns that are written, in the order of the table.
  var columns: [String]
  /// SQL that selects those columns in the order of the key.
  var sql: String

  /// The tables of a log, in the order of its schema; indexes of texts are no tables of their own.
  static func all(in connection: Connection) throws(StoreError) -> [CanonicalTable] {
    let statement = try connection.prepare(
      """
      SELECT s.name, s.sql FROM sqlite_schema AS s JOIN pragma_table_list AS l ON l.name = s.name
      WHERE s.type = 'table' AND l.type = 'table' AND l.schema = 'main'
        AND s.name NOT LIKE 'sqlite_%' ORDER BY s.rowid
      """)
    var tables: [CanonicalTable] = []
    while try statement.step() {
      let left = NondeterministicColumns(of: statement.text(1))
      if left.isWholeTable { continue }
      tables.append(
        try CanonicalTable(statement.text(0), without: left, in: connection))
    }
    return tables
  }

  private init(
    _ name: String, without left: NondeterministicColumns, in connection: Connection
  ) throws(StoreError) {
    self.name = name
    let statement = try connection.prepare("SELECT name, pk FROM pragma_table_info(?) ORDER BY cid")
    try statement.bind(name)
    var keyed: [(place: Int, name: String)] = []
    columns = []
    while try statement.step() {
      let column = statement.text(0)
      if statement.integer(1) > 0 { keyed.append((statement.integer(1), column)) }
      if !left.names.contains(column) { columns.append(column) }
    }
    key = keyed.sorted { $0.place < $1.place }.map(\.name)
    let condition = left.rows.map { " WHERE NOT (\($0))" } ?? ""
    sql =
      "SELECT \(columns.joined(separator: ", ")) FROM \(name)\(condition) "
      + "ORDER BY \(key.isEmpty ? "rowid" : key.joined(separator: ", "))"
  }
}
