import Rollouts

/// A JSON string's UTF-8 bytes: where they lie in the file, or unescaped into an array.
enum JSONText {
  case inPlace(UTF8Bytes)
  case unescaped([UInt8])

  /// Lends the bytes.
  @inline(__always)
  func withBytes<Result>(_ body: (UTF8Bytes) -> Result) -> Result {
    switch self {
    case .inPlace(let bytes): body(bytes)
    case .unescaped(let bytes): bytes.withUnsafeBufferPointer(body)
    }
  }

  var array: [UInt8] { withBytes { Array($0) } }
  var string: String { withBytes { String(decoding: $0, as: UTF8.self) } }
}

/// A cursor over JSON bytes that reads a large file's sections in place.
///
/// A vocabulary of 150,000 entries never becomes 150,000 `String`s: keys are handed on as bytes.
struct JSONCursor {
  let bytes: UTF8Bytes
  private(set) var position: Int

  init(_ bytes: UTF8Bytes, at position: Int = 0) {
    self.bytes = bytes
    self.position = position
  }

  func fault(_ reason: String) -> JSONError {
    var line = 1
    var lineStart = 0
    for index in 0..<min(position, bytes.count) where bytes[index] == UInt8(ascii: "\n") {
      line += 1
      lineStart = index + 1
    }
    return JSONError(reason: reason, line: line, column: min(position, bytes.count) - lineStart + 1)
  }

  mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x0A, 0x0D, 0x09: position += 1
      default: return
      }
    }
  }

  /// The next byte that is not white space, nil at the end.
  mutating func peek() -> UInt8? {
    skipSpace()
    return position < bytes.count ? bytes[position] : nil
  }

  /// Steps over a byte where it comes next.
  mutating func take(_ byte: UInt8) -> Bool {
    guard peek() == byte else { return false }
    position += 1
    return true
  }

  mutating func expect(_ byte: UInt8) throws(JSONError) {
    guard take(byte) else { throw fault("expected '\(Character(Unicode.Scalar(byte)))'") }
  }

  /// Visits an object's members; the visitor must step over each value.
  mutating func members(
    _ visit: (JSONText, inout JSONCursor) throws(JSONError) -> Void
  ) throws(JSONError) {
    try expect(UInt8(ascii: "{"))
    if take(UInt8(ascii: "}")) { return }
    repeat {
      let key = try text()
      try expect(UInt8(ascii: ":"))
      try visit(key, &self)
    } while take(UInt8(ascii: ","))
    try expect(UInt8(ascii: "}"))
  }

  /// Visits an array's elements; the visitor must step over each.
  mutating func elements(
    _ visit: (inout JSONCursor) throws(JSONError) -> Void
  ) throws(JSONError) {
    try expect(UInt8(ascii: "["))
    if take(UInt8(ascii: "]")) { return }
    repeat { try visit(&self) } while take(UInt8(ascii: ","))
    try expect(UInt8(ascii: "]"))
  }

  /// Reads a string; without escapes it stays where it is.
  mutating func text() throws(JSONError) -> JSONText {
    skipSpace()
    guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
      throw fault("expected a string in double quotes")
    }
    position += 1
    let start = position
    while position < bytes.count {
      let byte = bytes[position]
      if byte == UInt8(ascii: "\"") {
        position += 1
        return .inPlace(bytes.slice(start..<position - 1))
      }
      if byte == UInt8(ascii: "\\") { return .unescaped(try escapedString(from: start)) }
      if byte < 0x20 { throw fault("a control character in a string must be escaped") }
      position += 1
    }
    throw fault("the text ends inside a string")
  }

  /// Reads an integer that fits 64 bits.
  mutating func integer() throws(JSONError) -> Int {
    skipSpace()
    let start = position
    let isNegative = position < bytes.count && bytes[position] == UInt8(ascii: "-")
    if isNegative { position += 1 }
    var value = 0
    let firstDigit = position
    while position < bytes.count, case let digit = bytes[position] &- 0x30, digit < 10 {
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(Int(digit))
      guard !overflow, !carry else {
        position = start
        throw fault("the number is too large")
      }
      value = sum
      position += 1
    }
    guard position > firstDigit else {
      position = start
      throw fault("expected an integer")
    }
    if position < bytes.count,
      [UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")]
        .contains(bytes[position])
    {
      position = start
      throw fault("expected an integer")
    }
    return isNegative ? -value : value
  }

  /// Steps over a value without building it; `depthLimit` bounds what is accepted, not the stack.
  mutating func skipValue() throws(JSONError) {
    var depth = 0
    repeat {
      guard let byte = peek() else { throw fault("the text ends where a value was expected") }
      switch byte {
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        depth += 1
        guard depth <= JSONValue.depthLimit else {
          throw fault("nested more than \(JSONValue.depthLimit) deep")
        }
        position += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        guard depth > 0 else { throw fault("expected a value") }
        depth -= 1
        position += 1
      case UInt8(ascii: "\""): try skipString()
      case UInt8(ascii: ","), UInt8(ascii: ":"):
        guard depth > 0 else { throw fault("expected a value") }
        position += 1
      default: try skipWord()
      }
    } while depth > 0
  }

  private mutating func skipWord() throws(JSONError) {
    let start = position
    while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "+"), UInt8(ascii: "-"),
        UInt8(ascii: "."):
        position += 1
      default:
        if position == start { throw fault("expected a value") }
        return
      }
    }
  }

  private mutating func skipString() throws(JSONError) {
    position += 1
    while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: "\""):
        position += 1
        return
      case UInt8(ascii: "\\"): position += 2
      default: position += 1
      }
    }
    position = bytes.count
    throw fault("the text ends inside a string")
  }

  /// Reads a string with escapes from its start after the quote.
  private mutating func escapedString(from start: Int) throws(JSONError) -> [UInt8] {
    var text = Array(bytes[start..<position])
    while position < bytes.count {
      let byte = bytes[position]
      if byte < 0x20 { throw fault("a control character in a string must be escaped") }
      position += 1
      if byte == UInt8(ascii: "\"") { return text }
      if byte == UInt8(ascii: "\\") {
        text.append(scalar: try escape())
      } else {
        text.append(byte)
      }
    }
    throw fault("the text ends inside a string")
  }

  /// Reads what follows a backslash; a lone surrogate is no scalar and becomes U+FFFD.
  private mutating func escape() throws(JSONError) -> UInt32 {
    guard position < bytes.count else { throw fault("the text ends inside a string") }
    position += 1
    switch bytes[position - 1] {
    case UInt8(ascii: "b"): return 0x08
    case UInt8(ascii: "f"): return 0x0C
    case UInt8(ascii: "n"): return 0x0A
    case UInt8(ascii: "r"): return 0x0D
    case UInt8(ascii: "t"): return 0x09
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"):
      return UInt32(bytes[position - 1])
    case UInt8(ascii: "u"):
      let first = try hexadecimal()
      guard (0xD800...0xDBFF).contains(first), position + 1 < bytes.count,
        bytes[position] == UInt8(ascii: "\\"), bytes[position + 1] == UInt8(ascii: "u")
      else { return first }
      let mark = position
      position += 2
      let second = try hexadecimal()
      if (0xDC00...0xDFFF).contains(second) {
        return 0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)
      }
      position = mark
      return first
    default:
      position -= 1
      throw fault("unknown escape in a string")
    }
  }

  private mutating func hexadecimal() throws(JSONError) -> UInt32 {
    guard position + 4 <= bytes.count else { throw fault("expected four hexadecimal digits") }
    var value: UInt32 = 0
    for _ in 0..<4 {
      let byte = bytes[position]
      switch byte {
      case 0x30...0x39: value = value << 4 | UInt32(byte - 0x30)
      case 0x41...0x46, 0x61...0x66: value = value << 4 | UInt32((byte | 0x20) - 0x61 + 10)
      default: throw fault("expected four hexadecimal digits")
      }
      position += 1
    }
    return value
  }
}
