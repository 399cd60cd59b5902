// Rotary position embedding: the pair (a, b) of a head at position p becomes
//
//     (a cos θ − b sin θ, b cos θ + a sin θ),   θ = p · frequency of the pair
//
// Source: Su et al. 2021 (RoFormer, arXiv 2104.09864), equation 34.

import CKernels
import Foundation

/// Which two numbers of a head make a pair.
public enum RotaryPairs: Sendable {
  /// (x_i, x_{i+D/2}): Hugging Face's `rotate_half`.
  case halves
  /// (x_{2i}, x_{2i+1}): the paper's own.
  case neighbours
}

/// Cosines and sines of the angles of each position, [positions, D/2]; it grows as positions are asked for.
public final class RotaryTable {
  /// The angles per position, in radians, a pair's each.
  public let frequencies: [Double]
  /// Multiplies cosines and sines: the temperature that long-context scalings put into the rotation.
  public let amplitude: Double
  private(set) var cosines = Tensor(count: 0)
  private(set) var sines = Tensor(count: 0)

  /// No positions yet.
  public init(frequencies: [Double], amplitude: Double = 1) {
    self.frequencies = frequencies
    self.amplitude = amplitude
  }

  /// How many positions there are angles for.
  public var positions: Int { frequencies.isEmpty ? .max : cosines.count / frequencies.count }

  /// Makes room for positions below `count`.
  ///
  /// - Precision: float32 from angles, cosines and sines in double precision.
  /// - Complexity: a cosine and a sine for each position and pair; amortised, since room is made for twice as many.
  public func reserve(positions count: Int) {
    guard count > positions else { return }
    let rows = max(count, 2 * positions, 256)
    let pairs = frequencies.count
    cosines = Tensor(rows: rows, columns: pairs)
    sines = Tensor(rows: rows, columns: pairs)
    for position in 0..<rows {
      for (pair, frequency) in frequencies.enumerated() {
        let angle = Double(position) * frequency
        cosines[row: position][pair] = Float(amplitude * cos(angle))
        sines[row: position][pair] = Float(amplitude * sin(angle))
      }
    }
  }
}

extension Compute {
  /// Rotates 2 × pairs numbers of each head by its row's position, in place; `inverse` rotates back, which is
  /// the gradient.
  ///
  /// Shapes: x [R, heads × D], positions [R], D at least `first` and twice the table's pairs. What lies before the
  /// head's number `first` and behind the pairs stays as it is. The table must have been reserved for the positions.
  /// Complexity: 6 flops for each pair.
  public func rotate(
    _ x: Tensor, heads: Int, positions: [Int32], by table: RotaryTable,
    pairs: RotaryPairs = .halves, first: Int = 0, inverse: Bool = false
  ) {
    let headSize = heads > 0 ? x.columns / heads : 0
    let rotated = 2 * table.frequencies.count
    precondition(
      positions.count == x.rows && headSize * heads == x.columns && first >= 0
        && first + rotated <= headSize,
      "a position for each row, and heads that hold the pairs")
    precondition(
      Int(positions.max() ?? 0) < table.positions, "the table has no angles for a position")
    let (values, cosines, sines) = (x.start + first, table.cosines.start, table.sines.start)
    positions.withUnsafeBufferPointer { positions in
      guard let positions = positions.baseAddress else { return }
      parallelRanges(x.rows, cost: Double(heads * rotated) * 0.15) { begin, end in
        kernels.pointee.rotate(
          values, x.stride, begin, end, heads, headSize, rotated, pairs == .halves ? 0 : 1,
          positions, cosines, sines, inverse ? 1 : 0)
      }
    }
  }
}
