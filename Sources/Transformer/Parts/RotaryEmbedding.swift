// Rotary position embedding (Su et al., 2021, arXiv:2104.09864, eq. 34): the pair (i, i + d/2) of
// a head of size d is rotated at position p by the angle p · f_i, with
//
//   f_i = θ^(-2i/d),  i in 0 ..< d/2                                        none
//   f_i = θ^(-2i/d) / s                                                     linear
//   f_i by wavelength λ = 2π/f_i against the original context C             llama3
//     λ < C/high: f_i;   λ > C/low: f_i/s;   between: (1-t) f_i/s + t f_i,
//     t = (C/λ - low) / (high - low)

import Foundation
import Tensors

/// The angles by which queries and keys are rotated for their position.
public struct RotaryEmbedding: Sendable, Hashable {
  /// How the frequencies are stretched for contexts longer than the one first trained on.
  public enum Scaling: Sendable, Hashable {
    /// As first trained.
    case none
    /// Every frequency divided by the factor (position interpolation, arXiv:2306.15595).
    case linear(factor: Double)
    /// Llama 3.1's: long wavelengths divided by the factor, short ones kept, a ramp between.
    case llama3(
      factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double,
      originalMaximumPositions: Int)
  }

  /// The base of the frequencies, θ.
  public var theta: Double
  /// How they are stretched.
  public var scaling: Scaling

  /// Makes an embedding.
  public init(theta: Double, scaling: Scaling = .none) {
    self.theta = theta
    self.scaling = scaling
  }

  /// The angles per position, in radians: `headSize / 2` of them, the fastest first.
  ///
  /// - Precision: double throughout; transformers computes the same in float32, which differs by
  ///   up to 1e-7 of each value.
  public func inverseFrequencies(headSize: Int) -> [Double] {
    (0..<headSize / 2).map { pair in
      let frequency = pow(theta, -Double(2 * pair) / Double(headSize))
      switch scaling {
      case .none: return frequency
      case .linear(let factor): return frequency / factor
      case .llama3(let factor, let low, let high, let original):
        let turns = Double(original) * frequency / (2 * .pi)
        if turns > high { return frequency }
        if turns < low { return frequency / factor }
        let kept = (turns - low) / (high - low)
        return (1 - kept) * frequency / factor + kept * frequency
      }
    }
  }
}

/// How the heads of a layer are rotated: by which angles, how much of a head, and in which pairs.
struct Rotation: Sendable, Hashable {
  var embedding: RotaryEmbedding
  /// The numbers of a head that are rotated, the first ones; even.
  var size: Int
  /// Which numbers make a pair.
  var pairs = RotaryPairs.halves

  /// Its cosines and sines, without positions yet.
  func makeTable() -> RotaryTable {
    RotaryTable(frequencies: embedding.inverseFrequencies(headSize: size))
  }
}
