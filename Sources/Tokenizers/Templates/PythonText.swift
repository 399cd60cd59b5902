import Foundation

/// Python's spellings of values: `str`, `repr` and `json.dumps`.
///
/// A writer stops, and says so, where a text grows beyond what a prompt can be.
struct PythonText {
  private(set) var text = ""
  /// How many bytes may still be written.
  private var room: Int

  /// The text grew beyond its limit, or the value is nested beyond reason.
  struct Overflow: Error {}

  init(limit: Int) { room = limit }

  private mutating func write(_ piece: String) throws(Overflow) {
    room -= piece.utf8.count
    guard room >= 0 else { throw Overflow() }
    text += piece
  }

  // MARK: str and repr

  /// Writes what `{{ value }}` prints.
  mutating func writeString(of value: TemplateValue) throws(Overflow) {
    switch value {
    case .string(let text), .markup(let text): try write(text)
    case .undefined: break
    default: try writeRepresentation(of: value)
    }
  }

  /// Writes what the value looks like inside a list.
  mutating func writeRepresentation(of value: TemplateValue, depth: Int = 0) throws(Overflow) {
    guard depth < 200 else { throw Overflow() }
    switch value {
    case .undefined: try write("Undefined")
    case .none: try write("None")
    case .bool(let value): try write(value ? "True" : "False")
    case .integer(let value): try write(String(value))
    case .number(let value): try write(Self.text(of: value))
    case .string(let text): try write(Self.representation(of: text))
    case .markup(let text): try write("Markup(\(Self.representation(of: text)))")
    case .list(let items): try writeItems(items, "[", "]", depth: depth)
    case .tuple(let items): try writeItems(items, "(", items.count == 1 ? ",)" : ")", depth: depth)
    case .dictionary(let members): try writeMembers(members, depth: depth)
    case .namespace(let namespace):
      try write("<Namespace ")
      try writeMembers(namespace.members, depth: depth)
      try write(">")
    case .macro(let closure): try write("<Macro '\(closure.macro.name)'>")
    case .joiner(let joiner):
      try write("<joiner \(joiner.position)>")
    default: try write("<\(value.typeName)>")
    }
  }

  private mutating func writeItems(
    _ items: TemplateList, _ open: String, _ close: String, depth: Int
  ) throws(Overflow) {
    try write(open)
    for (index, item) in items.enumerated() {
      if index > 0 { try write(", ") }
      try writeRepresentation(of: item, depth: depth + 1)
    }
    try write(close)
  }

  private mutating func writeMembers(
    _ members: TemplateDictionary, depth: Int
  ) throws(Overflow) {
    try write("{")
    for (index, entry) in members.entries.enumerated() {
      if index > 0 { try write(", ") }
      try writeRepresentation(of: entry.key, depth: depth + 1)
      try write(": ")
      try writeRepresentation(of: entry.value, depth: depth + 1)
    }
    try write("}")
  }

  /// Python's `repr` of a text: single quotes unless only those occur in it.
  static func representation(of text: String) -> String {
    let quote: Unicode.Scalar =
      text.unicodeScalars.contains("'") && !text.unicodeScalars.contains("\"") ? "\"" : "'"
    var result = String(quote)
    for scalar in text.unicodeScalars {
      switch scalar {
      case quote, "\\":
        result += "\\"
        result.unicodeScalars.append(scalar)
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      default:
        if isPrintable(scalar) {
          result.unicodeScalars.append(scalar)
        } else {
          result += escape(scalar)
        }
      }
    }
    result.unicodeScalars.append(quote)
    return result
  }

