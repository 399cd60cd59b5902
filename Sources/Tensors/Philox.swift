// Random numbers without state: a number is a function of what it is for.
//
// Philox4x32-10, Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", figure 3 and
// section 4.3: ten rounds of two 32-bit multiplications on a counter of 128 bits, under a key of 64.

import Foundation

/// What a random number is for; its value is part of the counter, so it never changes.
public enum RandomPurpose: UInt32, CaseIterable, Sendable {
  case initialisation = 1
  case shuffle = 2
  case sampling = 3
  case evaluation = 4
  case data = 5
  case bootstrap = 6
}

/// A stream of random numbers, keyed by everything that tells one use from another.
public struct Philox: Sendable {
  private let key: (UInt32, UInt32)
  private let counter: (UInt32, UInt32, UInt32)

  /// The stream of one use.
  ///
  /// - Parameters:
  ///   - seed: the seed of the run.
  ///   - purpose: what the numbers are for.
  ///   - step: the training step, or whatever counts the uses of the purpose; below 2³².
  ///   - draw: the group's ordinal in the step; below 2³².
  ///   - sample: the completion's ordinal in the group; below 2²⁴.
  public init(seed: UInt64, purpose: RandomPurpose, step: Int = 0, draw: Int = 0, sample: Int = 0) {
    key = (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
    // Purpose and sample share a word: eight bits name the purpose.
    counter = (
      UInt32(truncatingIfNeeded: sample) & 0xFF_FFFF | purpose.rawValue << 24,
      UInt32(truncatingIfNeeded: draw), UInt32(truncatingIfNeeded: step)
    )
  }

  /// The four words at a position of the stream.
  public func bits(at position: Int) -> (UInt32, UInt32, UInt32, UInt32) {
    Self.block(
      counter: (UInt32(truncatingIfNeeded: position), counter.0, counter.1, counter.2), key: key)
  }

  /// A number in [0, 1) with 53 random bits.
  public func uniform(at position: Int) -> Double {
    let words = bits(at: position)
    let mantissa = (UInt64(words.0) << 32 | UInt64(words.1)) >> 11
    return Double(mantissa) * 0x1p-53
  }

  /// An integer in 0..<bound, each with a probability within bound · 2⁻⁶⁴ of the others'.
  public func integer(below bound: Int, at position: Int) -> Int {
    precondition(bound > 0, "no integer lies below \(bound) and at or above 0")
    let words = bits(at: position)
    let wide = UInt64(words.0) << 32 | UInt64(words.1)
    return Int(wide.multipliedFullWidth(by: UInt64(bound)).high)
  }

  /// A number of the standard normal distribution (Box and Muller).
  public func normal(at position: Int) -> Double {
    let words = bits(at: position)
    // (0, 1], so that the logarithm is finite.
    let radius = (Double(words.0) + 1) * 0x1p-32
    let angle = Double(words.1) * 0x1p-32
    return (-2 * log(radius)).squareRoot() * cos(2 * .pi * angle)
  }

  /// Numbers of a normal distribution around 0, from the first position on.
  public func normals(_ count: Int, deviation: Double) -> [Float] {
    (0..<count).map { Float(normal(at: $0) * deviation) }
  }

  /// Numbers spread evenly over −bound … bound, from the first position on.
  public func uniforms(_ count: Int, bound: Double) -> [Float] {
    (0..<count).map { Float((2 * uniform(at: $0) - 1) * bound) }
  }

  /// The permutation of 0..<count that the stream gives (Fisher and Yates).
  public func permutation(of count: Int) -> [Int] {
    var order = Array(0..<max(count, 0))
    for last in stride(from: order.count - 1, to: 0, by: -1) {
      order.swapAt(last, integer(below: last + 1, at: last))
    }
    return order
  }

  /// One block of Philox4x32-10.
  public static func block(
    counter: (UInt32, UInt32, UInt32, UInt32), key: (UInt32, UInt32)
  ) -> (UInt32, UInt32, UInt32, UInt32) {
    var (c, k) = (counter, key)
    for _ in 0..<10 {
      let a = c.0.multipliedFullWidth(by: 0xD251_1F53)
      let b = c.2.multipliedFullWidth(by: 0xCD9E_8D57)
      c = (b.high ^ c.1 ^ k.0, b.low, a.high ^ c.3 ^ k.1, a.low)
      k = (k.0 &+ 0x9E37_79B9, k.1 &+ 0xBB67_AE85)
    }
    return c
  }
}
