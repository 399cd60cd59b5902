// KL as part of the reward, from the log-probabilities at sampling, k_t the estimate of
// KLEstimator.swift:
//
//   reward      r −= β Σ_t k_t           before the baseline: RLOO (arXiv 2402.14740 §3), verl's
//                                        `use_kl_in_reward`
//   return      A_t −= β Σ_(s≥t) k_s     after it: OpenRLHF (γ = 1), REINFORCE++
//                                        (arXiv 2501.03262 eq. 8)
//   advantage   A_t −= β k_t             after it: NeMo's REINFORCE++
//
// It has no gradient: the estimate stands at the policy that sampled.

extension RewardedCompletion {
  /// The KL estimates k_t of the tokens.
  func klValues(_ settings: ObjectiveSettings, at index: Int) throws(ObjectiveError) -> [Double] {
    let because = "beta \(settings.beta) with kl_placement \(settings.klPlacement.rawValue)"
    guard let old = oldLogProbabilities else {
      throw .missing(name: "old log-probabilities", completion: index, because: because)
    }
    guard let reference = referenceLogProbabilities else {
      throw .missing(name: "reference log-probabilities", completion: index, because: because)
    }
    try old.check("the old log-probability", completion: index, length: length)
    try reference.check("the reference log-probability", completion: index, length: length)
    return KLPenalty(settings).values(logProbabilities: old, references: reference)
  }
}

extension AdvantageEstimator {
  /// A completion's advantages less the KL of its tokens.
  func penalised(
    _ advantages: TokenAdvantages, by completion: RewardedCompletion, at index: Int
  ) throws(ObjectiveError) -> TokenAdvantages {
    let estimates = try completion.klValues(settings, at: index)
    var result = advantages.expanded(to: completion.length)
    var sum = 0.0
    for token in result.indices.reversed() {
      sum = settings.klPlacement == .return ? sum + estimates[token] : estimates[token]
      result[token] -= settings.beta * sum
    }
    return .perToken(result)
  }
}