  private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    if scalar == " " { return true }
    let category = ScalarProperties(of: scalar.value).category
    return category < 22
  }

  private static func escape(_ scalar: Unicode.Scalar) -> String {
    let digits = String(scalar.value, radix: 16)
    let (mark, count) =
      scalar.value < 0x100 ? ("x", 2) : scalar.value < 0x10000 ? ("u", 4) : ("U", 8)
    return "\\" + mark + String(repeating: "0", count: count - digits.count) + digits
  }

  /// Python's `repr` of a float: the fewest digits that read back, with an exponent below 1e-4 and
  /// from 1e16 on.
  static func text(of value: Double) -> String {
    if value.isNaN { return "nan" }
    if value.isInfinite { return value < 0 ? "-inf" : "inf" }
    if value == 0 { return value.sign == .minus ? "-0.0" : "0.0" }
    let (digits, exponent) = decimal(value.magnitude)
    let sign = value < 0 ? "-" : ""
    if exponent < -4 || exponent >= 16 {
      let fraction = digits.count > 1 ? "." + digits.dropFirst() : ""
      let power = String(exponent.magnitude)
      return sign + digits.prefix(1) + fraction + "e" + (exponent < 0 ? "-" : "+")
        + (power.count < 2 ? "0" : "") + power
    }
    if exponent < 0 { return sign + "0." + String(repeating: "0", count: -exponent - 1) + digits }
    if digits.count <= exponent + 1 {
      return sign + digits + String(repeating: "0", count: exponent + 1 - digits.count) + ".0"
    }
    return sign + digits.prefix(exponent + 1) + "." + digits.dropFirst(exponent + 1)
  }

  /// The shortest digits d₀d₁… and the exponent of d₀.d₁… × 10^exponent.
  private static func decimal(_ value: Double) -> (digits: String, exponent: Int) {
    let parts = "\(value)".split(separator: "e")
    let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
    let whole = mantissa[0]
    let fraction = mantissa.count > 1 ? mantissa[1] : ""
    var exponent = (parts.count > 1 ? Int(parts[1]) ?? 0 : 0) + whole.count - 1
    var digits = Substring(whole + fraction)
    while digits.count > 1, digits.first == "0" {
      digits.removeFirst()
      exponent -= 1
    }
    while digits.count > 1, digits.last == "0" { digits.removeLast() }
    return (String(digits), exponent)
  }

  // MARK: json.dumps

  /// How JSON is laid out.
  struct JSONLayout {
    var indentation: String?
    var itemSeparator = ", "
    var keySeparator = ": "
    var sortsKeys = false
    var escapesNonASCII = false
  }

  /// Why a value has no JSON.
  enum JSONFault: Error {
    case overflow
    case notSerializable(String)
  }

  /// Writes `json.dumps(value)`.
  mutating func writeJSON(
    _ value: TemplateValue, _ layout: JSONLayout, depth: Int = 0
  ) throws(JSONFault) {
    guard depth < 200 else { throw .overflow }
    switch value {
    case .none: try put("null")
    case .bool(let value): try put(value ? "true" : "false")
    case .integer(let value): try put(String(value))
    case .number(let value): try put(Self.jsonText(of: value))
    case .string(let text), .markup(let text): try put(Self.jsonText(of: text, layout))
    case .list(let items), .tuple(let items):
      try writeList("[", "]", count: items.count, layout, depth) {
        (index, writer) throws(JSONFault) in
        try writer.writeJSON(items[index], layout, depth: depth + 1)
      }
    case .dictionary(let members):
      let entries = try Self.jsonEntries(members, layout)
      try writeList("{", "}", count: entries.count, layout, depth) {
        (index, writer) throws(JSONFault) in
        try writer.put(Self.jsonText(of: entries[index].key, layout) + layout.keySeparator)
        try writer.writeJSON(entries[index].value, layout, depth: depth + 1)
      }
    default: throw .notSerializable(value.typeName)
    }
  }

  private mutating func put(_ piece: String) throws(JSONFault) {
    do throws(Overflow) { try write(piece) } catch { throw .overflow }
  }

  private mutating func writeList(
    _ open: String, _ close: String, count: Int, _ layout: JSONLayout, _ depth: Int,
    _ item: (Int, inout PythonText) throws(JSONFault) -> Void
  ) throws(JSONFault) {
    guard count > 0 else { return try put(open + close) }
    try put(open)
    for index in 0..<count {
      if index > 0 { try put(layout.itemSeparator) }
      try breakLine(layout, depth: depth + 1)
      try item(index, &self)
    }
    try breakLine(layout, depth: depth)
    try put(close)
  }

  private mutating func breakLine(_ layout: JSONLayout, depth: Int) throws(JSONFault) {
    guard let indentation = layout.indentation else { return }
    guard indentation.utf8.count * depth <= room else { throw .overflow }
    try put("\n" + String(repeating: indentation, count: depth))
  }

  private static func jsonEntries(
    _ members: TemplateDictionary, _ layout: JSONLayout
  ) throws(JSONFault) -> [(key: String, value: TemplateValue)] {
    var entries: [(key: String, value: TemplateValue)] = []
    for entry in members.entries {
      switch entry.key {
      case .string(let text), .markup(let text): entries.append((text, entry.value))
      case .integer(let value): entries.append((String(value), entry.value))
      case .number(let value): entries.append((jsonText(of: value), entry.value))
      case .bool(let value): entries.append((value ? "true" : "false", entry.value))
      case .none: entries.append(("null", entry.value))
      default: throw .notSerializable("a \(entry.key.typeName) as a key")
      }
    }
    if layout.sortsKeys {
      entries.sort { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    }
    return entries
  }

  private static func jsonText(of value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
    return text(of: value)
  }

  private static func jsonText(of text: String, _ layout: JSONLayout) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\u{8}": result += "\\b"
      case "\u{C}": result += "\\f"
      default:
        if scalar.value < 0x20 || layout.escapesNonASCII && scalar.value > 0x7E {
          for unit in String(scalar).utf16 {
            let digits = String(unit, radix: 16)
            result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
          }
        } else {
          result.unicodeScalars.append(scalar)
        }
      }
    }
    return result + "\""
  }
}
