import Foundation

/// The lines of a file, one after the other, hashed as they pass.
package struct LineSource: ~Copyable {
  let path: String
  /// The number of the line that `nextLine` gave last, from 1.
  package private(set) var lineNumber = 0
  private var reader: FileReader
  private var hash = SHA256()
  private var buffer: [UInt8] = []
  private var position = 0
  private var isAtEnd = false

  /// Opens a file.
  /// - Parameter name: What messages call it.
  package init(_ path: String, name: String? = nil) throws(DatasetError) {
    self.path = name ?? path
    do throws(FileReadError) { reader = try FileReader(path) } catch {
      throw DatasetError(path: self.path, reason: error.reason)
    }
  }

  /// The first bytes, without taking them.
  mutating func peek() throws(DatasetError) -> [UInt8] {
    if buffer.isEmpty { try fill() }
    return Array(buffer.prefix(4096))
  }

  /// The next line without its end; nil after the last.
  package mutating func nextLine() throws(DatasetError) -> [UInt8]? {
    var searched = position
    while true {
      if let end = indexOfLineFeed(from: searched) {
        lineNumber += 1
        defer { position = end + 1 }
        return trimmed(position..<end)
      }
      searched = buffer.count
      if isAtEnd {
        guard position < buffer.count else { return nil }
        lineNumber += 1
        defer { position = buffer.count }
        return trimmed(position..<buffer.count)
      }
      guard buffer.count - position <= DatasetFile.lineLimit else {
        throw DatasetError(
          path: path, at: .line(lineNumber + 1),
          reason: "is longer than \(DatasetFile.lineLimit >> 20) MiB; is it a data set?")
      }
      let kept = searched - position
      try fill()
      searched = position + kept
    }
  }

  /// All bytes that are left.
  mutating func rest(limit: Int) throws(DatasetError) -> [UInt8] {
    while !isAtEnd {
      try fill()
      if buffer.count > limit {
        throw DatasetError(
          path: path,
          reason:
            "is longer than \(limit >> 20) MiB in one piece; write an object per line (.jsonl)")
      }
    }
    defer { position = buffer.count }
    return Array(buffer[position...])
  }

  /// The SHA-256 of all bytes that were read.
  consuming func finishHash() -> String { hash.finalize().hexadecimal }

  /// Drops what was used and appends a piece.
  private mutating func fill() throws(DatasetError) {
    if position > 0 {
      buffer.removeFirst(position)
      position = 0
    }
    do throws(FileReadError) {
      if try reader.readPiece() {
        hash.update(reader.piece)
        buffer += reader.piece
      } else {
        isAtEnd = true
      }
    } catch {
      throw DatasetError(path: path, reason: error.reason)
    }
  }

  private func indexOfLineFeed(from start: Int) -> Int? {
    buffer.withUnsafeBytes { bytes -> Int? in
      guard start < bytes.count, let base = bytes.baseAddress,
        let found = memchr(base + start, 0x0A, bytes.count - start)
      else { return nil }
      return UnsafeRawPointer(found) - base
    }
  }

  /// A line without a carriage return at its end and, at the file's beginning, the byte-order mark.
  private func trimmed(_ range: Range<Int>) -> [UInt8] {
    var line = buffer[range]
    if line.last == 0x0D { line.removeLast() }
    if lineNumber == 1, line.starts(with: [0xEF, 0xBB, 0xBF]) { line.removeFirst(3) }
    return Array(line)
  }
}
