/// GPT-2's spelling of bytes as printable characters: 0x20 is "Ġ", 0x0A is "Ċ".
///
/// Printable bytes of Latin-1 stand for themselves; the others, in order, for U+0100 onwards
/// (Radford et al. 2019, `encoder.py`, `bytes_to_unicode`).
enum ByteLevelAlphabet {
  /// The scalar that stands for a byte.
  static let scalars: [UInt32] = {
    var next: UInt32 = 0x100
    return (0..<256).map { (byte: UInt32) in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return byte
      default:
        defer { next += 1 }
        return next
      }
    }
  }()

  /// The byte of a scalar below U+0180, or -1.
  static let bytes: [Int16] = {
    var bytes = [Int16](repeating: -1, count: 0x180)
    for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar)] = Int16(byte) }
    return bytes
  }()

  /// Appends the spelling of bytes.
  @inline(__always)
  static func spell(_ bytes: UTF8Bytes, into text: inout [UInt8]) {
    for byte in bytes { text.append(scalar: scalars[Int(byte)]) }
  }

  /// Appends the bytes that a token spells, or the token's own where it isn't such a spelling.
  static func unspell(_ token: UTF8Bytes, into text: inout [UInt8]) {
    let mark = text.count
    var index = 0
    while index < token.count {
      let (scalar, length) = token.scalar(at: index)
      guard scalar < 0x180, bytes[Int(scalar)] >= 0 else {
        text.removeSubrange(mark...)
        text.append(contentsOf: token)
        return
      }
      text.append(UInt8(truncatingIfNeeded: bytes[Int(scalar)]))
      index += length
    }
  }
}
