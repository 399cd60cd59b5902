// One arena for what lies as the trained tensors do: gradients, and the optimiser's moments.
//
//     | head | final norm | last layer: feed-forward, attention | … | first layer | embedding |
//
// A backward pass finishes the ranges from left to right, so that what is final is always the arena's beginning:
// whoever reduces gradients over processes can follow behind it.

import Tensors

/// Where each trained tensor's numbers lie in an arena, in the order in which a backward pass finishes them.
public struct ArenaLayout: Sendable, Equatable {
  /// The range of each trained tensor, by its place among them.
  public let ranges: [Range<Int>]
  /// How many numbers an arena holds; those between the tensors are zero.
  public let count: Int

  /// The layout of tensors, which a backward pass finishes from the last to the first.
  init(_ tensors: [TensorSpecification]) {
    var ranges = [Range<Int>](repeating: 0..<0, count: tensors.count)
    var next = 0
    for place in tensors.indices.reversed() {
      ranges[place] = next..<next + tensors[place].storedCount
      // Each begins at a multiple of 64 bytes, as kernels like it.
      next = (ranges[place].upperBound + 15) / 16 * 16
    }
    self.ranges = ranges
    count = next
  }

  /// Where each block of numbers begins that is summed in one go, ascending, and where the last ends.
  ///
  /// Blocks begin with every tensor anew; what lies between two tensors belongs to the last block of the first.
  public var blocks: [Int] {
    ranges.reversed().flatMap {
      stride(from: $0.lowerBound, to: $0.upperBound, by: Compute.sumBlock)
    }
      + [count]
  }

  /// The tensors' parts of an arena, by their place.
  public func parts(of arena: Tensor) -> [Tensor] { ranges.map { arena.elements($0) } }
}

/// The gradient of every trained tensor; backward passes add to it.
public final class Gradients {
  /// All of them, one behind the other.
  public let arena: Tensor
  /// Where each lies.
  public let layout: ArenaLayout
  /// Each trained tensor's part of the arena, which lies as the tensor does.
  public let parts: [Tensor]
  private let parameters: Parameters

  /// Makes gradients that are all zero.
  public init(of parameters: Parameters) {
    self.parameters = parameters
    layout = parameters.arenaLayout
    arena = Tensor(count: layout.count)
    parts = layout.parts(of: arena)
  }

  /// A tensor's gradient; nil where the tensor is frozen.
  func tensor(_ id: ParameterID) -> Tensor? { parameters.place(id).map { parts[$0] } }

  /// Sets every gradient to zero.
  public func reset(_ compute: Compute) { compute.fill(arena) }

  /// Announces finished ranges to a listener.
  func announcement(_ listener: ((Range<Int>) -> Void)?) -> Announcement {
    Announcement(gradients: self, listener: listener)
  }

  /// Turns finished tensors into a growing beginning of the arena.
  final class Announcement {
    private let gradients: Gradients
    private let listener: ((Range<Int>) -> Void)?
    private var end = 0

    init(gradients: Gradients, listener: ((Range<Int>) -> Void)?) {
      self.gradients = gradients
      self.listener = listener
    }

    /// These tensors, and all that lie before them, get nothing more.
    func finish(_ tensors: [ParameterID]) {
      guard listener != nil else { return }
      let places = tensors.compactMap(gradients.parameters.place)
      advance(to: places.map { gradients.layout.ranges[$0].upperBound }.max() ?? end)
    }

    /// No tensor gets anything more.
    func finishAll() { advance(to: gradients.arena.count) }

    private func advance(to next: Int) {
      guard let listener, next > end else { return }
      listener(end..<next)
      end = next
    }
  }
}
