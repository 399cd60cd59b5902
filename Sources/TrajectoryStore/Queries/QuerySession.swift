import CSQLite
import Foundation

/// A read-only connection for questions that a person wrote; used by one thread at a time.
///
/// Nothing that it executes can change anything: the file is opened read-only, `query_only` is on,
/// and an authorizer refuses what is not reading: ATTACH, PRAGMAs that set, extensions, temporary
/// tables. `floats(blob)`, `doubles(blob)` and `ints(blob)` are tables of an array's numbers.
public final class QuerySession {
  let connection: Connection
  private let watch = QueryWatch()

  /// The file.
  public let path: String

  /// Opens a log.
  /// - Throws: `StoreError` where there is no log, or a newer one.
  public init(readOnly url: URL) throws(StoreError) {
    path = url.path
    connection = try TrajectoryReader.connection(to: url.path)
    try connection.execute("PRAGMA query_only = ON; PRAGMA trusted_schema = OFF")
    // The page cache is what makes a second report quick; the memory map what makes it cheap.
    try connection.execute("PRAGMA cache_size = -65536; PRAGMA mmap_size = 4294967296")
    try ArrayTables.register(in: connection)
    sqlite3_limit(connection.handle, SQLITE_LIMIT_LENGTH, Self.lengthLimit)
    sqlite3_limit(connection.handle, SQLITE_LIMIT_ATTACHED, 0)
    sqlite3_set_authorizer(connection.handle, Self.authorize, nil)
  }

  /// Bytes of the longest text or blob that a query may make; bounds its memory.
  private static let lengthLimit: Int32 = 64 << 20

  /// Runs one statement and hands over its rows as they come.
  ///
  /// - Parameters:
  ///   - sql: One statement that reads.
  ///   - parameters: Values by name, without the `:`, `@` or `$` of the query.
  ///   - timeLimit: Seconds after which the query is stopped; nil for none.
  ///   - isInterrupted: Asked now and then; true stops the query.
  ///   - overdue: See `watching`.
  ///   - columns: Called once, before any row, with the names of the columns.
  ///   - row: Called for each row; false ends the query.
  /// - Throws: `StoreError` of kind `query`, `timeLimit` or `interrupted`, or what befell the file.
  public func run(
    _ sql: String, parameters: [String: QueryValue] = [:], timeLimit: Double? = nil,
    isInterrupted: @escaping () -> Bool = { false },
    overdue: (@Sendable (StoreError) -> Void)? = nil,
    columns: ([String]) -> Void = { _ in }, row: ([QueryValue]) -> Bool
  ) throws(StoreError) {
    let statement = try prepare(sql)
    try bind(parameters, to: statement, of: sql)
    let count = sqlite3_column_count(statement.handle)
    columns(
      (0..<count).map { column in
        sqlite3_column_name(statement.handle, column).map { String(cString: $0) } ?? ""
      })
    try watching(timeLimit: timeLimit, isInterrupted: isInterrupted, overdue: overdue) {
      () throws(StoreError) in
      while try statement.step() {
        if !row((0..<count).map { statement.value($0) }) { return }
      }
    }
  }

  /// Runs one statement and collects its rows.
  /// - Parameter limit: The most rows to keep.
  public func rows(
    _ sql: String, parameters: [String: QueryValue] = [:], timeLimit: Double? = nil,
    limit: Int = .max
  ) throws(StoreError) -> QueryResult {
    var result = QueryResult(columns: [], rows: [])
    try run(
      sql, parameters: parameters, timeLimit: timeLimit, columns: { result.columns = $0 },
      row: {
        result.rows.append($0)
        return result.rows.count < limit
      })
    return result
  }

  /// Runs a body under a time limit and the user's Ctrl-C, which every statement within obeys.
  ///
  /// SQLite asks between the steps of its machine, of which one may be a function that takes hours. Whoever
  /// must not wait for it gives `overdue`.
  /// - Parameter overdue: Called on another thread where the body has not ended a second after its limit.
  public func watching<Result>(
    timeLimit: Double?, isInterrupted: @escaping () -> Bool,
    overdue: (@Sendable (StoreError) -> Void)? = nil,
    _ body: () throws(StoreError) -> Result
  ) throws(StoreError) -> Result {
    watch.deadline = timeLimit.map { ContinuousClock.now + .seconds($0) }
    watch.isInterrupted = isInterrupted
    watch.hasExpired = false
    let alarm = timeLimit.flatMap { limit in
      overdue.map { overdue in
        OverdueAlarm(after: limit + Self.grace) { overdue(Self.tookTooLong(limit, code: 0)) }
      }
    }
    defer { alarm?.cancel() }
    sqlite3_progress_handler(
      connection.handle, 20_000, Self.progress, Unmanaged.passUnretained(watch).toOpaque())
    defer {
      sqlite3_progress_handler(connection.handle, 0, nil, nil)
      watch.isInterrupted = { false }
    }
    do throws(StoreError) { return try body() } catch  where error.kind == .interrupted {
      guard watch.hasExpired, let timeLimit else { throw error }
      throw Self.tookTooLong(timeLimit, code: error.code)
    }
  }

  /// Seconds that SQLite has to notice that a limit is over.
  private static let grace = 1.0

  private static func tookTooLong(_ limit: Double, code: Int32) -> StoreError {
    StoreError(
      .timeLimit, "The query took longer than its limit of \(limit) s.",
      remedy: "Narrow it (WHERE, LIMIT), or give it more with --time-limit.", code: code)
  }

