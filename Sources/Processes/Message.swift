/// What ranks tell one another: written in order, read in the same order by the same program.
package protocol Message {
  /// Appends everything that `init(from:)` reads.
  func write(to writer: inout MessageWriter)
  /// Reads what `write(to:)` appended.
  init(from reader: inout MessageReader) throws(RankError)
}

/// The bytes of a message while it is written.
package struct MessageWriter {
  /// What was written.
  package private(set) var bytes: [UInt8] = []

  /// Nothing yet.
  package init() {}

  /// Appends a message.
  package mutating func write(_ message: some Message) { message.write(to: &self) }

  /// Appends numbers as they lie in memory: all ranks are of one kind of machine.
  package mutating func write<Number: BitwiseCopyable>(numbers: [Number]) {
    numbers.count.write(to: &self)
    numbers.withUnsafeBytes { bytes.append(contentsOf: $0) }
  }

  /// Appends numbers that may be absent.
  package mutating func write<Number: BitwiseCopyable>(numbers: [Number]?) {
    write(numbers != nil)
    if let numbers { write(numbers: numbers) }
  }

  fileprivate mutating func append(_ value: some BitwiseCopyable) {
    withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
  }
}

/// The bytes of a message while it is read.
package struct MessageReader {
  private let bytes: [UInt8]
  private var place = 0

  /// What another rank wrote.
  package init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Reads a message.
  package mutating func read<Value: Message>(_: Value.Type = Value.self) throws(RankError) -> Value
  {
    try Value(from: &self)
  }

  /// Reads numbers.
  package mutating func readNumbers<Number: BitwiseCopyable>(
    _: Number.Type = Number.self
  ) throws(RankError) -> [Number] {
    let count: Int = try read()
    let size = MemoryLayout<Number>.stride
    guard count >= 0, count <= (bytes.count - place) / max(size, 1) else { throw Self.torn }
    defer { place += count * size }
    return [Number](unsafeUninitializedCapacity: count) { buffer, written in
      bytes.withUnsafeBytes { source in
        UnsafeMutableRawBufferPointer(buffer).copyMemory(
          from: UnsafeRawBufferPointer(rebasing: source[place..<place + count * size]))
      }
      written = count
    }
  }

  /// Reads numbers that may be absent.
  package mutating func readOptionalNumbers<Number: BitwiseCopyable>(
    _: Number.Type = Number.self
  ) throws(RankError) -> [Number]? {
    try read(Bool.self) ? try readNumbers() : nil
  }

  fileprivate mutating func take<Value: BitwiseCopyable>(_: Value.Type) throws(RankError) -> Value {
    let size = MemoryLayout<Value>.size
    guard bytes.count - place >= size else { throw Self.torn }
    defer { place += size }
    return bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: place, as: Value.self) }
  }

  /// A message that is not what was expected.
  package static let torn = RankError(.message, "a message of another rank ends before its time")
}

extension Message {
  /// The message by itself.
  package var messageBytes: [UInt8] {
    var writer = MessageWriter()
    write(to: &writer)
    return writer.bytes
  }

  /// Reads a message that stood by itself.
  package init(messageBytes: [UInt8]) throws(RankError) {
    var reader = MessageReader(messageBytes)
    self = try reader.read()
  }
}

extension Ranks {
  /// A message of rank 0 on every rank.
  /// - Parameter message: On rank 0 what it says; elsewhere it is not looked at.
  package func broadcast<Value: Message>(_ message: @autoclosure () -> Value) throws(RankError)
    -> Value
  {
    guard size > 1 else { return message() }
    return try Value(messageBytes: try broadcast(isFirst ? message().messageBytes : []))
  }

  /// Every rank's message, by rank, on every rank.
  package func allGather<Value: Message>(_ message: Value) throws(RankError) -> [Value] {
    guard size > 1 else { return [message] }
    var all: [Value] = []
    for bytes in try allGather(message.messageBytes) { all.append(try Value(messageBytes: bytes)) }
    return all
  }
}

// MARK: - What messages are made of

extension Int: Message {
  package func write(to writer: inout MessageWriter) { writer.append(self) }
  package init(from reader: inout MessageReader) throws(RankError) {
    self = try reader.take(Int.self)
  }
}

extension Int32: Message {
  package func write(to writer: inout MessageWriter) { writer.append(self) }
  package init(from reader: inout MessageReader) throws(RankError) {
    self = try reader.take(Int32.self)
  }
}

extension Double: Message {
  package func write(to writer: inout MessageWriter) { writer.append(self) }
  package init(from reader: inout MessageReader) throws(RankError) {
    self = try reader.take(Double.self)
  }
}

extension Bool: Message {
  package func write(to writer: inout MessageWriter) { writer.append(self ? 1 as UInt8 : 0) }
  package init(from reader: inout MessageReader) throws(RankError) {
    self = try reader.take(UInt8.self) != 0
  }
}

extension String: Message {
  package func write(to writer: inout MessageWriter) { writer.write(numbers: Array(utf8)) }
  package init(from reader: inout MessageReader) throws(RankError) {
    self = String(decoding: try reader.readNumbers(UInt8.self), as: UTF8.self)
  }
}

extension Optional: Message where Wrapped: Message {
  package func write(to writer: inout MessageWriter) {
    writer.write(self != nil)
    if let self { writer.write(self) }
  }
  package init(from reader: inout MessageReader) throws(RankError) {
    self = try reader.read(Bool.self) ? .some(try reader.read()) : nil
  }
}

extension Array: Message where Element: Message {
  package func write(to writer: inout MessageWriter) {
    writer.write(count)
    for element in self { writer.write(element) }
  }
  package init(from reader: inout MessageReader) throws(RankError) {
    let count: Int = try reader.read()
    self = []
    for _ in 0..<Swift.max(0, count) { append(try reader.read()) }
  }
}
