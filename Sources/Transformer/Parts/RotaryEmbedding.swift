// Rotary position embedding (Su et al., 2021, arXiv:2104.09864, eq. 34): the pair (i, i + d/2) of
// a head of size d is rotated at position p by the angle p · f_i, with
//
//   f_i = θ^(-2i/d),  i in 0 ..< d/2                                        none
//   f_i = θ^(-2i/d) / s                                                     linear
//   f_i by wavelength λ = 2π/f_i against the original context C             llama3
//     λ < C/high: f_i;   λ > C/low: f_i/s;   between: (1-t) f_i/s + t f_i,
//     t = (C/λ - low) / (high - low)
//   f_i (1-t) + t f_i/s,  t = clamp((i - first) / (last - first), 0, 1)       yarn
//     pair i makes n turns within C at i = d ln(C / 2πn) / (2 ln θ): first is that of beta_fast turns, last that of
//     beta_slow; cosines and sines are multiplied by an attention factor (Peng et al., 2023, arXiv:2309.00071)

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
    /// YaRN's: pairs that turn often kept, those that turn seldom divided by the factor, a ramp between.
    case yarn(Yarn)
    /// LongRoPE's (arXiv:2402.13753) for sequences of the original length: every pair divided by a factor of its own,
    /// cosines and sines multiplied by one.
    case longRope(factors: [Double], attentionFactor: Double)
  }

  /// YaRN's settings.
  public struct Yarn: Sendable, Hashable {
    /// s.
    public var factor: Double
    /// The turns within the original context from which on a pair is kept as it is.
    public var fastTurns: Double = 32
    /// The turns up to which a pair is divided by the factor.
    public var slowTurns: Double = 1
    /// C.
    public var originalMaximumPositions: Int
    /// What cosines and sines are multiplied by.
    public var attentionFactor: Double
    /// Whether the ramp begins and ends at whole pairs.
    public var usesWholePairs = true

    /// The temperature of the paper (equation 22), as a factor of queries and of keys.
    public static func attentionFactor(scaledBy factor: Double, weight: Double = 1) -> Double {
      factor <= 1 ? 1 : 0.1 * weight * log(factor) + 1
    }

    /// The share of each pair's frequency that is divided by the factor.
    fileprivate func shares(theta: Double, size: Int) -> [Double] {
      func pair(turns: Double) -> Double {
        Double(size) * log(Double(originalMaximumPositions) / (turns * 2 * .pi)) / (2 * log(theta))
      }
      var (first, last) = (pair(turns: fastTurns), pair(turns: slowTurns))
      if usesWholePairs { (first, last) = (first.rounded(.down), last.rounded(.up)) }
      first = max(first, 0)
      last = min(last, Double(size - 1))
      if first == last { last += 0.001 }
      return (0..<size / 2).map { min(max((Double($0) - first) / (last - first), 0), 1) }
    }
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
    if case .yarn(let yarn) = scaling {
      let plain = RotaryEmbedding(theta: theta).inverseFrequencies(headSize: headSize)
      return zip(plain, yarn.shares(theta: theta, size: headSize)).map { frequency, share in
        frequency * (1 - share) + frequency / yarn.factor * share
      }
    }
    return (0..<headSize / 2).map { pair in
      let frequency = pow(theta, -Double(2 * pair) / Double(headSize))
      switch scaling {
      case .none, .yarn: return frequency
      case .longRope(let factors, _): return frequency / factors[pair]
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

extension RotaryEmbedding {
  /// What cosines and sines are multiplied by.
  public var amplitude: Double {
    switch scaling {
    case .yarn(let yarn): yarn.attentionFactor
    case .longRope(_, let attentionFactor): attentionFactor
    case .none, .linear, .llama3: 1
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
    RotaryTable(
      frequencies: embedding.inverseFrequencies(headSize: size), amplitude: embedding.amplitude)
  }
}
