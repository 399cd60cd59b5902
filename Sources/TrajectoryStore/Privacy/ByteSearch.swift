import Foundation
import Rollouts

/// Looks for any of some byte strings in files.
///
/// Rabin and Karp: a rolling hash over the first bytes that all strings have finds candidates, which are then compared.
/// Time is linear in the file, but for candidates.
struct ByteSearch {
  private let needles: [[UInt8]]
  /// The length of the shortest string: what is hashed.
  private let window: Int
  private let table: [UInt64: [Int]]
  private let highest: UInt64

  /// Bytes that are read at once: logs may be larger than memory.
  private static let pieceSize = 16 << 20
  private static let base: UInt64 = 0x100_0000_01B3

  init(_ needles: [[UInt8]]) {
    self.needles = needles.filter { !$0.isEmpty }
    let window = self.needles.map(\.count).min() ?? 0
    var table: [UInt64: [Int]] = [:]
    for (index, needle) in self.needles.enumerated() {
      table[Self.hash(needle.prefix(window)), default: []].append(index)
    }
    (self.window, self.table) = (window, table)
    highest = (1..<max(window, 1)).reduce(1) { power, _ in power &* Self.base }
  }

  private static func hash(_ bytes: some Sequence<UInt8>) -> UInt64 {
    bytes.reduce(0) { ($0 &* base) &+ UInt64($1) &+ 1 }
  }

  /// Whether any of the strings stands in the bytes.
  func isFound(in bytes: some RandomAccessCollection<UInt8>) -> Bool {
    guard window > 0, bytes.count >= window else { return false }
    let start = bytes.startIndex
    func at(_ offset: Int) -> UInt8 { bytes[bytes.index(start, offsetBy: offset)] }
    var hash = Self.hash(bytes.prefix(window))
    var offset = 0
    while true {
      if let candidates = table[hash] {
        let rest = bytes[bytes.index(start, offsetBy: offset)...]
        if candidates.contains(where: { rest.starts(with: needles[$0]) }) { return true }
      }
      guard offset + window < bytes.count else { return false }
      hash = (hash &- (UInt64(at(offset)) &+ 1) &* highest) &* Self.base
      hash = hash &+ UInt64(at(offset + window)) &+ 1
      offset += 1
    }
  }

  /// Whether any of the strings stands in a file.
  /// - Throws: `StoreError` where it can't be read.
  func isFound(in file: URL) throws(StoreError) -> Bool {
    do {
      let handle = try FileHandle(forReadingFrom: file)
      defer { try? handle.close() }
      // What begins at the end of one piece ends in the next.
      let overlap = (needles.map(\.count).max() ?? 1) - 1
      var piece: [UInt8] = []
      while let more = try handle.read(upToCount: Self.pieceSize), !more.isEmpty {
        piece = piece.suffix(overlap) + more
        if isFound(in: piece) { return true }
      }
      return false
    } catch {
      throw StoreError(
        .unreachable, "The file \(file.path) can't be read to look for what was forgotten.")
    }
  }

  /// Takes the lines out of a file in which any of the strings stands; returns how many.
  /// - Throws: `StoreError` where it can't be read or written.
  func removeLines(of file: URL) throws(StoreError) -> Int {
    guard let data = RegularFile.bytes(at: file) else {
      throw StoreError(.unreachable, "The file \(file.path) can't be read.")
    }
    let bytes = Array(data)
    guard isFound(in: bytes) else { return 0 }
    var kept: [UInt8] = []
    kept.reserveCapacity(bytes.count)
    var removed = 0
    for line in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
      if isFound(in: line.element) {
        removed += 1
      } else {
        if line.offset > removed { kept.append(0x0A) }
        kept += line.element
      }
    }
    do { try Data(kept).write(to: file, options: .atomic) } catch {
      throw StoreError(.unreachable, "The file \(file.path) can't be written.")
    }
    return removed
  }
}
