import CSQLite

/// `floats(blob)`, `doubles(blob)` and `ints(blob)`: an array's numbers as rows.
///
///     SELECT position, value FROM completion_tokens, floats(sampler_logprobs)
///     WHERE completion_id = 7
///
/// Table-valued functions of this program's own connections; other tools read the blobs with
/// `numpy.frombuffer`. Columns: `position` from 0, `value`, and the hidden argument.
enum ArrayTables {
  /// What the numbers of a blob are.
  enum Element: Int32 {
    case float32, float64, int32

    var size: Int { self == .float64 ? 8 : 4 }
  }

  static func register(in connection: Connection) throws(StoreError) {
    for (name, element) in [
      ("floats", Element.float32), ("doubles", .float64), ("ints", .int32),
    ] {
      // The client data of a module is a pointer: the kind of element travels as its address.
      let context = UnsafeMutableRawPointer(bitPattern: Int(element.rawValue) + 1)
      let code = sqlite3_create_module_v2(connection.handle, name, module, context, nil)
      if code != SQLITE_OK { throw connection.fault(code) }
    }
  }

  /// SQLite's `sqlite3_vtab` with our field after it.
  private struct VirtualTable {
    var base = sqlite3_vtab()
    var element: Int32
  }

  /// SQLite's `sqlite3_vtab_cursor` with our fields after it; it owns a copy of the blob.
  private struct Cursor {
    var base = sqlite3_vtab_cursor()
    var element: Int32
    var bytes: UnsafeMutableRawPointer?
    var count = 0
    var position = 0
  }

  /// The columns' numbers as SQLite counts them.
  private enum Column {
    static let position: Int32 = 0
    static let value: Int32 = 1
    static let array: Int32 = 2
  }

  /// The module; lives as long as the program, as SQLite asks.
  nonisolated(unsafe) private static let module: UnsafePointer<sqlite3_module> = {
    // Written here once and only read afterwards: safe to share.
    let pointer = UnsafeMutablePointer<sqlite3_module>.allocate(capacity: 1)
    var module = sqlite3_module()
    module.iVersion = 0
    module.xConnect = connect
    module.xDisconnect = { table in
      table?.withMemoryRebound(to: VirtualTable.self, capacity: 1) { $0.deallocate() }
      return SQLITE_OK
    }
    module.xBestIndex = chooseIndex
    module.xOpen = open
    module.xClose = close
    module.xFilter = filter
    module.xNext = { with($0) { $0.pointee.position += 1 } }
    module.xEof = { base in
      guard let base else { return 1 }
      return base.withMemoryRebound(to: Cursor.self, capacity: 1) {
        $0.pointee.position >= $0.pointee.count ? 1 : 0
      }
    }
    module.xColumn = column
    module.xRowid = { base, row in
      with(base) { row?.pointee = Int64($0.pointee.position) }
    }
    pointer.initialize(to: module)
    return UnsafePointer(pointer)
  }()

  private static func with(
    _ base: UnsafeMutablePointer<sqlite3_vtab_cursor>?,
    _ body: (UnsafeMutablePointer<Cursor>) -> Void
  ) -> Int32 {
    base?.withMemoryRebound(to: Cursor.self, capacity: 1, body)
    return SQLITE_OK
  }

  private static let connect:
    @convention(c) (
      OpaquePointer?, UnsafeMutableRawPointer?, Int32,
      UnsafePointer<UnsafePointer<CChar>?>?,
      UnsafeMutablePointer<UnsafeMutablePointer<sqlite3_vtab>?>?,
      UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
    ) -> Int32 = { database, context, _, _, result, _ in
      let code = sqlite3_declare_vtab(
        database, "CREATE TABLE x(position INTEGER, value, array HIDDEN)")
      guard code == SQLITE_OK else { return code }
      sqlite3_vtab_config_innocuous(database)
      let table = UnsafeMutablePointer<VirtualTable>.allocate(capacity: 1)
      table.initialize(
        to: VirtualTable(element: Int32(truncatingIfNeeded: Int(bitPattern: context) - 1)))
      result?.pointee = UnsafeMutableRawPointer(table).assumingMemoryBound(to: sqlite3_vtab.self)
      return SQLITE_OK
    }

