import Tensors

/// In which order problems are drawn: each epoch a permutation keyed by the seed and the epoch.
///
/// Of a curriculum the first epoch keeps its order. A problem that an epoch has twice is drawn twice.
/// The order is a function of (seed, ordinal), so that resuming needs no state.
public struct ProblemOrder: Sendable {
  private let entries: [Int]
  private let seed: UInt64
  private let shuffles: Bool
  private let keepsFirstEpoch: Bool
  private var epoch = -1
  private var permutation: [Int] = []

  /// An order over `count` problems.
  public init(count: Int, seed: UInt64, shuffles: Bool) {
    self.init(of: Array(0..<count), seed: seed, shuffles: shuffles)
  }

  /// An order over the problems of an epoch, given by their indices.
  public init(of entries: [Int], seed: UInt64, shuffles: Bool, keepsFirstEpoch: Bool = false) {
    precondition(!entries.isEmpty, "a dataset has at least one problem")
    self.entries = entries
    self.seed = seed
    self.shuffles = shuffles
    self.keepsFirstEpoch = keepsFirstEpoch
  }

  /// The index of the problem that is drawn as the `ordinal`-th of the run, from 0.
  public mutating func problem(at ordinal: Int) -> Int {
    let (epoch, place) = ordinal.quotientAndRemainder(dividingBy: entries.count)
    guard shuffles, !(keepsFirstEpoch && epoch == 0) else { return entries[place] }
    if epoch != self.epoch {
      permutation = Philox(seed: seed, purpose: .shuffle, step: epoch).permutation(
        of: entries.count)
      self.epoch = epoch
    }
    return entries[permutation[place]]
  }
}
