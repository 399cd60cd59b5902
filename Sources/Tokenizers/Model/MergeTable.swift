/// The merges of byte-pair encoding: a pair of token ids to its rank and product.
struct MergeTable: Sendable {
  /// A merge: the lower its rank, the sooner it applies.
  struct Merge {
    var rank: UInt32
    var product: UInt32
  }

  /// No merge applies; compares as later than any.
  static let noRank = UInt32.max

  private struct Entry {
    var pair: UInt64
    var merge: Merge
  }

  private var entries: [Entry]
  private(set) var count = 0
  private static let free = UInt64.max

  /// Makes an empty table for a number of merges.
  init(capacity: Int) {
    var size = 16
    while size < 2 * capacity { size *= 2 }
    entries = [Entry](
      repeating: Entry(pair: Self.free, merge: Merge(rank: Self.noRank, product: 0)), count: size)
  }

  /// Adds a merge; of two for the same pair the later stands, as in the reference implementation.
  mutating func insert(_ left: UInt32, _ right: UInt32, _ merge: Merge) {
    if 2 * (count + 1) > entries.count { grow() }
    let slot = slot(of: Self.pair(left, right))
    if entries[slot].pair == Self.free { count += 1 }
    entries[slot] = Entry(pair: Self.pair(left, right), merge: merge)
  }

  /// The merge of two neighbours; rank `noRank` where there is none.
  @inline(__always)
  func merge(_ left: UInt32, _ right: UInt32) -> Merge {
    entries[slot(of: Self.pair(left, right))].merge
  }

  @inline(__always)
  private static func pair(_ left: UInt32, _ right: UInt32) -> UInt64 {
    UInt64(left) << 32 | UInt64(right)
  }

  @inline(__always)
  private func slot(of pair: UInt64) -> Int {
    let mask = entries.count - 1
    var slot = Int(truncatingIfNeeded: Vocabulary.mix(pair ^ 0x9E37_79B9_7F4A_7C15) >> 1) & mask
    while entries[slot].pair != pair, entries[slot].pair != Self.free { slot = (slot + 1) & mask }
    return slot
  }

  private mutating func grow() {
    let old = entries
    self = MergeTable(capacity: old.count)
    for entry in old where entry.pair != Self.free {
      entries[slot(of: entry.pair)] = entry
      count += 1
    }
  }
}
