/// The encodings of recent short words; a slot each, the newest stays.
///
/// Bounded: 8,192 slots of 32 bytes. A word is at most 15 bytes, kept whole with its length, so that
/// a hit is exact; its encoding is at most three tokens.
struct WordCache: Sendable {
  /// A word of at most 15 bytes with its length, in two machine words.
  struct Key: Equatable {
    var low: UInt64
    var high: UInt64

    /// The key of a word; nil where it is too long.
    @inline(__always)
    init?(_ word: UTF8Bytes) {
      guard word.count < 16 else { return nil }
      var low: UInt64 = 0
      var high = UInt64(word.count)
      for index in 0..<min(word.count, 8) { low = low << 8 | UInt64(word[index]) }
      if word.count > 8 {
        for index in 8..<word.count { high = high << 8 | UInt64(word[index]) }
      }
      self.low = low
      self.high = high
    }

    @inline(__always)
    var slot: Int {
      Int(truncatingIfNeeded: Vocabulary.mix(low ^ high &* 0x9E37_79B9_7F4A_7C15) >> 40)
        & (WordCache.size - 1)
    }
  }

  private struct Slot {
    var low: UInt64 = 0
    var high: UInt64 = 0
    var first: UInt32 = 0
    var second: UInt32 = 0
    var third: UInt32 = 0
    var count: UInt32 = 0
  }

  static let size = 8192
  private var slots: [Slot] = []

  init() {}

  /// Appends a word's encoding where it is known.
  @inline(__always)
  mutating func append(_ key: Key, to output: inout [Int32]) -> Bool {
    if slots.isEmpty { slots = [Slot](repeating: Slot(), count: Self.size) }
    let slot = slots[key.slot]
    guard slot.count > 0, slot.low == key.low, slot.high == key.high else { return false }
    output.append(Int32(bitPattern: slot.first))
    if slot.count > 1 { output.append(Int32(bitPattern: slot.second)) }
    if slot.count > 2 { output.append(Int32(bitPattern: slot.third)) }
    return true
  }

  /// Remembers a word's encoding where it is short enough.
  @inline(__always)
  mutating func store(_ key: Key, _ tokens: ArraySlice<Int32>) {
    guard (1...3).contains(tokens.count) else { return }
    func token(_ offset: Int) -> UInt32 {
      offset < tokens.count ? UInt32(bitPattern: tokens[tokens.startIndex + offset]) : 0
    }
    slots[key.slot] = Slot(
      low: key.low, high: key.high, first: token(0), second: token(1), third: token(2),
      count: UInt32(tokens.count))
  }
}
