import CSQLite
import Foundation

/// The log's format: how a file says that it is a log and which version it has.
enum LogFormat {
  /// `GRPO` in ASCII, in the file's header (`PRAGMA application_id`).
  static let applicationID = 0x4752_504F

  /// The version of a new log.
  static var current: Int { migrations.last?.version ?? 1 }

  /// What a file is, as far as its header tells.
  enum State: Equatable {
    case empty
    case log(version: Int)
    case foreign
  }

  static func state(of connection: Connection) throws(StoreError) -> State {
    let identifier = try connection.integer("PRAGMA application_id") ?? 0
    if identifier == applicationID {
      return .log(version: try connection.integer("PRAGMA user_version") ?? 0)
    }
    let tables = try connection.integer("SELECT count(*) FROM sqlite_schema") ?? 0
    return identifier == 0 && tables == 0 ? .empty : .foreign
  }

  /// Refuses files that are no log, or a newer one.
  static func check(_ state: State, path: String) throws(StoreError) {
    switch state {
    case .empty:
      throw StoreError(.notALog, "\(path) holds no log: the run stopped before its first commit.")
    case .foreign:
      throw StoreError(
        .notALog, "\(path) is an SQLite database, but no trajectory log.",
        remedy: "Name a run folder, or its trajectories.sqlite.")
    case .log(let version) where version > current:
      throw StoreError(
        .newerLog,
        "The log \(path) has format \(version), which is newer than this program's \(current).",
        remedy: "Use the version of grpo that wrote it, or a later one.")
    case .log: break
    }
  }

  /// Refuses a log whose tables are missing, or have something else in their place: reading a view that
  /// calls itself `steps` may never end.
  static func checkTables(of connection: Connection) throws(StoreError) {
    let names = tables.map { "'\($0)'" }.joined(separator: ", ")
    let statement = try connection.prepare(
      """
      SELECT count(*), total(type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%') FROM sqlite_schema
      WHERE name IN (\(names))
      """)
    guard try statement.step() else { return }
    let (found, real) = (statement.integer(0), statement.integer(1))
    statement.reset()
    let version = try connection.integer("PRAGMA user_version")
    guard found == real, found == tables.count || version != current else {
      throw StoreError(
        .damaged, "The log \(connection.path) lacks tables, or has something else in their place.",
        remedy: "It was changed by another program; use a backup.")
    }
  }

  /// The tables of `currentSchema`.
  private static let tables = currentSchema.split(separator: "\n").compactMap { line -> String? in
    let words = line.split(separator: " ")
    return words.count > 2 && words[0] == "CREATE" && words[1] == "TABLE" ? String(words[2]) : nil
  }

  /// What a view of `currentSchema` selects, for those who can't trust the one in a file.
  static func selection(ofView name: String) -> String {
    let opening = "CREATE VIEW \(name) AS"
    guard let start = currentSchema.firstRange(of: opening)?.upperBound,
      let end = currentSchema[start...].firstIndex(of: ";")
    else { return "" }
    return String(currentSchema[start..<end])
  }

  /// Makes the tables of a new log.
  static func create(in connection: Connection) throws(StoreError) {
    try connection.transaction { () throws(StoreError) in
      try connection.execute(currentSchema)
      try mark(connection, version: current)
    }
  }

  /// Brings a log to the newest format, after a backup beside it.
  static func migrate(
    _ connection: Connection, from version: Int, migrations: [Migration] = migrations
  ) throws(StoreError) {
    let pending = migrations.filter { $0.version > version }
    guard !pending.isEmpty else { return }
    try backUp(connection, version: version)
    for migration in pending {
      do throws(StoreError) {
        try connection.transaction { () throws(StoreError) in
          try connection.execute(migration.sql)
          try mark(connection, version: migration.version)
        }
      } catch {
        // Neither the permission nor what it wrote outlives a migration that failed.
        sqlite3_exec(connection.handle, "PRAGMA writable_schema = RESET", nil, nil, nil)
        throw error
      }
    }
  }

  private static func mark(_ connection: Connection, version: Int) throws(StoreError) {
    try connection.execute("PRAGMA application_id = \(applicationID)")
    try connection.execute("PRAGMA user_version = \(version)")
  }

  private static func backUp(_ connection: Connection, version: Int) throws(StoreError) {
    let backup = "\(connection.path).format-\(version).backup"
    let partial = backup + ".partial"
    try? FileManager.default.removeItem(atPath: partial)
    try connection.prepare("VACUUM INTO ?").run(partial)
    guard rename(partial, backup) == 0 else {
      throw StoreError(.unreachable, "The backup \(backup) can't be written.")
    }
  }
}
