import CSQLite

/// A value that can be bound to a parameter of a statement.
protocol Bindable {
  /// Binds the value at an index from 1; returns SQLite's code.
  func bind(to statement: OpaquePointer, at index: Int32) -> Int32
}

/// Tells SQLite to copy the bytes before the call returns.
private let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

extension Int: Bindable {
  func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
    sqlite3_bind_int64(statement, index, Int64(self))
  }
}

extension Int64: Bindable {
  func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
    sqlite3_bind_int64(statement, index, self)
  }
}

extension Bool: Bindable {
  func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
    sqlite3_bind_int64(statement, index, self ? 1 : 0)
  }
}

extension Double: Bindable {
  /// A NaN becomes NULL, as always in SQLite.
  func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
    sqlite3_bind_double(statement, index, self)
  }
}

extension String: Bindable {
  func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
    var text = self
    return text.withUTF8 { bytes in
      bytes.withMemoryRebound(to: CChar.self) { characters in
        sqlite3_bind_text64(
          statement, index, characters.baseAddress ?? emptyText, UInt64(characters.count),
          transient, UInt8(truncatingIfNeeded: SQLITE_UTF8))
      }
    }
  }
}

/// A non-null address for empty texts and blobs: SQLite takes a null pointer for NULL.
nonisolated(unsafe) private let emptyText: UnsafePointer<CChar> = {
  // Never written after this line and never freed: safe to share.
  let pointer = UnsafeMutablePointer<CChar>.allocate(capacity: 1)
  pointer.pointee = 0
  return UnsafePointer(pointer)
}()

/// Numbers stored as a blob, little-endian (this program runs on little-endian machines only).
struct Blob<Element: BitwiseCopyable>: Bindable {
  var elements: [Element]

  init(_ elements: [Element]) { self.elements = elements }

  init?(_ elements: [Element]?) {
    guard let elements else { return nil }
    self.elements = elements
  }

  func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
    elements.withUnsafeBytes { bytes in
      sqlite3_bind_blob64(
        statement, index, bytes.baseAddress ?? UnsafeRawPointer(emptyText), UInt64(bytes.count),
        transient)
    }
  }
}

extension Optional: Bindable where Wrapped: Bindable {
  func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
    guard let self else { return sqlite3_bind_null(statement, index) }
    return self.bind(to: statement, at: index)
  }
}

/// A prepared statement of one connection; used by one thread at a time, like its connection.
final class Statement {
  let handle: OpaquePointer
  private let path: String

  init(_ handle: OpaquePointer, path: String) {
    self.handle = handle
    self.path = path
  }

  deinit { sqlite3_finalize(handle) }

  /// Binds all parameters in order, from the first.
  func bind<each Value: Bindable>(_ values: repeat each Value) throws(StoreError) {
    var index: Int32 = 1
    var code = SQLITE_OK
    for value in repeat each values {
      if code == SQLITE_OK { code = value.bind(to: handle, at: index) }
      index += 1
    }
    if code != SQLITE_OK { throw fault(code) }
  }

  /// Advances to the next row; false after the last one, the statement being reset then.
  func step() throws(StoreError) -> Bool {
    let code = sqlite3_step(handle)
    if code == SQLITE_ROW { return true }
    if code == SQLITE_DONE {
      sqlite3_reset(handle)
      return false
    }
    let error = fault(code)
    sqlite3_reset(handle)
    throw error
  }

  /// Binds, executes to the end and resets.
  func run<each Value: Bindable>(_ values: repeat each Value) throws(StoreError) {
    try bind(repeat each values)
    while try step() {}
  }

  /// Binds, and executes an INSERT … RETURNING id.
  func returnedID<each Value: Bindable>(_ values: repeat each Value) throws(StoreError) -> Int64 {
    try bind(repeat each values)
    var id: Int64 = 0
    while try step() { id = Int64(integer(0)) }
    return id
  }

  /// Makes the statement ready to be bound anew after a walk that stopped early.
  func reset() { sqlite3_reset(handle) }

  private func fault(_ code: Int32) -> StoreError {
    let database = sqlite3_db_handle(handle)
    return .sqlite(
      code: sqlite3_extended_errcode(database) & 0xFF == code & 0xFF
        ? sqlite3_extended_errcode(database) : code,
      message: String(cString: sqlite3_errmsg(database)), path: path)
  }
}

extension Statement {
  /// How many columns a row has.
  var columnCount: Int32 { sqlite3_column_count(handle) }

  /// Binds the parameters that the statement names, of those given; the names of those that aren't.
  @discardableResult
  func bind(named parameters: [String: QueryValue]) -> [String] {
    var missing: [String] = []
    for index in 0..<sqlite3_bind_parameter_count(handle) {
      let name = sqlite3_bind_parameter_name(handle, index + 1).map { String(cString: $0) }
      guard let name, let value = parameters[String(name.dropFirst())] else {
        missing.append(name ?? "number \(index + 1)")
        continue
      }
      // Fails only for an index out of range, or for lack of memory.
      _ = value.bind(to: handle, at: index + 1)
    }
    return missing
  }

  /// Whether a column of the current row is NULL; columns count from 0.
  func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

  func integer(_ column: Int32) -> Int { Int(sqlite3_column_int64(handle, column)) }
  func real(_ column: Int32) -> Double { sqlite3_column_double(handle, column) }
  func optionalInteger(_ column: Int32) -> Int? { isNull(column) ? nil : integer(column) }
  func optionalReal(_ column: Int32) -> Double? { isNull(column) ? nil : real(column) }

  /// A REAL that was not a number when written.
  func realOrNaN(_ column: Int32) -> Double { isNull(column) ? .nan : real(column) }

  func text(_ column: Int32) -> String {
    guard let bytes = sqlite3_column_text(handle, column) else { return "" }
    let count = Int(sqlite3_column_bytes(handle, column))
    return String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
  }

  func optionalText(_ column: Int32) -> String? { isNull(column) ? nil : text(column) }

  /// The numbers of a blob; bytes past the last whole number are left out.
  func array<Element: BitwiseCopyable>(_ column: Int32, of type: Element.Type) -> [Element] {
    guard let bytes = sqlite3_column_blob(handle, column) else { return [] }
    let size = MemoryLayout<Element>.size
    let count = Int(sqlite3_column_bytes(handle, column)) / size
    return [Element](unsafeUninitializedCapacity: count) { buffer, initialized in
      UnsafeMutableRawBufferPointer(buffer).copyMemory(
        from: UnsafeRawBufferPointer(start: bytes, count: count * size))
      initialized = count
    }
  }

  func optionalArray<Element: BitwiseCopyable>(_ column: Int32, of type: Element.Type)
    -> [Element]?
  {
    isNull(column) ? nil : array(column, of: type)
  }
}
