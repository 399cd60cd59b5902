import Foundation
import Rollouts

/// The canonical text of a log: what "the same log" means.
///
/// One line per row, tables in the order of the schema, rows in the order of their keys, columns in
/// the order of the table, without what the schema marks as nondeterministic. Blobs are hexadecimal
/// digits; a number that JSON lacks is the string `inf`, `-inf` or `nan`.
public struct CanonicalExport {
  private let connection: Connection

  /// Opens a log.
  public init(readOnly url: URL) throws(StoreError) {
    connection = try TrajectoryReader.connection(to: url.path)
  }

  /// Hands over the lines, without line breaks; false ends the export.
  public func write(_ line: (String) -> Bool) throws(StoreError) {
    // One transaction: a consistent state, also while a trainer writes.
    try connection.execute("BEGIN")
    defer { try? connection.execute("ROLLBACK") }
    for table in try CanonicalTable.all(in: connection) {
      let statement = try connection.prepare(table.sql)
      while try statement.step() {
        var object: JSONObject = ["table": .string(table.name)]
        for (index, column) in table.columns.enumerated() {
          object[column] = Self.json(statement.value(Int32(clamping: index)))
        }
        if !line(JSONValue.object(object).jsonText) { return }
      }
    }
  }

  private static func json(_ value: QueryValue) -> JSONValue {
    if case .real(let number) = value, !number.isFinite { return .string("\(number)") }
    return value.json
  }
}
