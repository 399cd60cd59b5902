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
      permutation = Self.permutation(of: count, seed: seed, epoch: epoch)
      self.epoch = epoch
    }
    return permutation[place]
  }

  /// Fisher–Yates with counter-based random numbers.
  static func permutation(of count: Int, seed: UInt64, epoch: Int) -> [Int] {
    var order = Array(0..<count)
    for last in stride(from: count - 1, to: 0, by: -1) {
      let uniform = Philox.uniform(
        seed: seed, purpose: .shuffle, step: epoch, draw: 0, sample: 0, position: last)
      order.swapAt(last, Int(uniform * Double(last + 1)))
    }
    return order
  }
}
