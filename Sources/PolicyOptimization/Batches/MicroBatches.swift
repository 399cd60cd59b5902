// Micro-batches by a budget of tokens. They change memory and nothing else: the denominators of an
// update are fixed before (PreparedUpdate.swift), so 8 × 1 equals 1 × 8 to rounding.

/// How a list of lengths is cut into micro-batches.
public enum MicroBatches {
  /// Cuts items, in order, into ranges whose lengths add up to at most `budget`; a longer item
  /// stands alone.
  ///
  /// - Complexity: O(n).
  public static func ranges(lengths: [Int], budget: Int) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    var start = 0
    var sum = 0
    for (index, length) in lengths.enumerated() {
      if index > start && sum + length > budget {
        ranges.append(start..<index)
        start = index
        sum = 0
      }
      sum += length
    }
    if start < lengths.count { ranges.append(start..<lengths.count) }
    return ranges
  }
}