  /// Asks for the array, which every use must give.
  private static let chooseIndex:
    @convention(c) (
      UnsafeMutablePointer<sqlite3_vtab>?, UnsafeMutablePointer<sqlite3_index_info>?
    ) -> Int32 = { _, information in
      guard let information else { return SQLITE_ERROR }
      for index in 0..<Int(information.pointee.nConstraint) {
        let constraint = information.pointee.aConstraint[index]
        guard constraint.iColumn == Column.array,
          Int32(exactly: constraint.op) == SQLITE_INDEX_CONSTRAINT_EQ
        else { continue }
        if constraint.usable == 0 { return SQLITE_CONSTRAINT }
        information.pointee.aConstraintUsage[index].argvIndex = 1
        information.pointee.aConstraintUsage[index].omit = 1
        information.pointee.idxNum = 1
      }
      information.pointee.estimatedCost = 64
      information.pointee.estimatedRows = 64
      return SQLITE_OK
    }

  private static let open:
    @convention(c) (
      UnsafeMutablePointer<sqlite3_vtab>?,
      UnsafeMutablePointer<UnsafeMutablePointer<sqlite3_vtab_cursor>?>?
    ) -> Int32 = { table, result in
      let element = table?.withMemoryRebound(to: VirtualTable.self, capacity: 1) {
        $0.pointee.element
      }
      let cursor = UnsafeMutablePointer<Cursor>.allocate(capacity: 1)
      cursor.initialize(to: Cursor(element: element ?? 0))
      result?.pointee = UnsafeMutableRawPointer(cursor).assumingMemoryBound(
        to: sqlite3_vtab_cursor.self)
      return SQLITE_OK
    }

  private static let close: @convention(c) (UnsafeMutablePointer<sqlite3_vtab_cursor>?) -> Int32 = {
    base in
    with(base) { cursor in
      cursor.pointee.bytes?.deallocate()
      cursor.deallocate()
    }
  }

  private static let filter:
    @convention(c) (
      UnsafeMutablePointer<sqlite3_vtab_cursor>?, Int32, UnsafePointer<CChar>?, Int32,
      UnsafeMutablePointer<OpaquePointer?>?
    ) -> Int32 = { base, index, _, count, arguments in
      with(base) { cursor in
        cursor.pointee.bytes?.deallocate()
        cursor.pointee.bytes = nil
        cursor.pointee.position = 0
        cursor.pointee.count = 0
        guard index == 1, count == 1, let argument = arguments?.pointee,
          sqlite3_value_type(argument) == SQLITE_BLOB
        else { return }
        let size = Int(sqlite3_value_bytes(argument))
        guard size > 0, let bytes = sqlite3_value_blob(argument) else { return }
        let copy = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 8)
        copy.copyMemory(from: bytes, byteCount: size)
        cursor.pointee.bytes = copy
        cursor.pointee.count = size / (Element(rawValue: cursor.pointee.element)?.size ?? 4)
      }
    }

  private static let column:
    @convention(c) (
      UnsafeMutablePointer<sqlite3_vtab_cursor>?, OpaquePointer?, Int32
    ) -> Int32 = { base, context, column in
      with(base) { cursor in
        let position = cursor.pointee.position
        guard column != Column.position else {
          sqlite3_result_int64(context, Int64(position))
          return
        }
        guard column == Column.value, let bytes = cursor.pointee.bytes,
          position < cursor.pointee.count
        else { return }
        switch Element(rawValue: cursor.pointee.element) {
        case .float32:
          sqlite3_result_double(
            context, Double(bytes.load(fromByteOffset: position * 4, as: Float.self)))
        case .float64:
          sqlite3_result_double(context, bytes.load(fromByteOffset: position * 8, as: Double.self))
        case .int32:
          sqlite3_result_int64(
            context, Int64(bytes.load(fromByteOffset: position * 4, as: Int32.self)))
        case nil: break
        }
      }
    }
}
