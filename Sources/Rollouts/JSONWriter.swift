extension JSONValue {
  /// The value as JSON text on one line, members in their order.
  ///
  /// A number that is not finite is written as null, since JSON has no word for it. Doubles are
  /// written with the fewest digits that read back as the same value.
  public var jsonText: String {
    var text = ""
    write(to: &text, indentation: nil, level: 0)
    return text
  }

  /// The value as JSON text over several lines, two spaces a level.
  public var prettyJSONText: String {
    var text = ""
    write(to: &text, indentation: "  ", level: 0)
    return text
  }

  private func write(to text: inout String, indentation: String?, level: Int) {
    switch self {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .integer(let value): text += String(value)
    case .largeInteger(let value): text += value.description
    case .number(let value): text += Self.text(of: value)
    case .string(let value): Self.write(string: value, to: &text)
    case .array(let elements):
      Self.writeList(
        elements, between: ("[", "]"), to: &text, indentation: indentation, level: level
      ) { element, text in
        element.write(to: &text, indentation: indentation, level: level + 1)
      }
    case .object(let members):
      Self.writeList(
        Array(members), between: ("{", "}"), to: &text, indentation: indentation, level: level
      ) { member, text in
        Self.write(string: member.key, to: &text)
        text += indentation == nil ? ":" : ": "
        member.value.write(to: &text, indentation: indentation, level: level + 1)
      }
    }
  }

  private static func writeList<Element>(
    _ elements: [Element], between brackets: (String, String), to text: inout String,
    indentation: String?, level: Int, write: (Element, inout String) -> Void
  ) {
    text += brackets.0
    for (index, element) in elements.enumerated() {
      if index > 0 { text += "," }
      if let indentation { text += "\n" + String(repeating: indentation, count: level + 1) }
      write(element, &text)
    }
    if let indentation, !elements.isEmpty {
      text += "\n" + String(repeating: indentation, count: level)
    }
    text += brackets.1
  }

  private static func text(of value: Double) -> String {
    guard value.isFinite else { return "null" }
    // Swift writes 1e+20 as 1e+20 and 3 as 3.0: both are JSON.
    return "\(value)"
  }

  private static func write(string: String, to text: inout String) {
    text += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case "\u{0}"..<"\u{20}", "\u{7F}":
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
