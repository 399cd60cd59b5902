import CSQLite
import Foundation

/// A numbered change of the log's format; never edited once released, only followed by another.
struct Migration {
  /// The version of the format that it leads to.
  var version: Int
  /// What it executes, in one transaction.
  var sql: String
}

/// The log's format: how a file says that it is a log and which version it has.
enum LogFormat {
  /// `GRPO` in ASCII, in the file's header (`PRAGMA application_id`).
  static let applicationID = 0x4752_504F

  /// All migrations in order; the first makes a new log.
  static let migrations = [Migration(version: 1, sql: schemaVersion1)]

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
  static func check(
    _ state: State, path: String, newest: Int = migrations.count
  ) throws(StoreError) {
    switch state {
    case .empty:
      throw StoreError(.notALog, "\(path) holds no log: the run stopped before its first commit.")
    case .foreign:
      throw StoreError(
        .notALog, "\(path) is an SQLite database, but no trajectory log.",
        remedy: "Name a run folder, or its trajectories.sqlite.")
    case .log(let version) where version > newest:
      throw StoreError(
        .newerLog,
        "The log \(path) has format \(version), which is newer than this program's \(newest).",
        remedy: "Use the version of grpo that wrote it, or a later one.")
    case .log: break
    }
  }

  /// Brings a file to the newest format, after a backup beside it where it holds anything.
  static func migrate(
    _ connection: Connection, from state: State, migrations: [Migration] = migrations
  ) throws(StoreError) {
    var version = 0
    if case .log(let current) = state { version = current }
    let pending = migrations.filter { $0.version > version }
    guard let last = pending.last else { return }
    if version > 0 { try backUp(connection, version: version) }
    for migration in pending {
      try connection.transaction { () throws(StoreError) in
        try connection.execute(migration.sql)
        try connection.execute("PRAGMA application_id = \(applicationID)")
        try connection.execute("PRAGMA user_version = \(migration.version)")
      }
    }
    _ = last
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
