import Rollouts

/// A JSON5 text as read: its value, and where each member stands.
struct JSON5Document: Sendable {
  /// The value.
  var value: JSONValue
  /// The line of each member, by path: `reward[1].name`.
  var lines: [String: Int]
  /// Keys that stand twice in their object: the path, and both lines.
  var duplicates: [(path: String, first: Int, second: Int)]
}

/// Reads JSON5 (json5.org): JSON with comments, trailing commas, unquoted keys, single quotes,
/// hexadecimal numbers, a leading `+` or `.`.
///
/// Foundation's decoder reads JSON5 too, but on Linux it names no line, keeps the first of two equal
/// keys without a word, and lets NaN and Infinity through; a person with a mistake in a config needs
/// all three. NaN and Infinity, which JSON5 allows, are refused: no setting takes them.
package struct JSON5 {
  /// Reads one value that fills the text.
  /// - Throws: `JSONError` with line and column.
  static func document(_ text: String) throws(JSONError) -> JSON5Document {
    var reader = JSON5(text)
    let value = try reader.value(path: "", depth: 0)
    try reader.skipSpace()
    guard reader.atEnd else { throw reader.fault("unexpected text after the value") }
    return JSON5Document(value: value, lines: reader.lines, duplicates: reader.duplicates)
  }

  /// Reads one value that fills the text.
  /// - Throws: `JSONError` with line and column.
  package static func parse(_ text: String) throws(JSONError) -> JSONValue {
    try document(text).value
  }

  private let scalars: [Unicode.Scalar]
  private var position = 0
  private var lines: [String: Int] = [:]
  private var duplicates: [(path: String, first: Int, second: Int)] = []
  private var line = 1
  private var lineStart = 0

  private init(_ text: String) {
    scalars = Array(text.unicodeScalars)
    if scalars.first == "\u{FEFF}" { position = 1 }
  }

  private var atEnd: Bool { position >= scalars.count }
  private var next: Unicode.Scalar? { atEnd ? nil : scalars[position] }

  private func fault(_ reason: String) -> JSONError {
    JSONError(reason: reason, line: line, column: position - lineStart + 1)
  }

  private mutating func advance() {
    if scalars[position] == "\n" {
      line += 1
      lineStart = position + 1
    }
    position += 1
  }

  private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard next == scalar else { return false }
    advance()
    return true
  }

  // MARK: Space and comments

  private mutating func skipSpace() throws(JSONError) {
    while let scalar = next {
      if scalar.properties.isWhitespace || scalar == "\u{FEFF}" {
        advance()
      } else if scalar == "/", position + 1 < scalars.count, scalars[position + 1] == "/" {
        while let scalar = next, scalar != "\n" { advance() }
      } else if scalar == "/", position + 1 < scalars.count, scalars[position + 1] == "*" {
        try skipBlockComment()
      } else if scalar == "#" {
        throw fault("'#' begins no comment in JSON5; use //")
      } else {
        return
      }
    }
  }

  private mutating func skipBlockComment() throws(JSONError) {
    let start = fault("this comment has no end")
    advance()
    advance()
    while !atEnd {
      if take("*") {
        if take("/") { return }
      } else {
        advance()
      }
    }
    throw start
  }

  // MARK: Values

  private mutating func value(path: String, depth: Int) throws(JSONError) -> JSONValue {
    try skipSpace()
    guard depth < JSONValue.depthLimit else {
      throw fault("nested more than \(JSONValue.depthLimit) deep")
    }
    switch next {
    case nil: throw fault("the text ends where a value was expected")
    case "{": return try object(path: path, depth: depth)
    case "[": return try array(path: path, depth: depth)
    case "\"", "'": return .string(try string())
    case let scalar? where "+-.0123456789".unicodeScalars.contains(scalar): return try number()
    default: return try word()
    }
  }

  private mutating func object(path: String, depth: Int) throws(JSONError) -> JSONValue {
    advance()
    var members = JSONObject()
    while true {
      try skipSpace()
      if take("}") { return .object(members) }
      let keyLine = line
      let key = try key()
      let keyPath = path.isEmpty ? key : path + "." + key
      if let first = lines[keyPath] {
        duplicates.append((path: keyPath, first: first, second: keyLine))
      }
      lines[keyPath] = keyLine
      try skipSpace()
      guard take(":") else {
        throw fault(
          next == "=" ? "expected ':' after '\(key)', not '='" : "expected ':' after '\(key)'")
      }
      members[key] = try value(path: keyPath, depth: depth + 1)
      try skipSpace()
      if take(",") { continue }
      guard take("}") else {
        throw fault(atEnd ? "the text ends inside an object" : "expected ',' or '}' after a member")
      }
      return .object(members)
    }
  }

  private mutating func array(path: String, depth: Int) throws(JSONError) -> JSONValue {
    advance()
    var elements: [JSONValue] = []
    while true {
      try skipSpace()
      if take("]") { return .array(elements) }
      let elementPath = "\(path)[\(elements.count)]"
      lines[elementPath] = line
      elements.append(try value(path: elementPath, depth: depth + 1))
      try skipSpace()
      if take(",") { continue }
      guard take("]") else {
        throw fault(atEnd ? "the text ends inside a list" : "expected ',' or ']' after an element")
      }
      return .array(elements)
    }
  }

  private mutating func key() throws(JSONError) -> String {
    if next == "\"" || next == "'" { return try string() }
    let key = identifier()
    guard !key.isEmpty else {
      throw fault(atEnd ? "the text ends inside an object" : "expected a key")
    }
    return key
  }

  /// Reads letters, digits, `_`, `$`; also `-` and `.`, so that peers' keys can be recognised.
  private mutating func identifier() -> String {
    var text = ""
    while let scalar = next,
      scalar.properties.isAlphabetic || scalar.properties.numericType != nil
        || "_$-.".unicodeScalars.contains(scalar)
    {
      text.unicodeScalars.append(scalar)
      advance()
    }
    return text
  }

  private mutating func word() throws(JSONError) -> JSONValue {
    let start = fault("expected a value")
    switch identifier() {
    case "true": return .bool(true)
    case "false": return .bool(false)
    case "null": return .null
    case "": throw start
    case let text where text == "NaN" || text == "Infinity":
      throw JSONError(
        reason: "\(text) is not a value that a setting takes", line: start.line,
        column: start.column)
    case let text:
      throw JSONError(
        reason: "expected a value; a text stands in quotes: \"\(text)\"", line: start.line,
        column: start.column)
    }
  }

  private mutating func number() throws(JSONError) -> JSONValue {
    let start = fault("expected a number")
    var text = ""
    while let scalar = next, scalar.isASCII,
      scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
        || "+-._".unicodeScalars.contains(scalar)
    {
      text.unicodeScalars.append(scalar)
      advance()
    }
    let isNegative = text.hasPrefix("-")
    let digits = isNegative || text.hasPrefix("+") ? String(text.dropFirst()) : text
    if digits.lowercased().hasPrefix("0x") {
      guard let value = Int64(digits.dropFirst(2), radix: 16) else { throw start }
      return .integer(isNegative ? -value : value)
    }
    guard let first = digits.first, first.isNumber || first == "." else { throw start }
    let signed = (isNegative ? "-" : "") + digits
    if let value = Int64(signed) { return .integer(value) }
    if let value = LargeInteger(signed) { return .largeInteger(value) }
    let spelled = digits.hasSuffix(".") ? digits + "0" : digits
    guard let value = Double(spelled) else {
      throw JSONError(
        reason: "'\(text)' is not a number", line: start.line, column: start.column)
    }
    guard value.isFinite else {
      throw JSONError(
        reason: "the number \(text) is too large", line: start.line, column: start.column)
    }
    return .number(isNegative ? -value : value)
  }

  // MARK: Strings

  private mutating func string() throws(JSONError) -> String {
    let start = fault("this text has no end on its line")
    let quote = next
    advance()
    var text = String.UnicodeScalarView()
    while let scalar = next {
      if scalar == quote {
        advance()
        return String(text)
      }
      if scalar == "\n" { throw start }
      if scalar == "\\" {
        if let escaped = try escape() { text.append(escaped) }
      } else {
        text.append(scalar)
        advance()
      }
    }
    throw start
  }

  /// Reads a backslash and what follows; nil for a line that is continued.
  private mutating func escape() throws(JSONError) -> Unicode.Scalar? {
    advance()
    guard let scalar = next else { throw fault("the text ends after a backslash") }
    advance()
    switch scalar {
    case "b": return "\u{8}"
    case "f": return "\u{C}"
    case "n": return "\n"
    case "r": return "\r"
    case "t": return "\t"
    case "v": return "\u{B}"
    case "0": return "\u{0}"
    case "\n": return nil
    case "\r":
      _ = take("\n")
      return nil
    case "x": return Unicode.Scalar(try hexadecimal(2))
    case "u": return try unicodeEscape()
    default: return scalar
    }
  }

  private mutating func unicodeEscape() throws(JSONError) -> Unicode.Scalar? {
    let first = try hexadecimal(4)
    guard (0xD800...0xDBFF).contains(first) else { return Unicode.Scalar(first) ?? "\u{FFFD}" }
    guard take("\\"), take("u") else { throw fault("a high surrogate needs a low one after it") }
    let second = try hexadecimal(4)
    guard (0xDC00...0xDFFF).contains(second) else {
      throw fault("a high surrogate needs a low one after it")
    }
    return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
  }

  private mutating func hexadecimal(_ count: Int) throws(JSONError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<count {
      guard let scalar = next, let digit = Character(scalar).hexDigitValue, scalar.isASCII else {
        throw fault("expected \(count) hexadecimal digits")
      }
      value = value << 4 | UInt32(digit)
      advance()
    }
    return value
  }
}
