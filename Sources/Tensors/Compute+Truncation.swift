// Top-k, then top-p, then min-p, each on what the one before left (the order of transformers).
//
//     top-k   z ≥ the k-th greatest z (ties stay)
//     top-p   the likeliest tokens until their mass first reaches p; ties by ascending id
//     min-p   π(v) ≥ min_p · max π
//
// The order of ties and the double-precision sums make the set a function of the logits alone.

import Foundation
import Rollouts

/// What of a distribution tokens are drawn from.
public struct Truncation: Equatable, Sendable {
  /// Logits are divided by it; at 0 as by 1, since the likeliest token is taken anyway.
  public var temperature: Float
  /// Keep the k likeliest tokens, ties with the last included; 0 keeps all.
  public var topK: Int
  /// Keep the smallest set of likeliest tokens whose mass reaches it; 1 keeps all.
  public var topP: Float
  /// Keep tokens at least this share as likely as the likeliest; 0 keeps all.
  public var minP: Float

  /// A truncation; the defaults keep everything.
  public init(temperature: Float = 1, topK: Int = 0, topP: Float = 1, minP: Float = 0) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.minP = minP
  }

  /// Whether less than the whole vocabulary can be left.
  public var isActive: Bool { topK > 0 || topP < 1 || minP > 0 }
}

extension Compute {
  /// The tokens of a row of logits that a truncation leaves, `excluded` ones aside; nil where all stay.
  ///
  /// Complexity: a few passes over the row, and a sort of the tokens near the likeliest.
  public func keptSet(
    _ logits: Tensor, row: Int, after truncation: Truncation, excluding excluded: [Int32]
  ) -> KeptSet? {
    guard truncation.isActive else { return excluded.isEmpty ? nil : .except(excluded) }
    return Candidates(
      logits: logits[row: row], vocabulary: logits.columns, truncation: truncation,
      excluded: excluded
    ).keptSet
  }
}

/// The tokens of one row that are still in question.
private struct Candidates {
  let logits: UnsafePointer<Float>
  let vocabulary: Int
  let truncation: Truncation
  let excluded: [Int32]
  let barred: Set<Int32>

  init(
    logits: UnsafePointer<Float>, vocabulary: Int, truncation: Truncation, excluded: [Int32]
  ) {
    self.logits = logits
    self.vocabulary = vocabulary
    self.truncation = truncation
    self.excluded = excluded
    barred = Set(excluded)
  }

  var keptSet: KeptSet? {
    let inverseTemperature = truncation.temperature > 0 ? 1 / Double(truncation.temperature) : 1
    var candidates = likeliest()
    guard let top = candidates.first else { return .except(excluded) }
    // Masses relative to the likeliest: exp((z − z_max)/T).
    let masses = candidates.map { exp((Double($0.logit) - Double(top.logit)) * inverseTemperature) }
    if truncation.topP < 1 {
      let total =
        masses.reduce(0, +)
        + tailMass(below: candidates, top: top.logit, inverseTemperature)
      var mass = 0.0
      var count = 0
      while count < candidates.count, mass < Double(truncation.topP) * total {
        mass += masses[count]
        count += 1
      }
      candidates.removeLast(candidates.count - max(count, 1))
    }
    if truncation.minP > 0 {
      let count = masses.prefix(candidates.count).prefix { $0 >= Double(truncation.minP) }.count
      candidates.removeLast(candidates.count - max(count, 1))
    }
    if candidates.count == vocabulary - excluded.count {
      return excluded.isEmpty ? nil : .except(excluded)
    }
    return .only(candidates.map(\.id).sorted())
  }

  private struct Candidate {
    var id: Int32
    var logit: Float
  }

  /// Tokens in descending order of logit, ties by ascending id: all that the settings could keep.
  private func likeliest() -> [Candidate] {
    var best = -Float.infinity
    for id in 0..<vocabulary where logits[id] > best && !barred.contains(Int32(id)) {
      best = logits[id]
    }
    // Most of the mass lies near the top: widen the window only where it doesn't hold enough.
    let temperature = truncation.temperature > 0 ? truncation.temperature : 1
    for window: Float in [10, 30, .infinity] {
      let floor = best - window * temperature
      var found: [Candidate] = []
      for id in 0..<vocabulary where logits[id] >= floor && !barred.contains(Int32(id)) {
        found.append(Candidate(id: Int32(id), logit: logits[id]))
      }
      let isEnough =
        window == .infinity || (truncation.topK > 0 && found.count >= truncation.topK)
        || (truncation.topK == 0 && truncation.topP < 1
          && holds(window: window, found.count))
        || (truncation.topK == 0 && truncation.topP == 1 && truncation.minP >= exp(-window))
      guard isEnough else { continue }
      found.sort { $0.logit != $1.logit ? $0.logit > $1.logit : $0.id < $1.id }
      if truncation.topK > 0, found.count > truncation.topK {
        let last = found[truncation.topK - 1].logit
        found.removeLast(found.count - (found.firstIndex { $0.logit < last } ?? found.count))
      }
      return found
    }
    return []
  }

  /// Whether the tokens below the window are sure to have less than 1 − p of the mass.
  private func holds(window: Float, _ found: Int) -> Bool {
    Double(vocabulary - found) * exp(-Double(window)) < Double(1 - truncation.topP) * 0.5
  }

  /// The mass of tokens that `likeliest` left out without top-k having cut them.
  private func tailMass(
    below candidates: [Candidate], top: Float, _ inverseTemperature: Double
  ) -> Double {
    guard truncation.topK == 0, let last = candidates.last else { return 0 }
    var mass = 0.0
    for id in 0..<vocabulary where logits[id] < last.logit && !barred.contains(Int32(id)) {
      mass += exp((Double(logits[id]) - Double(top)) * inverseTemperature)
    }
    return mass
  }
}
