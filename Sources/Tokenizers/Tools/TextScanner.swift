/// Goes through a text from mark to mark, byte by byte: a mark is found whatever letters stand around it.
struct TextScanner {
  private let bytes: [UInt8]
  private(set) var position = 0

  init(_ text: String) { bytes = Array(text.utf8) }

  /// What has not been gone through.
  var rest: String { text(position..<bytes.count) }
  /// Whether nothing but white space is left.
  var isBlank: Bool { bytes[position...].allSatisfy(Self.isSpace) }

  private func text(_ range: Range<Int>) -> String {
    String(decoding: bytes[range], as: UTF8.self)
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || (0x09...0x0D).contains(byte)
  }

  /// Passes white space.
  mutating func skipSpace() {
    while position < bytes.count, Self.isSpace(bytes[position]) { position += 1 }
  }

  /// Passes a mark where the text goes on with it.
  mutating func skip(_ mark: String) -> Bool {
    guard bytes[position...].starts(with: mark.utf8) else { return false }
    position += mark.utf8.count
    return true
  }

  /// The text before the next mark, which is passed too; nil, and nothing passed, where there is none.
  mutating func text(before mark: String) -> String? {
    let mark = Array(mark.utf8)
    guard let first = mark.first else { return nil }
    var place = position
    while place + mark.count <= bytes.count {
      guard let found = bytes[place...].firstIndex(of: first), found + mark.count <= bytes.count
      else { return nil }
      if bytes[found...].starts(with: mark) {
        defer { position = found + mark.count }
        return text(position..<found)
      }
      place = found + 1
    }
    return nil
  }
}

extension String {
  /// The text without white space (ASCII's) at its ends.
  var trimmed: String {
    let isSpace = { (byte: UInt8) in byte == 0x20 || (0x09...0x0D).contains(byte) }
    let bytes = Array(utf8)
    guard let first = bytes.firstIndex(where: { !isSpace($0) }),
      let last = bytes.lastIndex(where: { !isSpace($0) })
    else { return "" }
    return String(decoding: bytes[first...last], as: UTF8.self)
  }

  /// The text without one line's end at each end, as templates put one around a value.
  var withoutOuterLineEnds: String {
    var bytes = Array(utf8)[...]
    if bytes.first == 0x0A { bytes = bytes.dropFirst() }
    if bytes.last == 0x0A { bytes = bytes.dropLast() }
    return String(decoding: bytes, as: UTF8.self)
  }
}
