/// A view of UTF-8 text that is known to be well formed; offsets are bytes.
typealias UTF8Bytes = UnsafeBufferPointer<UInt8>

extension UnsafeBufferPointer<UInt8> {
  /// The scalar that starts at a byte offset, and its length in bytes.
  ///
  /// The text is well formed, yet reading stops at its end whatever it holds.
  @inline(__always)
  func scalar(at index: Int) -> (value: UInt32, length: Int) {
    let first = UInt32(self[index])
    if first < 0x80 { return (first, 1) }
    let length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
    guard index + length <= count else { return (0xFFFD, count - index) }
    var value = first & (0x7F >> UInt32(length))
    for offset in 1..<length { value = value << 6 | UInt32(self[index + offset] & 0x3F) }
    return (value, length)
  }

  /// The offset at which the scalar before a byte offset starts; 0 at the start.
  @inline(__always)
  func index(before index: Int) -> Int {
    var index = index - 1
    while index > 0, self[index] & 0xC0 == 0x80 { index -= 1 }
    return Swift.max(index, 0)
  }

  /// The bytes of a range.
  @inline(__always)
  func slice(_ range: Range<Int>) -> UTF8Bytes { UTF8Bytes(rebasing: self[range]) }

  /// Whether the bytes start with others.
  func starts(with prefix: [UInt8]) -> Bool {
    count >= prefix.count && zip(self, prefix).allSatisfy { $0 == $1 }
  }

  /// Whether the bytes from an offset on start with others.
  @inline(__always)
  func matches(_ other: [UInt8], at index: Int) -> Bool {
    guard index + other.count <= count else { return false }
    for offset in 0..<other.count where self[index + offset] != other[offset] { return false }
    return true
  }
}

extension [UInt8] {
  /// Appends a scalar's UTF-8 encoding; a value that is no scalar becomes U+FFFD.
  @inline(__always)
  mutating func append(scalar value: UInt32) {
    switch value {
    case 0..<0x80: append(UInt8(value))
    case 0x80..<0x800:
      append(UInt8(0xC0 | value >> 6))
      append(UInt8(0x80 | value & 0x3F))
    case 0xD800..<0xE000, 0x110000...: append(scalar: 0xFFFD)
    case 0x800..<0x10000:
      append(UInt8(0xE0 | value >> 12))
      append(UInt8(0x80 | value >> 6 & 0x3F))
      append(UInt8(0x80 | value & 0x3F))
    default:
      append(UInt8(0xF0 | value >> 18))
      append(UInt8(0x80 | value >> 12 & 0x3F))
      append(UInt8(0x80 | value >> 6 & 0x3F))
      append(UInt8(0x80 | value & 0x3F))
    }
  }
}
