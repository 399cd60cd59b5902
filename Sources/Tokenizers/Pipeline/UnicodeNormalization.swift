import Foundation

/// The four normalization forms of Unicode (UAX #15), by Foundation's tables.
///
/// The reference library's tables are those of Unicode 9; characters assigned later count as
/// unassigned here too, so that both give the same text.
enum NormalizationForm: String, Sendable {
  case nfc = "NFC"
  case nfd = "NFD"
  case nfkc = "NFKC"
  case nfkd = "NFKD"

  /// The text in this form.
  ///
  /// Only stretches that hold something to normalize go through Foundation, each with the scalar
  /// before it, onto which a mark may compose; the rest is copied.
  func normalized(_ bytes: UTF8Bytes) -> [UInt8]? {
    guard var start = nextStretch(bytes, from: 0) else { return nil }
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count + 16)
    var copied = 0
    while true {
      var end = start
      if start > copied, case let previous = bytes.index(before: start),
        !Self.isBarrier(bytes.scalar(at: previous).value)
      {
        start = previous
      }
      result.append(contentsOf: bytes[copied..<start])
      while end < bytes.count, case let (value, length) = bytes.scalar(at: end), !isInert(value) {
        end += length
      }
      let stretch = expanded(bytes.slice(start..<end))
      result.append(contentsOf: form(of: stretch).utf8)
      copied = end
      guard let next = nextStretch(bytes, from: end) else { break }
      start = next
    }
    result.append(contentsOf: bytes[copied...])
    return result
  }

  /// The stretch with the few marks replaced whose decomposition starts with another mark:
  /// Foundation does not move that mark to its place.
  private func expanded(_ bytes: UTF8Bytes) -> String {
    var text = String.UnicodeScalarView()
    for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
      switch scalar.value {
      case 0x0344: text.append(contentsOf: "\u{308}\u{301}".unicodeScalars)
      case 0x0F73: text.append(contentsOf: "\u{F71}\u{F72}".unicodeScalars)
      case 0x0F75: text.append(contentsOf: "\u{F71}\u{F74}".unicodeScalars)
      case 0x0F81: text.append(contentsOf: "\u{F71}\u{F80}".unicodeScalars)
      case 0xFF9E where self == .nfkc || self == .nfkd: text.append("\u{3099}")
      case 0xFF9F where self == .nfkc || self == .nfkd: text.append("\u{309A}")
      default: text.append(scalar)
      }
    }
    return String(text)
  }

  /// Whether a scalar is never changed and never composes with a neighbour: it is later than the
  /// reference's tables, or a letter of old Hangul, which Foundation would compose all the same.
  private static func isBarrier(_ value: UInt32) -> Bool {
    switch value {
    case 0x1113...0x115F, 0x1176...0x11A7, 0x11C3...0x11FF: return true
    default: break
    }
    guard value >= 0x80, let age = Unicode.Scalar(value)?.properties.age else {
      return value >= 0x80
    }
    return age.major > 9
  }

  private func form(of text: String) -> String {
    switch self {
    case .nfc: text.precomposedStringWithCanonicalMapping
    case .nfd: text.decomposedStringWithCanonicalMapping
    case .nfkc: text.precomposedStringWithCompatibilityMapping
    case .nfkd: text.decomposedStringWithCompatibilityMapping
    }
  }

  /// Where the next scalar that is not inert starts.
  private func nextStretch(_ bytes: UTF8Bytes, from start: Int) -> Int? {
    var index = start
    while index < bytes.count {
      let byte = bytes[index]
      if byte < 0x80 {
        index += 1
        continue
      }
      let (value, length) = bytes.scalar(at: index)
      if !isInert(value) { return index }
      index += length
    }
    return nil
  }

  /// Whether a scalar is surely unchanged by the form and never composes with what precedes it.
  @inline(__always)
  private func isInert(_ value: UInt32) -> Bool {
    if value < 0x80 { return true }
    switch value {
    // CJK ideographs and the common signs of CJK text, general punctuation, Cyrillic without marks.
    case 0x3400...0x4DBF, 0x4E00...0x9FFF, 0x3001...0x3029, 0x2010, 0x2012...0x2016,
      0x2018...0x2023, 0x0410...0x0418, 0x041A...0x0438, 0x043A...0x044F:
      return true
    // Letters of Latin and Kana and Hangul syllables are composed already.
    case 0x80...0x2FF: return self == .nfc
    case 0xAC00...0xD7A3, 0x3041...0x3096, 0x30A1...0x30FA, 0xFF01...0xFF60, 0x1F300...0x1FAFF:
      return self == .nfc
    default: return Self.isBarrier(value)
    }
  }
}
