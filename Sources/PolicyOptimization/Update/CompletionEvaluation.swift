// One completion's share of the loss and its exact gradient. With c the completion's weight
// (Normalizer.swift), for each unmasked token t, A_t its advantage, w the ratio, L the surrogate,
// M_t = keep_t·u_t its masks and correction, k_t the KL estimate, v_t = w_t under
// `use_bias_correction_kl` and else 1:
//
//   loss = c Σ_t ( M_t L(w_t, A_t, log π_t) + β k_t v_t ) − c_H Σ_t m'_t H_t
//
//   token level      d/dlog π_t = c ( M_t (L_w w_t + L_lp) + β (k'_t v_t + k_t v'_t) )
//   sequence level   d/dlog π_t = c ( M_t L_lp + β k'_t v ) + w/n · c Σ_s ( M_s L_w + β k_s v' )
//
// A sequence ratio is a function of all its tokens, hence the second sum.

import Foundation

/// A completion's share of an update's loss, with its gradients.
public struct CompletionEvaluation: Sendable {
  /// Its share of the loss; the update's loss is the sum over completions.
  public var loss: Double
  /// d loss / d log π, one per token; 0 where masked.
  public var logProbabilityGradient: [Double]
  /// d loss / d entropy, one per token; empty without an entropy bonus.
  public var entropyGradient: [Double]
  /// The importance ratio of each token (the same for all at sequence level).
  public var ratios: [Float]
  /// Where the ratio is out of bounds for its advantage: −1 low, 1 high, 0 inside or masked.
  public var clipSides: [Int8]
  /// What the metrics of the update are made of.
  public var statistics: UpdateStatistics
}

extension PreparedUpdate {
  /// Evaluates one completion from the float32 numbers of a forward pass, in double precision.
  ///
  /// - Throws: as the double-precision form.
  public func evaluate(
    _ index: Int, logProbabilities: [Float], entropies: [Float]? = nil
  ) throws(ObjectiveError) -> CompletionEvaluation {
    try evaluate(
      index, logProbabilities: logProbabilities.map(Double.init),
      entropies: entropies?.map(Double.init))
  }

  /// Evaluates one completion; completions may be evaluated in any order, or concurrently.
  ///
  /// - Parameters:
  ///   - index: the completion's place in `completions`.
  ///   - logProbabilities: log π_θ of its tokens in nats.
  ///   - entropies: the policy's entropies in nats; needed for the entropy bonus, else only for a
  ///     metric.
  /// - Throws: `ObjectiveError` where numbers are misshapen or not finite, or the loss overflows.
  /// - Complexity: O(tokens), a few arrays and no allocation per token.
  public func evaluate(
    _ index: Int, logProbabilities: [Double], entropies: [Double]? = nil
  ) throws(ObjectiveError) -> CompletionEvaluation {
    guard completions.indices.contains(index) else {
      throw .malformed("the update has \(completions.count) completions, none at \(index)")
    }
    let length = completions[index].length
    try logProbabilities.check("the log-probability", completion: index, length: length)
    try entropies?.check("the entropy", completion: index, length: length)
    if settings.hasEntropyBonus && entropies == nil {
      throw .missing(name: "entropies", completion: index, because: "entropy_coef")
    }
    var evaluation = CompletionEvaluation(
      loss: 0, logProbabilityGradient: Array(repeating: 0, count: length),
      entropyGradient: settings.hasEntropyBonus ? Array(repeating: 0, count: length) : [],
      ratios: Array(repeating: 1, count: length), clipSides: Array(repeating: 0, count: length),
      statistics: UpdateStatistics())
    addPolicyAndKL(to: &evaluation, index: index, logProbabilities: logProbabilities)
    if let entropies { addEntropy(to: &evaluation, index: index, entropies: entropies) }
    if context.policyIsSampler || completions[index].samplerLogProbabilities != nil {
      measureMismatch(of: logProbabilities, index: index, into: &evaluation.statistics)
    }
    guard evaluation.loss.isFinite, evaluation.logProbabilityGradient.allSatisfy(\.isFinite) else {
      throw .overflow(completion: index, largestRatio: evaluation.statistics.largestRatio)
    }
    return evaluation
  }

