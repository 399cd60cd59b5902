import Rollouts
import Tensors

/// Draws tokens from rows of logits by inverting the cumulative distribution at a keyed uniform.
///
/// The log-probability it reports is that of the reduction which scoring and training use.
struct TokenSampler {
  /// One token to draw: from which row, and what keys its random number.
  struct Draw {
    var row: Int
    var draw: Int
    var sample: Int
    /// The token's index in the completion.
    var index: Int
  }

  /// A drawn token and what the policy said of it.
  struct Token {
    var id: TokenID
    var logProbability: Float
    var entropy: Float
    var keptSet: KeptSet?
  }

  let compute: Compute
  let settings: SamplingSettings
  let key: GenerationKey

  /// Draws tokens; rows of logits may be masked in place, and may serve several draws.
  func draw(_ draws: [Draw], logits: Tensor) -> [Token] {
    let keptSets = mask(logits, draws)
    let inverseTemperature = settings.temperature > 0 ? 1 / settings.temperature : 1
    let statistics = compute.reduceVocabulary(logits, inverseTemperature: inverseTemperature)
    let rows = draws.map(\.row)
    let ids =
      settings.temperature > 0
      ? compute.drawTokens(
        logits, rows: rows, uniforms: draws.map(uniform), inverseTemperature: inverseTemperature,
        statistics: statistics)
      : rows.map { compute.likeliestToken(logits, row: $0) }
    return zip(rows, ids).map { row, id in
      Token(
        id: id,
        logProbability: Compute.logProbability(
          ofLogit: logits[row, Int(id)], inverseTemperature: inverseTemperature,
          normalizer: statistics.normalizers[row]),
        entropy: statistics.entropies[row], keptSet: keptSets[row])
    }
  }

  /// Truncates the rows that are drawn from: the kept set of each, nil where all of it stays.
  private func mask(_ logits: Tensor, _ draws: [Draw]) -> [KeptSet?] {
    var keptSets = [KeptSet?](repeating: nil, count: logits.rows)
    guard settings.truncation.isActive || settings.minNewTokens > 0 else { return keptSets }
    var isMasked = [Bool](repeating: false, count: logits.rows)
    // Draws from one row have one index, so one kept set.
    for draw in draws where !isMasked[draw.row] {
      isMasked[draw.row] = true
      guard
        let set = compute.keptSet(
          logits, row: draw.row, after: settings.truncation,
          excluding: settings.excluded(at: draw.index))
      else { continue }
      keptSets[draw.row] = set
      compute.mask(logits, row: draw.row, keeping: set)
    }
    return keptSets
  }

  private func uniform(_ draw: Draw) -> Double {
    Philox(
      seed: key.seed, purpose: key.purpose, step: key.step, draw: draw.draw, sample: draw.sample
    ).uniform(at: draw.index)
  }
}
