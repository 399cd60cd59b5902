/// Cuts a stream of bytes into lines, and refuses a line that is too long.
struct LineReader {
  /// The longest line that is taken, in bytes.
  static let limit = 4 << 20

  private var buffer: [UInt8] = []
  private var searched = 0
  private var start = 0

  /// Whether a line has outgrown the limit.
  var isOverlong: Bool { buffer.count - start > Self.limit }
  /// The bytes of an unfinished line.
  var rest: ArraySlice<UInt8> { buffer[start...] }

  mutating func append(_ bytes: UnsafeBufferPointer<UInt8>) {
    if start > 0 {
      buffer.removeSubrange(..<start)
      searched -= start
      start = 0
    }
    buffer.append(contentsOf: bytes)
  }

  /// The next whole line without its end, nil where there is none yet.
  ///
  /// Each byte is looked at once.
  mutating func next() -> ArraySlice<UInt8>? {
    guard let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) else {
      searched = buffer.count
      return nil
    }
    let line = buffer[start..<end]
    start = end + 1
    searched = start
    return line.last == UInt8(ascii: "\r") ? line.dropLast() : line
  }
}

/// The last bytes that a plugin wrote to standard error.
struct ErrorTail {
  /// How much is kept.
  static let limit = 4096

  private var bytes: [UInt8] = []
  private(set) var total = 0

  mutating func append(_ more: UnsafeBufferPointer<UInt8>) {
    total += more.count
    bytes.append(contentsOf: more.suffix(Self.limit))
    if bytes.count > 2 * Self.limit { bytes.removeFirst(bytes.count - Self.limit) }
  }

  /// Forgets what was kept, at the start of the next completion.
  mutating func clear() {
    bytes.removeAll(keepingCapacity: true)
    total = 0
  }

  /// The kept bytes as text, without space at the ends.
  var text: String {
    var tail = String(decoding: bytes.suffix(Self.limit), as: UTF8.self)
    while let last = tail.last, last.isWhitespace { tail.removeLast() }
    return total > Self.limit ? "…\(tail)" : tail
  }
}