  private func prepare(_ sql: String) throws(StoreError) -> Statement {
    var handle: OpaquePointer?
    var hasMore = false
    let code = sql.withCString { start in
      var tail: UnsafePointer<CChar>?
      let code = sqlite3_prepare_v2(connection.handle, start, -1, &handle, &tail)
      if let tail { hasMore = Self.holdsStatement(tail) }
      return code
    }
    guard code == SQLITE_OK else {
      sqlite3_finalize(handle)
      throw StoreError.sqlite(
        code: sqlite3_extended_errcode(connection.handle),
        message: String(cString: sqlite3_errmsg(connection.handle)), path: path)
    }
    guard let handle else {
      throw StoreError(.query, "The query is empty.", remedy: "Give a SELECT.")
    }
    let statement = Statement(handle, path: path)
    if hasMore {
      throw StoreError(
        .query, "The query holds more than one statement.", remedy: "Give one at a time.")
    }
    guard sqlite3_stmt_readonly(handle) != 0 else {
      throw StoreError(
        .query, "The query may only read.", remedy: "Copy the log and change the copy.")
    }
    return statement
  }

  /// Whether anything but space, comments and semicolons follows a statement.
  private static func holdsStatement(_ tail: UnsafePointer<CChar>) -> Bool {
    var rest = String(cString: tail)[...]
    while let first = rest.first {
      if first.isWhitespace || first == ";" {
        rest = rest.dropFirst()
      } else if rest.hasPrefix("--") {
        rest = rest.drop { !$0.isNewline }
      } else if rest.hasPrefix("/*") {
        rest = rest.dropFirst(2)
        while !rest.isEmpty, !rest.hasPrefix("*/") { rest = rest.dropFirst() }
        rest = rest.dropFirst(2)
      } else {
        return true
      }
    }
    return false
  }

  private func bind(
    _ parameters: [String: QueryValue], to statement: Statement, of sql: String
  ) throws(StoreError) {
    var missing: [String] = []
    var used: Set<String> = []
    for index in 0..<sqlite3_bind_parameter_count(statement.handle) {
      let name = sqlite3_bind_parameter_name(statement.handle, index + 1).map {
        String(String(cString: $0).dropFirst())
      }
      guard let name, let value = parameters[name] else {
        missing.append(name ?? "number \(index + 1)")
        continue
      }
      used.insert(name)
      _ = value.bind(to: statement.handle, at: index + 1)
    }
    if !missing.isEmpty {
      throw StoreError(
        .query, "The query has no value for \(missing.joined(separator: ", ")).",
        remedy: "Give it with --param name=value.")
    }
    let unknown = parameters.keys.filter { !used.contains($0) }.sorted()
    if !unknown.isEmpty {
      throw StoreError(
        .query, "The query has no parameter \(unknown.map { ":" + $0 }.joined(separator: ", ")).")
    }
  }
}

/// A query's answer, collected.
public struct QueryResult: Sendable, Equatable {
  /// The names of the columns.
  public var columns: [String]
  /// The rows, a value per column.
  public var rows: [[QueryValue]]
}

/// What stops a query that runs too long.
private final class QueryWatch {
  /// On a clock that nobody sets.
  var deadline: ContinuousClock.Instant?
  var isInterrupted: () -> Bool = { false }
  var hasExpired = false
}

extension QuerySession {
  /// Called by SQLite every so many steps of its machine; not 0 interrupts.
  private static let progress: @convention(c) (UnsafeMutableRawPointer?) -> Int32 = { context in
    guard let context else { return 0 }
    let watch = Unmanaged<QueryWatch>.fromOpaque(context).takeUnretainedValue()
    if let deadline = watch.deadline, ContinuousClock.now > deadline {
      watch.hasExpired = true
      return 1
    }
    return watch.isInterrupted() ? 1 : 0
  }

  /// PRAGMAs that tell without changing anything.
  private static let readingPragmas: Set<String> = [
    "table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo",
    "foreign_key_list", "foreign_key_check", "database_list", "function_list", "module_list",
    "pragma_list", "collation_list", "compile_options", "integrity_check", "quick_check",
  ]

  /// PRAGMAs that tell when they are given no value.
  private static let settings: Set<String> = [
    "user_version", "application_id", "page_count", "page_size", "freelist_count", "journal_mode",
    "schema_version", "encoding", "data_version",
  ]

  private static let authorize:
    @convention(c) (
      UnsafeMutableRawPointer?, Int32, UnsafePointer<CChar>?, UnsafePointer<CChar>?,
      UnsafePointer<CChar>?, UnsafePointer<CChar>?
    ) -> Int32 = { _, action, first, second, _, _ in
      switch action {
      case SQLITE_SELECT, SQLITE_READ, SQLITE_RECURSIVE: return SQLITE_OK
      case SQLITE_FUNCTION:
        let name = second.map { String(cString: $0).lowercased() } ?? ""
        return name == "load_extension" || name == "fts3_tokenizer" ? SQLITE_DENY : SQLITE_OK
      case SQLITE_PRAGMA:
        let name = first.map { String(cString: $0).lowercased() } ?? ""
        let isAllowed =
          readingPragmas.contains(name) || (settings.contains(name) && second == nil)
        return isAllowed ? SQLITE_OK : SQLITE_DENY
      case SQLITE_UPDATE:
        // Asked where a virtual table (FTS5, json_each, floats) declares its columns; a statement
        // that would really write there fails: the file is read-only.
        return first.map { String(cString: $0) } == "sqlite_master" ? SQLITE_OK : SQLITE_DENY
      default: return SQLITE_DENY
      }
    }
}
