/// Text from outside as people may see it: what could move a terminal's cursor, change its title or turn a line
/// around is spelt out.
///
/// A completion, a file's name, a column or a plugin's words may hold anything. Every channel passes its text
/// through here, so that no command has to think of it: `␛[2J` prints as `\u001b[2J`. The spelling is JSON's, in
/// which such a character means the same: JSON stays exact.
enum VisibleText {
  /// Begins and ends the number of a style within our own text.
  ///
  /// Noncharacters, which Unicode keeps for a program's inner use. Where they enclose anything but the number of a
  /// colour or a weight they are spelt out as well.
  static let styleBegin = Unicode.Scalar(0xFDD0 as UInt32) ?? "\u{FFFD}"
  static let styleEnd = Unicode.Scalar(0xFDD1 as UInt32) ?? "\u{FFFD}"

  /// Whether a character may not reach a reader as it is: the controls of ASCII but tab and line feed, those of
  /// Latin-1 (a lone U+009B begins a sequence in xterm), and the overrides and isolates of direction.
  static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x09, 0x0A: false
    case 0..<0x20, 0x7F...0x9F, 0x202A...0x202E, 0x2066...0x2069: true
    default: scalar == styleBegin || scalar == styleEnd
    }
  }

  /// The text with hidden characters spelt out.
  /// - Parameter styles: What becomes of our own styles: a terminal's sequences, or nothing.
  static func bytes(of text: String, styles: Bool) -> [UInt8] {
    var text = text
    return text.withUTF8 { utf8 in
      guard utf8.contains(where: mayBeginHidden) else { return Array(utf8) }
      var bytes: [UInt8] = []
      bytes.reserveCapacity(utf8.count + 16)
      var rest = String(decoding: utf8, as: UTF8.self).unicodeScalars[...]
      while let scalar = rest.popFirst() {
        if scalar == styleBegin, let code = styleCode(in: &rest) {
          if styles { bytes += "\u{1B}[\(code)m".utf8 }
        } else if isHidden(scalar) {
          bytes += spelled(scalar).utf8
        } else {
          bytes += UTF8.encode(scalar).map(Array.init) ?? []
        }
      }
      return bytes
    }
  }

  /// JSON's spelling of a character.
  static func spelled(_ scalar: Unicode.Scalar) -> String {
    let digits = String(scalar.value, radix: 16)
    return "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }

  /// Takes what follows the beginning of a style; nil, and nothing taken, where that is no style of ours.
  private static func styleCode(in rest: inout Substring.UnicodeScalarView) -> String? {
    let code = rest.prefix(16).prefix { ("0"..."9").contains($0) || $0 == ";" }
    guard !code.isEmpty, rest[code.endIndex...].first == styleEnd else { return nil }
    rest = rest[code.endIndex...].dropFirst()
    return String(code)
  }

  /// Whether a byte may be the first of a hidden character.
  private static func mayBeginHidden(_ byte: UInt8) -> Bool {
    (byte < 0x20 && byte != 0x0A && byte != 0x09)
      || byte == 0x7F || byte == 0xC2 || byte == 0xE2 || byte == 0xEF
  }
}

/// What a program says to a terminal beside text.
enum TerminalSequence: Equatable {
  /// To the first column.
  case lineStart
  /// Erases to the end of the line.
  case eraseToEnd
  /// To the first line, and erases everything.
  case clearScreen
  /// So many columns to the right.
  case right(Int)

  /// The bytes.
  var text: String {
    switch self {
    case .lineStart: "\r"
    case .eraseToEnd: "\u{1B}[K"
    case .clearScreen: "\u{1B}[H\u{1B}[2J"
    case .right(let columns): "\u{1B}[\(columns)C"
    }
  }
}
