import CSQLite
import Rollouts

/// A value of a query: one of SQLite's five kinds.
public enum QueryValue: Sendable, Hashable {
  case null
  case integer(Int64)
  case real(Double)
  case text(String)
  case blob([UInt8])
}

extension QueryValue {
  /// The value as a double, where it is a number.
  public var double: Double? {
    switch self {
    case .integer(let value): return Double(value)
    case .real(let value): return value
    default: return nil
    }
  }

  /// The value as a whole number, where it is a number: a real one is cut, or the nearest there is.
  public var integer: Int? {
    switch self {
    case .integer(let value): return Int(value)
    case .real(let value): return Int(clamping: value)
    default: return nil
    }
  }

  /// The value as JSON; a blob becomes hexadecimal digits, an infinity null.
  public var json: JSONValue {
    switch self {
    case .null: return .null
    case .integer(let value): return .integer(value)
    case .real(let value): return value.isFinite ? .number(value) : .null
    case .text(let text): return .string(text)
    case .blob(let bytes): return .string(Self.hexadecimal(bytes))
    }
  }

  /// The value as text for a cell or a CSV field, nothing lost; NULL is empty.
  public var plainText: String {
    switch self {
    case .null: return ""
    case .integer(let value): return String(value)
    case .real(let value): return "\(value)"
    case .text(let text): return text
    case .blob(let bytes): return Self.hexadecimal(bytes)
    }
  }

  /// Bytes as lower-case hexadecimal digits.
  static func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count * 2)
    for byte in bytes {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// The value that a word on the command line means: a number where it reads as one, otherwise text.
  public init(word: String) {
    if let value = Int64(word) {
      self = .integer(value)
    } else if let value = Double(word), value.isFinite {
      self = .real(value)
    } else {
      self = .text(word)
    }
  }
}

extension QueryValue: Bindable {
  func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
    switch self {
    case .null: return sqlite3_bind_null(statement, index)
    case .integer(let value): return value.bind(to: statement, at: index)
    case .real(let value): return value.bind(to: statement, at: index)
    case .text(let text): return text.bind(to: statement, at: index)
    case .blob(let bytes): return Blob(bytes).bind(to: statement, at: index)
    }
  }
}

extension Statement {
  /// Any column of the current row.
  func value(_ column: Int32) -> QueryValue {
    switch sqlite3_column_type(handle, column) {
    case SQLITE_INTEGER: return .integer(sqlite3_column_int64(handle, column))
    case SQLITE_FLOAT: return .real(sqlite3_column_double(handle, column))
    case SQLITE_TEXT: return .text(text(column))
    case SQLITE_BLOB: return .blob(array(column, of: UInt8.self))
    default: return .null
    }
  }
}