  private func addPolicyAndKL(
    to evaluation: inout CompletionEvaluation, index: Int, logProbabilities: [Double]
  ) {
    let completion = completions[index]
    let mask = masks[index]
    let weight = weights[index]
    let old = completion.oldLogProbabilities ?? logProbabilities
    let isSequence = settings.importanceSamplingLevel != .token
    let isSharedGradient = settings.importanceSamplingLevel == .sequence
    let keep = OffPolicyMask(
      threshold: settings.offPolicyMaskThreshold,
      behaviour: completion.samplerLogProbabilities ?? old, policy: logProbabilities, mask: mask)
    let sequenceWeight = sequenceWeight(
      index: index, logProbabilities: logProbabilities, old: old)
    let sequenceRatio = Ratio(
      logRatio: isSequence ? meanLogRatio(logProbabilities, old: old, mask: mask) : 0,
      clamp: settings.logRatioClamp)
    let references = settings.hasKLInLoss ? completion.referenceLogProbabilities : nil
    // dloss/dw of a ratio that all tokens share.
    var sharedGradient = 0.0
    var statistics = UpdateStatistics(tokens: mask.count)

    for token in logProbabilities.indices where mask[token] {
      let logProbability = logProbabilities[token]
      let advantage = completion.advantages[token]
      let ratio =
        isSequence
        ? sequenceRatio
        : Ratio(logRatio: logProbability - old[token], clamp: settings.logRatioClamp)
      let kept =
        keep.keeps(advantage: advantage)
        && entropyMask.keeps(entropy: completion.entropies?[token] ?? 0)
      let term = surrogate.term(
        ratio: ratio.value, advantage: advantage, logProbability: logProbability,
        weight: sequenceWeight)
      var loss = 0.0
      var gradient = 0.0
      var ratioGradient = 0.0
      if kept {
        let multiplier =
          settings.surrogate == .vespo ? 1 : samplerWeights[index].weight(at: token)
        loss = multiplier * term.value
        gradient = multiplier * term.logProbabilityGradient
        ratioGradient = multiplier * term.ratioGradient
      }
      if let references {
        let estimate = kl.term(logProbability: logProbability, reference: references[token])
        let correction = settings.usesBiasCorrectionKL ? ratio.value : 1
        loss += settings.beta * estimate.value * correction
        gradient += settings.beta * estimate.gradient * correction
        if settings.usesBiasCorrectionKL { ratioGradient += settings.beta * estimate.value }
        statistics.klSum += estimate.value * correction
      }
      if isSharedGradient {
        sharedGradient += ratioGradient
      } else if ratioGradient != 0 {
        // A clipped ratio may have overflowed: 0 · ∞ must stay 0.
        gradient += ratioGradient * ratio.derivative
      }
      evaluation.loss += weight * loss
      evaluation.logProbabilityGradient[token] = weight * gradient
      evaluation.ratios[token] = Float(ratio.value)
      let side = surrogate.clipSide(ratio: ratio.value, advantage: advantage)
      evaluation.clipSides[token] = side
      statistics.add(ratio: ratio, clipSide: side)
      statistics.gammaSum += sequenceWeight[advantage] / Double(mask.count)
      if !kept { statistics.droppedTokens += 1 }
    }
    if isSharedGradient, sharedGradient != 0 {
      let gradient = weight * sharedGradient * sequenceRatio.derivative / Double(max(mask.count, 1))
      for token in logProbabilities.indices where mask[token] {
        evaluation.logProbabilityGradient[token] += gradient
      }
    }
    statistics.policyLoss = evaluation.loss
    statistics.finishCompletion(isSequenceLevel: isSequence)
    statistics.add(samplerWeights: samplerWeights[index], mask: mask, length: completion.length)
    evaluation.statistics = statistics
  }

  private func addEntropy(
    to evaluation: inout CompletionEvaluation, index: Int, entropies: [Double]
  ) {
    let mask = masks[index]
    for token in entropies.indices where mask[token] {
      let entropy = entropies[token]
      evaluation.statistics.entropySum += entropy
      guard settings.hasEntropyBonus,
        entropyMask.keeps(entropy: completions[index].entropies?[token] ?? 0)
      else { continue }
      evaluation.loss -= entropyWeight * entropy
      evaluation.entropyGradient[token] = -entropyWeight
      evaluation.statistics.bonusEntropySum += entropy
      evaluation.statistics.bonusTokens += 1
    }
    evaluation.statistics.hasEntropy = true
  }

  /// 1/n Σ_t l_t over the unmasked tokens.
  private func meanLogRatio(_ policy: [Double], old: [Double], mask: TokenMask) -> Double {
    var sum = 0.0
    for token in policy.indices where mask[token] { sum += policy[token] - old[token] }
    return sum / Double(max(mask.count, 1))
  }

  /// VESPO's φ; other surrogates have no such weight.
  private func sequenceWeight(index: Int, logProbabilities: [Double], old: [Double])
    -> SequenceWeight
  {
    guard let vespo = surrogate as? VESPOSurrogate else { return SequenceWeight() }
    let limit = VESPOSurrogate.greatestLogWeight
    var sum = 0.0
    for token in logProbabilities.indices where masks[index][token] {
      sum += min(max(logProbabilities[token] - old[token], -limit), limit)
    }
    return vespo.weight(logWeight: sum + samplerWeights[index].logSum(over: masks[index]))
  }

  /// Compares the policy, or without `policyIsSampler` the old policy, with the sampler.
  private func measureMismatch(
    of logProbabilities: [Double], index: Int, into statistics: inout UpdateStatistics
  ) {
    let completion = completions[index]
    let trainer =
      context.policyIsSampler
      ? logProbabilities : completion.oldLogProbabilities ?? logProbabilities
    guard let sampler = completion.samplerLogProbabilities ?? completion.oldLogProbabilities else {
      return
    }
    for token in trainer.indices where masks[index][token] {
      statistics.addMismatch(trainer: trainer[token], sampler: sampler[token])
    }
  }
}
