/// Which rank owns which part of an arena of numbers.
///
/// The arena is cut into buckets, which are reduced one after the other while what lies behind them is still being
/// computed; each bucket is cut into as many parts as there are ranks. Cuts are ends of blocks, which the arena fixes:
/// whatever is summed block by block comes out the same for any number of ranks.
public struct ArenaShares: Sendable, Equatable {
  /// A run of the arena that is reduced at once.
  struct Bucket: Sendable, Equatable {
    /// Where each part begins, and the end of the last: ranks + 1 places.
    var cuts: [Int]

    /// The numbers of some of the parts.
    func range(_ parts: Range<Int>) -> Range<Int> {
      cuts[parts.lowerBound]..<cuts[parts.upperBound]
    }
    var range: Range<Int> { cuts[0]..<cuts[cuts.count - 1] }
  }

  /// Every bucket, in ascending order.
  let buckets: [Bucket]
  /// How many ranks share the arena: a power of two.
  let ranks: Int

  /// Numbers of a bucket: 16 MiB, large against the time of a message and small against a layer.
  public static let bucketSize = 4 << 20

  /// Cuts an arena for a number of ranks.
  /// - Parameters:
  ///   - blocks: Where each block begins, ascending, and where the last ends.
  ///   - ranks: How many share it: a power of two.
  public init(blocks: [Int], ranks: Int, bucketSize: Int = Self.bucketSize) {
    precondition(ranks > 0 && ranks & (ranks - 1) == 0, "the tree is of a power of two of ranks")
    self.ranks = ranks
    var buckets: [Bucket] = []
    var first = 0
    while first + 1 < blocks.count {
      var last = first + 1
      while last + 1 < blocks.count, blocks[last] - blocks[first] < bucketSize { last += 1 }
      let count = last - first
      buckets.append(
        Bucket(cuts: (0...ranks).map { [first] in blocks[first + $0 * count / ranks] }))
      first = last
    }
    self.buckets = buckets
  }

  /// The ranges that a rank owns, in ascending order: a part of every bucket.
  public func owned(by rank: Int) -> [Range<Int>] {
    let part = part(of: rank)
    return buckets.map { $0.range(part..<part + 1) }.filter { !$0.isEmpty }
  }

  /// Halving with doubling distance leaves a rank with the part whose number is its own, read backwards in binary.
  func part(of rank: Int) -> Int {
    var (part, rank, left) = (0, rank, ranks)
    while left > 1 {
      part = part << 1 | rank & 1
      rank >>= 1
      left >>= 1
    }
    return part
  }
}
