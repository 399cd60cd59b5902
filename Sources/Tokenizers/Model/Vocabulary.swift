import Rollouts

/// The tokens' contents by id, and ids by content, in three flat arrays.
///
/// Contents are compared byte by byte: Swift's `String` would take two spellings of "é" for one.
struct Vocabulary: Sendable {
  /// Ids from here on are refused: a lying file must not claim memory without bound.
  static let idLimit = 1 << 22

  private var contents: [UInt8] = []
  /// Where a token's content starts; `absent` for an id without a token.
  private var starts: [UInt32] = []
  private var lengths: [UInt32] = []
  /// Open addressing: id + 1, or 0 where the slot is free.
  private var slots: [UInt32] = [UInt32](repeating: 0, count: 1024)
  /// How many tokens there are.
  private(set) var count = 0

  private static let absent = UInt32.max

  init() {}

  /// The greatest id + 1.
  var size: Int { starts.count }

  /// What came of adding a token.
  enum Insertion { case added, duplicateContent(UInt32), duplicateID, idOutOfRange }

  /// Makes room for a number of bytes of content.
  mutating func reserve(bytes: Int) { contents.reserveCapacity(bytes) }

  /// Adds a token; a content or an id that is there already is left as it is.
  mutating func insert(_ token: UTF8Bytes, id: Int) -> Insertion {
    guard id >= 0, id < Self.idLimit, contents.count + token.count < Int(UInt32.max) else {
      return .idOutOfRange
    }
    if 2 * (count + 1) > slots.count { grow() }
    var slot = Self.hash(token) & (slots.count - 1)
    while slots[slot] != 0 {
      if holds(token, at: slots[slot] - 1) { return .duplicateContent(slots[slot] - 1) }
      slot = (slot + 1) & (slots.count - 1)
    }
    while starts.count <= id {
      starts.append(Self.absent)
      lengths.append(0)
    }
    guard starts[id] == Self.absent else { return .duplicateID }
    starts[id] = UInt32(contents.count)
    lengths[id] = UInt32(token.count)
    contents.append(contentsOf: token)
    slots[slot] = UInt32(id) + 1
    count += 1
    return .added
  }

  /// The id of a token's content.
  func id(of token: UTF8Bytes) -> UInt32? {
    var slot = Self.hash(token) & (slots.count - 1)
    while slots[slot] != 0 {
      if holds(token, at: slots[slot] - 1) { return slots[slot] - 1 }
      slot = (slot + 1) & (slots.count - 1)
    }
    return nil
  }

  /// The id of a token's content.
  func id(of token: [UInt8]) -> UInt32? { token.withUnsafeBufferPointer { id(of: $0) } }

  /// The id of a token's content.
  func id(of token: String) -> UInt32? { id(of: Array(token.utf8)) }

  /// Lends the content of a token; nil for an id without one.
  @inline(__always)
  func withContent<Result>(of id: TokenID, _ body: (UTF8Bytes) -> Result) -> Result? {
    guard id >= 0, Int(id) < starts.count, starts[Int(id)] != Self.absent else { return nil }
    let start = Int(starts[Int(id)])
    let end = start + Int(lengths[Int(id)])
    return contents.withUnsafeBufferPointer { body($0.slice(start..<end)) }
  }

  /// The content of a token; nil for an id without one.
  func content(of id: TokenID) -> [UInt8]? { withContent(of: id) { Array($0) } }

  private func holds(_ token: UTF8Bytes, at id: UInt32) -> Bool {
    let start = Int(starts[Int(id)])
    guard Int(lengths[Int(id)]) == token.count else { return false }
    for index in 0..<token.count where contents[start + index] != token[index] { return false }
    return true
  }

  private mutating func grow() {
    var larger = [UInt32](repeating: 0, count: slots.count * 4)
    contents.withUnsafeBufferPointer { contents in
      for id in starts.indices where starts[id] != Self.absent {
        let start = Int(starts[id])
        var slot = Self.hash(contents.slice(start..<start + Int(lengths[id]))) & (larger.count - 1)
        while larger[slot] != 0 { slot = (slot + 1) & (larger.count - 1) }
        larger[slot] = UInt32(id) + 1
      }
    }
    slots = larger
  }

  /// A 64-bit mix of the bytes, eight at a time (multiply and fold, after wyhash).
  @inline(__always)
  static func hash(_ bytes: UTF8Bytes) -> Int {
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15 ^ UInt64(truncatingIfNeeded: bytes.count)
    var index = 0
    while index < bytes.count {
      var word: UInt64 = 0
      let end = min(index + 8, bytes.count)
      while index < end {
        word = word << 8 | UInt64(bytes[index])
        index += 1
      }
      state = mix(state ^ word)
    }
    return Int(truncatingIfNeeded: state >> 1)
  }

  @inline(__always)
  static func mix(_ word: UInt64) -> UInt64 {
    let product = word.multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
    return product.high ^ product.low
  }
}
