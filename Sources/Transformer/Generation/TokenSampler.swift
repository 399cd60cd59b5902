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
  let vocabulary: Int
  let settings: SamplingSettings
  let key: GenerationKey

  init(compute: Compute, vocabulary: Int, settings: SamplingSettings, key: GenerationKey) {
    self.compute = compute
    self.vocabulary = vocabulary
    self.settings = settings
    self.key = key
  }

  /// Draws tokens; rows of logits may be masked in place, and may serve several draws.
  func draw(
    _ draws: [Draw], logits: UnsafeMutablePointer<Float>, rows: Int
  ) -> [Token] {
    // Draws from one row have one index, so one kept set.
    var keptSets = [KeptSet?](repeating: nil, count: rows)
    if settings.truncates || settings.minNewTokens > 0 {
      var isMasked = [Bool](repeating: false, count: rows)
      for draw in draws where !isMasked[draw.row] {
        let row = logits + draw.row * vocabulary
        isMasked[draw.row] = true
        keptSets[draw.row] = Truncation.keptSet(
          row, vocabulary: vocabulary, settings: settings,
          excluding: settings.excluded(at: draw.index))
        keptSets[draw.row]?.mask(row, vocabulary: vocabulary)
      }
    }
    let inverseTemperature = settings.temperature > 0 ? 1 / settings.temperature : 1
    var logSumExp = [Float](repeating: 0, count: rows)
    var entropy = [Float](repeating: 0, count: rows)
    var normalizer = [Double](repeating: 0, count: rows)
    compute.reduceVocabulary(
      Rows(logits, stride: vocabulary), rows: rows, vocabulary: vocabulary,
      inverseTemperature: inverseTemperature, logSumExp: &logSumExp, entropy: &entropy,
      normalizer: &normalizer)
    return draws.map { draw in
      let row = logits + draw.row * vocabulary
      let id =
        settings.temperature > 0
        ? compute.drawToken(
          row, vocabulary: vocabulary, inverseTemperature: inverseTemperature,
          logSumExp: logSumExp[draw.row], uniform: uniform(draw))
        : likeliest(row)
      return Token(
        id: id,
        logProbability: Compute.logProbability(
          ofLogit: row[Int(id)], inverseTemperature: inverseTemperature,
          normalizer: normalizer[draw.row]),
        entropy: entropy[draw.row], keptSet: keptSets[draw.row])
    }
  }

  private func uniform(_ draw: Draw) -> Double {
    Philox(
      seed: key.seed, purpose: key.purpose, step: key.step, draw: draw.draw, sample: draw.sample
    ).uniform(at: draw.index)
  }

  private func likeliest(_ row: UnsafePointer<Float>) -> TokenID {
    var best = 0
    for id in 1..<max(vocabulary, 1) where row[id] > row[best] { best = id }
    return TokenID(best)
  }
}
