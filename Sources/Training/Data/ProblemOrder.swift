import Tensors

/// In which order problems are drawn: each epoch a permutation keyed by the seed and the epoch.
///
/// The order is a function of (seed, ordinal), so that resuming needs no state.
public struct ProblemOrder: Sendable {
  private let count: Int
  private let seed: UInt64
  private let shuffles: Bool
  private var epoch = -1
  private var permutation: [Int] = []

  /// An order over `count` problems.
  public init(count: Int, seed: UInt64, shuffles: Bool) {
    precondition(count > 0, "a dataset has at least one problem")
    self.count = count
    self.seed = seed
    self.shuffles = shuffles
  }

  /// The index of the problem that is drawn as the `ordinal`-th of the run, from 0.
  public mutating func problem(at ordinal: Int) -> Int {
    let (epoch, place) = ordinal.quotientAndRemainder(dividingBy: count)
    guard shuffles else { return place }
    if epoch != self.epoch {
      permutation = Philox(seed: seed, purpose: .shuffle, step: epoch).permutation(of: count)
      self.epoch = epoch
    }
    return permutation[place]
  }
}
