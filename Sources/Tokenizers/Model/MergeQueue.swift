import Rollouts

/// Merging of a long word: a linked list of symbols and a heap of the merges that may apply.
struct MergeQueue {
  private struct Candidate {
    var rank: UInt32
    var position: UInt32
    var product: UInt32

    @inline(__always)
    func precedes(_ other: Candidate) -> Bool {
      rank < other.rank || rank == other.rank && position < other.position
    }
  }

  private static let end = UInt32.max
  private var heap: [Candidate] = []
  private var symbols: [UInt32] = []
  private var next: [UInt32] = []
  private var previous: [UInt32] = []
  private var isDead: [Bool] = []

  /// Merges the symbols and appends what is left.
  mutating func merge(
    _ word: [UInt32], with merges: MergeTable, into output: inout [TokenID]
  ) {
    let count = word.count
    symbols = word
    next = (0..<count).map { $0 + 1 < count ? UInt32($0 + 1) : Self.end }
    previous = (0..<count).map { $0 > 0 ? UInt32($0 - 1) : Self.end }
    isDead = [Bool](repeating: false, count: count)
    heap.removeAll(keepingCapacity: true)
    for index in 0..<max(count - 1, 0) { push(UInt32(index), merges) }
    while let candidate = pop() { apply(candidate, merges) }
    var index = count > 0 ? 0 : Self.end
    while index != Self.end {
      output.append(TokenID(bitPattern: symbols[Int(index)]))
      index = next[Int(index)]
    }
  }

  /// Applies a candidate, unless one of its symbols has changed since it was queued.
  private mutating func apply(_ candidate: Candidate, _ merges: MergeTable) {
    let left = Int(candidate.position)
    guard !isDead[left], next[left] != Self.end else { return }
    let right = Int(next[left])
    let merge = merges.merge(symbols[left], symbols[right])
    guard merge.rank != MergeTable.noRank, merge.product == candidate.product else { return }
    symbols[left] = candidate.product
    isDead[right] = true
    next[left] = next[right]
    if next[right] != Self.end { previous[Int(next[right])] = UInt32(left) }
    if previous[left] != Self.end { push(previous[left], merges) }
    push(UInt32(left), merges)
  }

  private mutating func push(_ position: UInt32, _ merges: MergeTable) {
    let right = next[Int(position)]
    guard right != Self.end else { return }
    let merge = merges.merge(symbols[Int(position)], symbols[Int(right)])
    guard merge.rank != MergeTable.noRank else { return }
    let candidate = Candidate(rank: merge.rank, position: position, product: merge.product)
    heap.append(candidate)
    var child = heap.count - 1
    while child > 0, candidate.precedes(heap[(child - 1) / 2]) {
      heap[child] = heap[(child - 1) / 2]
      child = (child - 1) / 2
    }
    heap[child] = candidate
  }

  private mutating func pop() -> Candidate? {
    guard let first = heap.first, let last = heap.popLast() else { return nil }
    guard !heap.isEmpty else { return first }
    var parent = 0
    while true {
      var child = 2 * parent + 1
      guard child < heap.count else { break }
      if child + 1 < heap.count, heap[child + 1].precedes(heap[child]) { child += 1 }
      guard heap[child].precedes(last) else { break }
      heap[parent] = heap[child]
      parent = child
    }
    heap[parent] = last
    return first
  }
}
