import CSQLite
import Rollouts

/// One SQLite connection with its prepared statements; used by one thread at a time.
///
/// SQLite's own mutexes are off (`SQLITE_OPEN_NOMUTEX`), which its manual allows as long as no two
/// threads use one connection at once: the owners of a connection see to that.
final class Connection {
  /// How a database is opened.
  enum Mode {
    case create, readWrite, readOnly
    /// Read-only, trusting that nobody writes: for logs in folders that can't be written.
    case immutable
  }

  let handle: OpaquePointer
  let path: String
  private var statements: [String: Statement] = [:]

  init(path: String, mode: Mode) throws(StoreError) {
    self.path = path
    if let fault = RegularFile.fault(at: path) { throw StoreError(.notALog, "\(path) \(fault).") }
    var flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
    var name = path
    switch mode {
    case .create: flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
    case .readWrite: flags |= SQLITE_OPEN_READWRITE
    case .readOnly: flags |= SQLITE_OPEN_READONLY
    case .immutable:
      flags |= SQLITE_OPEN_READONLY | SQLITE_OPEN_URI
      name = "file:\(Self.uriEscaped(path))?immutable=1"
    }
    var database: OpaquePointer?
    let code = sqlite3_open_v2(name, &database, flags, nil)
    guard code == SQLITE_OK, let database else {
      let message = String(cString: sqlite3_errstr(code))
      sqlite3_close_v2(database)
      throw .sqlite(code: code, message: message, path: path)
    }
    handle = database
    sqlite3_busy_timeout(database, 10_000)
  }

  deinit {
    statements.removeAll()
    sqlite3_close_v2(handle)
  }

  private static func uriEscaped(_ path: String) -> String {
    var text = ""
    for byte in path.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "."),
        UInt8(ascii: "-"), UInt8(ascii: "_"):
        text.unicodeScalars.append(Unicode.Scalar(byte))
      default:
        text += (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
      }
    }
    return text
  }

  /// Executes one or more statements without parameters.
  func execute(_ sql: String) throws(StoreError) {
    let code = sqlite3_exec(handle, sql, nil, nil, nil)
    if code != SQLITE_OK { throw fault(code) }
  }

  /// A prepared statement, kept for the next time; rewound and without its old values.
  func prepared(_ sql: String) throws(StoreError) -> Statement {
    if let statement = statements[sql] {
      statement.reset()
      return statement
    }
    let statement = try prepare(sql, persistent: true)
    statements[sql] = statement
    return statement
  }

  /// A prepared statement that is not kept.
  func prepare(_ sql: String, persistent: Bool = false) throws(StoreError) -> Statement {
    var statement: OpaquePointer?
    let flags = persistent ? UInt32(bitPattern: SQLITE_PREPARE_PERSISTENT) : 0
    let code = sqlite3_prepare_v3(handle, sql, -1, flags, &statement, nil)
    guard code == SQLITE_OK, let statement else {
      throw fault(code == SQLITE_OK ? SQLITE_MISUSE : code)
    }
    return Statement(statement, path: path)
  }

  /// The first column of the first row, as an integer.
  func integer(_ sql: String) throws(StoreError) -> Int? {
    let statement = try prepare(sql)
    return try statement.step() ? statement.optionalInteger(0) : nil
  }

  /// The row that the last INSERT made.
  var lastInsertedRow: Int64 { sqlite3_last_insert_rowid(handle) }

  /// Runs a body in one transaction: committed, hence durable, when it returns; undone where it throws.
  func transaction<Result>(
    _ body: () throws(StoreError) -> Result
  ) throws(StoreError) -> Result {
    try execute("BEGIN IMMEDIATE")
    do throws(StoreError) {
      let result = try body()
      try execute("COMMIT")
      return result
    } catch {
      // Some faults (a full disk) have rolled back by themselves.
      if sqlite3_get_autocommit(handle) == 0 { sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
      throw error
    }
  }

  /// Refuses to go on where the file is no longer where it was opened: SQLite would go on reading and
  /// writing a deleted file without a word.
  func checkPresence() throws(StoreError) {
    var hasMoved: Int32 = 0
    sqlite3_file_control(handle, "main", SQLITE_FCNTL_HAS_MOVED, &hasMoved)
    guard hasMoved == 0 else {
      throw StoreError(
        .damaged, "The log \(path) was deleted or moved while it was in use.",
        remedy: "Restore it, or start a new run.")
    }
  }

  func fault(_ code: Int32) -> StoreError {
    .sqlite(code: code, message: String(cString: sqlite3_errmsg(handle)), path: path)
  }
}

extension Connection {
  /// A column of a log as a query names it: NULL where the log's format is older than the column.
  func column(_ name: String, since version: Int) throws(StoreError) -> String {
    (try integer("PRAGMA user_version") ?? 0) >= version ? name : "NULL"
  }
}
