import Foundation
import TestSupport

@testable import TrajectoryStore

/// Runs whose log was written by somebody else: extreme numbers, control characters, wrong types, and damaged pages.
enum HostileLogs {
  /// The run folders, as command lines name them.
  static let runs = (0..<8).map { "./hostile-\($0)" }

  private static let values = [
    "-9223372036854775807-1", "9223372036854775807", "1<<62", "-1", "0", "9e999", "-9e999",
    "5e-324",
    "NULL", "''", "'\u{1B}[2J\u{202E}'", "'not json'", "'[[[[[[[['",
    "'{\"a\":-9223372036854775808}'",
    "x''", "x'00'", "randomblob(7)", "zeroblob(4096)", "x'0000C07F'", "x'FFFFFFFFFFFFFFFF'",
  ]

  /// Makes the runs from a whole one.
  static func make(from run: String) throws {
    for (index, name) in runs.enumerated() {
      try FileManager.default.copyItem(atPath: run, toPath: name)
      var random = ByteMutator(seed: UInt64(index) + 77)
      let log = "\(name)/\(LogLocation.fileName)"
      try falsify(log, &random)
      guard index % 4 == 3 else { continue }
      // Pages behind the first, whose header says what the file is.
      var bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: log)))
      for _ in 0..<40 {
        bytes[4096 + random.below(bytes.count - 4096)] ^= 1 << UInt8(random.below(8))
      }
      try Data(bytes).write(to: URL(fileURLWithPath: log))
    }
  }

  /// Sets columns to what no run of ours writes there, of one row or of all.
  private static func falsify(_ log: String, _ random: inout ByteMutator) throws {
    let connection = try Connection(path: log, mode: .readWrite)
    try connection.execute(
      """
      PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF; PRAGMA journal_mode = DELETE;
      PRAGMA synchronous = OFF
      """)
    let columns = try connection.rows(
      """
      SELECT m.name, c.name FROM sqlite_schema AS m, pragma_table_info(m.name) AS c
      WHERE m.type = 'table' AND m.sql LIKE 'CREATE TABLE%' AND m.name NOT LIKE 'sqlite_%'
      ORDER BY m.name, c.cid
      """
    )
    for _ in 0..<(2 + random.below(10)) {
      let column = columns[random.below(columns.count)]
      let value = values[random.below(values.count)]
      let rows =
        random.below(2) == 0 ? "" : " WHERE rowid = (SELECT max(rowid) FROM \"\(column[0])\")"
      // What a key or NOT NULL refuses cannot be in a log either.
      try? connection.execute(
        "UPDATE OR IGNORE \"\(column[0])\" SET \"\(column[1])\" = \(value)\(rows)")
    }
  }

  /// Questions beside the reports.
  static let questions = [
    "SELECT -9223372036854775807-1", "SELECT abs(-9223372036854775807-1)",
    "SELECT * FROM trajectories", "SELECT * FROM runs",
    "SELECT 9e999, -9e999, NULL, x'00', zeroblob(9)",
    "SELECT char(27)||'[2J' AS \"\u{1B}[31m\"", "SELECT * FROM completion_tokens",
    "SELECT value FROM floats(x'000000')",
    "SELECT * FROM floats((SELECT sampler_logprobs FROM completion_tokens))",
    "SELECT * FROM ints(zeroblob(8))", "SELECT sum(step) FROM steps", "SELECT 1; SELECT 2",
    "SELEC 1",
    "DELETE FROM runs", "SELECT randomblob(:n)", "SELECT printf('%.*c', 1000000000, 'x')",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
  ]
}

extension Connection {
  /// The texts of a query's rows.
  fileprivate func rows(_ sql: String) throws -> [[String]] {
    let statement = try prepare(sql)
    var rows: [[String]] = []
    while try statement.step() { rows.append([statement.text(0), statement.text(1)]) }
    return rows
  }
}
