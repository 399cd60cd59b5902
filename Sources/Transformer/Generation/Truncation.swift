import Foundation
import Rollouts

/// Top-k, then top-p, then min-p, each on what the one before left (the order of transformers).
///
///     top-k   z ≥ the k-th greatest z (ties stay)
///     top-p   the likeliest tokens until their mass first reaches p; ties by ascending id
///     min-p   π(v) ≥ min_p · max π
///
/// The order of ties and the double-precision sums make the set a function of the logits alone.
enum Truncation {
  /// The kept set of a row of logits, nil where all tokens stay.
  static func keptSet(
    _ logits: UnsafePointer<Float>, vocabulary: Int, settings: SamplingSettings,
    excluding excluded: [TokenID]
  ) -> KeptSet? {
    guard settings.truncates else { return excluded.isEmpty ? nil : .except(excluded) }
    let inverseTemperature = settings.temperature > 0 ? 1 / Double(settings.temperature) : 1
    var candidates = likeliest(logits, vocabulary: vocabulary, settings, excluding: excluded)
    guard let top = candidates.first else { return .except(excluded) }
    // Masses relative to the likeliest: exp((z − z_max)/T).
    let masses = candidates.map { exp((Double($0.logit) - Double(top.logit)) * inverseTemperature) }
    if settings.topP < 1 {
      let total =
        masses.reduce(0, +)
        + tailMass(
          logits, vocabulary, below: candidates, top: top.logit, inverseTemperature, settings,
          excluding: excluded)
      var mass = 0.0
      var count = 0
      while count < candidates.count, mass < Double(settings.topP) * total {
        mass += masses[count]
        count += 1
      }
      candidates.removeLast(candidates.count - max(count, 1))
    }
    if settings.minP > 0 {
      let count = masses.prefix(candidates.count).prefix { $0 >= Double(settings.minP) }.count
      candidates.removeLast(candidates.count - max(count, 1))
    }
    if candidates.count == vocabulary - excluded.count {
      return excluded.isEmpty ? nil : .except(excluded)
    }
    return .only(candidates.map(\.id).sorted())
  }

  private struct Candidate {
    var id: TokenID
    var logit: Float
  }

  /// Tokens in descending order of logit, ties by ascending id: all that the settings could keep.
  private static func likeliest(
    _ logits: UnsafePointer<Float>, vocabulary: Int, _ settings: SamplingSettings,
    excluding excluded: [TokenID]
  ) -> [Candidate] {
    let barred = Set(excluded)
    var best = -Float.infinity
    for id in 0..<vocabulary where logits[id] > best && !barred.contains(TokenID(id)) {
      best = logits[id]
    }
    // Most of the mass lies near the top: widen the window only where it doesn't hold enough.
    let temperature = settings.temperature > 0 ? settings.temperature : 1
    for window: Float in [10, 30, .infinity] {
      let floor = best - window * temperature
      var found: [Candidate] = []
      for id in 0..<vocabulary where logits[id] >= floor && !barred.contains(TokenID(id)) {
        found.append(Candidate(id: TokenID(id), logit: logits[id]))
      }
      let isEnough =
        window == .infinity || (settings.topK > 0 && found.count >= settings.topK)
        || (settings.topK == 0 && settings.topP < 1
          && holds(settings.topP, window: window, found.count, of: vocabulary))
        || (settings.topK == 0 && settings.topP == 1 && settings.minP >= exp(-window))
      guard isEnough else { continue }
      found.sort { $0.logit != $1.logit ? $0.logit > $1.logit : $0.id < $1.id }
      if settings.topK > 0, found.count > settings.topK {
        let last = found[settings.topK - 1].logit
        found.removeLast(found.count - (found.firstIndex { $0.logit < last } ?? found.count))
      }
      return found
    }
    return []
  }

  /// Whether the tokens below the window are sure to have less than 1 − p of the mass.
  private static func holds(_ topP: Float, window: Float, _ found: Int, of vocabulary: Int) -> Bool
  {
    Double(vocabulary - found) * exp(-Double(window)) < Double(1 - topP) * 0.5
  }

  /// The mass of tokens that `likeliest` left out without top-k having cut them.
  private static func tailMass(
    _ logits: UnsafePointer<Float>, _ vocabulary: Int, below candidates: [Candidate], top: Float,
    _ inverseTemperature: Double, _ settings: SamplingSettings, excluding excluded: [TokenID]
  ) -> Double {
    guard settings.topK == 0, let last = candidates.last else { return 0 }
    let barred = Set(excluded)
    var mass = 0.0
    for id in 0..<vocabulary where logits[id] < last.logit && !barred.contains(TokenID(id)) {
      mass += exp((Double(logits[id]) - Double(top)) * inverseTemperature)
    }
    return mass
  }
}
