/// Text that fits columns: measured, padded, cut, wrapped.
enum TextLayout {
  /// Where padding goes.
  enum Alignment: Sendable { case left, right }

  /// The columns that a text takes at a terminal, the marks of styles not counted.
  static func width(of text: String) -> Int {
    // The first byte of a mark.
    guard text.utf8.contains(0xEF) else { return DisplayWidth.columns(of: text) }
    return DisplayWidth.columns(of: withoutStyles(text))
  }

  /// The text with spaces to fill `columns`.
  static func pad(_ text: String, to columns: Int, _ alignment: Alignment = .left) -> String {
    let fill = String(repeating: " ", count: max(0, columns - width(of: text)))
    return alignment == .left ? text + fill : fill + text
  }

  /// The text cut to `columns`, the last of them an ellipsis where something is lost.
  ///
  /// Time is that of the columns kept, not of the text.
  static func truncate(_ text: String, to columns: Int) -> String {
    var used = 0
    var end = text.startIndex
    var endBeforeLast = text.startIndex
    for index in text.indices {
      let next = used + DisplayWidth.columns(of: text[index])
      if next > columns {
        return columns < 1 ? "" : text[..<endBeforeLast] + "…"
      }
      used = next
      end = text.index(after: index)
      if used <= columns - 1 { endBeforeLast = end }
    }
    return text
  }

  /// The text cut to its last `columns`, an ellipsis before them where something is lost.
  static func truncateStart(_ text: String, to columns: Int) -> String {
    guard columns > 0 else { return "" }
    var used = 0
    var start = text.endIndex
    for index in text.indices.reversed() {
      used += DisplayWidth.columns(of: text[index])
      // One column is kept for the ellipsis, unless this is the whole.
      if used > columns || (used == columns && index != text.startIndex) {
        return "…" + text[start...]
      }
      start = index
    }
    return text
  }

  /// The text with its middle left out where it takes more than `columns`: how a completion begins and what it
  /// comes to are both worth reading.
  static func truncateMiddle(_ text: String, to columns: Int) -> String {
    guard width(of: text) > columns else { return text }
    guard columns > 4 else { return truncate(text, to: columns) }
    let head = truncate(text, to: columns / 2)
    return head + truncateStart(text, to: columns - columns / 2).dropFirst()
  }

  /// The text on one line, control characters made visible: what a cell of a table may hold.
  static func singleLine(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    var line = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n": line += "⏎"
      case "\t": line += "⇥"
      case "\r": line += "␍"
      case "\u{0}"..<"\u{20}":
        // The block of control pictures stands in the order of the controls.
        line.unicodeScalars.append(Unicode.Scalar(0x2400 + scalar.value) ?? "?")
      case _ where isControl(scalar): line += "\u{FFFD}"
      default: line.unicodeScalars.append(scalar)
      }
    }
    return line
  }

  /// The text without what could move a terminal's cursor: model output may hold anything.
  static func withoutControls(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    var safe = ""
    for scalar in text.unicodeScalars {
      if scalar == "\n" || scalar == "\t" || !isControl(scalar) {
        safe.unicodeScalars.append(scalar)
      } else {
        safe += "\u{FFFD}"
      }
    }
    return safe
  }

  /// Lines of at most `width` columns, broken at spaces; a longer word stands alone and overflows.
  ///
  /// Line breaks of the text stay. A line that begins with spaces keeps them, and what is broken off
  /// stands under its last column: under what follows the last two spaces in a row.
  static func wrap(_ text: String, width: Int) -> [String] {
    text.split(separator: "\n", omittingEmptySubsequences: false).flatMap { line in
      guard line.hasPrefix(" ") else { return wrapLine(line, width: width) }
      let head = lastColumn(of: line).map { line[..<$0] } ?? line.prefix { $0 == " " }
      let margin = Self.width(of: String(head))
      let body = wrapLine(line.dropFirst(head.count), width: max(width - margin, 20))
      let indent = String(repeating: " ", count: margin)
      return [head + (body.first ?? "")] + body.dropFirst().map { indent + $0 }
    }
  }

  /// Lines of at most `width` columns that, joined, are the text's lines again: broken behind spaces
  /// where there are any, within words where there are none.
  static func fold(_ text: String, width: Int) -> [String] {
    text.split(separator: "\n", omittingEmptySubsequences: false)
      .flatMap { foldLine($0, width: max(width, 2)) }
  }

  private static func foldLine(_ line: Substring, width: Int) -> [String] {
    var lines: [String] = []
    var rest = line
    while true {
      var used = 0
      var end = rest.startIndex
      var afterSpace: Substring.Index?
      while end < rest.endIndex {
        used += DisplayWidth.columns(of: rest[end])
        // Spaces at the break may hang over: they show nothing.
        if used > width, rest[end] != " " { break }
        end = rest.index(after: end)
        if rest[rest.index(before: end)] == " " { afterSpace = end }
      }
      guard end < rest.endIndex else { return lines + [String(rest)] }
      let cut = afterSpace ?? max(end, rest.index(after: rest.startIndex))
      lines.append(String(rest[..<cut]))
      rest = rest[cut...]
    }
  }

  /// Where a line's last column begins; nil where it has but one.
  private static func lastColumn(of line: Substring) -> String.Index? {
    let text = line.drop { $0 == " " }
    guard let gap = text.ranges(of: "  ").last else { return nil }
    return text[gap.upperBound...].firstIndex { $0 != " " }
  }

  private static func wrapLine(_ text: Substring, width: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      if line.isEmpty {
        line = String(word)
      } else if Self.width(of: line) + 1 + Self.width(of: String(word)) <= width {
        line += " " + word
      } else {
        lines.append(line)
        line = String(word)
      }
    }
    return lines + [line]
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar == "\n" || scalar == "\t" || VisibleText.isHidden(scalar)
  }

  private static func withoutStyles(_ text: String) -> String {
    String(decoding: VisibleText.bytes(of: text, styles: false), as: UTF8.self)
  }
}
