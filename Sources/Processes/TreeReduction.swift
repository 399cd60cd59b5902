import Dispatch
import Synchronization
import Tensors

/// Sums the arenas of all ranks in the order of a binary tree, and leaves each rank the parts that it owns.
///
///     round k: ranks 2^k apart exchange halves of what they hold; each adds the other's to the half that it keeps
///
/// Since a + b and b + a are the same bits, the sum of a number is ((r₀ + r₁) + (r₂ + r₃)) + …, whoever computes it:
/// that of one process that adds the same tree by itself. MPI's own reductions promise no order.
/// Source: recursive halving, Rabenseifner 2004, with the distances in the tree's order.
public final class TreeReduction {
  /// An arena while it is reduced.
  ///
  /// Crosses to the reduction's queue. The one who computes gradients announces what is final and doesn't touch it until
  /// the reduction is over, and the queue reads and writes nothing but what was announced: no number has two owners.
  private struct Work: @unchecked Sendable {
    var arena: Tensor
    /// Sums of earlier shards of this rank: the smallest subtree is the last.
    var earlier: [Tensor]
    var scratch: TensorScratch
    var compute: Compute
  }

  private let ranks: Ranks
  private let shares: ArenaShares
  private let queue = DispatchQueue(label: "gradients")
  private let group = DispatchGroup()
  private let failure = FirstFailure()
  private let scratch = TensorScratch()
  /// One thread: the others compute what is reduced next.
  private let compute = Compute(threads: 1)
  private var work: Work?
  private var nextBucket = 0

  /// A reduction between all ranks.
  public init(_ ranks: Ranks, shares: ArenaShares) {
    precondition(shares.ranks == ranks.size, "an arena that is shared by others")
    self.ranks = ranks
    self.shares = shares
  }

  /// Begins to reduce an arena, as far as it is announced.
  /// - Parameter earlier: What is added to it first: the subtrees before the last of this rank, largest first.
  public func begin(_ arena: Tensor, adding earlier: [Tensor]) {
    precondition(work == nil, "the reduction before is not over")
    work = Work(arena: arena, earlier: earlier, scratch: scratch, compute: compute)
    nextBucket = 0
  }

  /// Says that the arena is final up to a place; returns at once.
  public func advance(to end: Int) {
    guard let work else { return }
    while nextBucket < shares.buckets.count, shares.buckets[nextBucket].range.upperBound <= end {
      let bucket = shares.buckets[nextBucket]
      nextBucket += 1
      queue.async(group: group) { [ranks, shares, failure] in
        guard failure.error == nil else { return }
        do throws(RankError) {
          try Self.reduce(bucket, of: work, between: ranks, shares)
        } catch {
          failure.note(error)
        }
      }
    }
  }

  /// Returns when every part that this rank owns is the sum over all ranks; what it doesn't own is of no use.
  public func finish() throws(RankError) {
    guard let work else { return }
    advance(to: work.arena.count)
    group.wait()
    self.work = nil
    if let error = failure.error { throw error }
  }

  private static func reduce(
    _ bucket: ArenaShares.Bucket, of work: Work, between ranks: Ranks, _ shares: ArenaShares
  ) throws(RankError) {
    let whole = work.arena.elements(bucket.range)
    for earlier in work.earlier.reversed() {
      work.compute.add(earlier.elements(bucket.range), to: whole)
    }
    var parts = 0..<shares.ranks
    var distance = 1
    while distance < shares.ranks {
      let middle = (parts.lowerBound + parts.upperBound) / 2
      let halves = (parts.lowerBound..<middle, middle..<parts.upperBound)
      let (kept, given) = ranks.rank & distance == 0 ? halves : (halves.1, halves.0)
      let own = work.arena.elements(bucket.range(kept))
      let received = work.scratch.reserve(rows: 1, columns: own.count)
      try ranks.exchange(
        work.arena.elements(bucket.range(given)), received, with: ranks.rank ^ distance,
        on: .gradients)
      work.compute.add(received, to: own)
      parts = kept
      distance *= 2
    }
  }

  /// Gives every rank the parts that the others own: the rounds of the reduction backwards.
  public func gather(_ arena: Tensor) throws(RankError) {
    for bucket in shares.buckets {
      let part = shares.part(of: ranks.rank)
      var parts = part..<part + 1
      var distance = shares.ranks / 2
      while distance > 0 {
        let start = parts.lowerBound / (2 * parts.count) * 2 * parts.count
        let both = start..<start + 2 * parts.count
        let other =
          parts.lowerBound == start
          ? parts.upperBound..<both.upperBound : start..<parts.lowerBound
        try ranks.exchange(
          arena.elements(bucket.range(parts)), arena.elements(bucket.range(other)),
          with: ranks.rank ^ distance, on: .control)
        parts = both
        distance /= 2
      }
    }
  }
}

/// What first went wrong on the reduction's queue.
private final class FirstFailure: Sendable {
  private let first = Mutex<RankError?>(nil)

  var error: RankError? { first.withLock { $0 } }

  func note(_ error: RankError) { first.withLock { $0 = $0 ?? error } }
}
