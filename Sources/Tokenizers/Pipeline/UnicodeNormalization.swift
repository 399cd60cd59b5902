import Foundation

/// The four normalization forms of Unicode (UAX #15), by Foundation's tables.
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
      if start > copied { start = bytes.index(before: start) }
      result.append(contentsOf: bytes[copied..<start])
      while end < bytes.count, case let (value, length) = bytes.scalar(at: end), !isInert(value) {
        end += length
      }
      let stretch = String(decoding: bytes[start..<end], as: UTF8.self)
      result.append(contentsOf: form(of: stretch).utf8)
      copied = end
      guard let next = nextStretch(bytes, from: end) else { break }
      start = next
    }
    result.append(contentsOf: bytes[copied...])
    return result
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
    default: return false
    }
  }
}
