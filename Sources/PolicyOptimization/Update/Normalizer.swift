// From per-token losses to one number:
//
//   loss = Σ_i c_i Σ_t m_it L_it
//
// B completions in the update, n_i = Σ_t m_it, T the limit on a completion's length, U updates per
// rollout, Q groups:
//
//   sequence_mean        1/(B max(n_i, 1))            GRPO (DeepSeekMath eq. 3); TRL grpo;
//                                                     verl seq-mean-token-mean
//   token_mean           1/max(Σ_j n_j, 1)            TRL bnpo; verl token-mean; OpenRLHF; NeMo
//   rollout_token_mean   U/max(Σ_rollout n_j, 1)      TRL dapo: the rollout's tokens, a U-th for
//                                                     each update
//   group_token_mean     1/(Q max(Σ_group n_j, 1))    DAPO eq. 8; nanochat
//   constant             1/(B T)                      Dr. GRPO §3.2; verl seq-mean-token-sum-norm
//   sequence_sum         1/B                          LUSPO (arXiv 2602.05261); RLOO;
//                                                     verl seq-mean-token-sum
//
// Completions that are masked as a whole still count in B, as in TRL; verl and OpenRLHF leave them
// out.

/// By what the sum of token losses is divided.
public enum Normalizer: String, SettingChoice {
  case sequenceMean = "sequence_mean"
  case tokenMean = "token_mean"
  case rolloutTokenMean = "rollout_token_mean"
  case groupTokenMean = "group_token_mean"
  case constant
  case sequenceSum = "sequence_sum"

  /// The normaliser as an equation.
  public var meaning: String {
    switch self {
    case .sequenceMean:
      "J = 1/B Σ_i 1/n_i Σ_t L_it: a completion's mean, then the mean of completions"
    case .tokenMean: "J = Σ_it L_it / Σ_i n_i: the mean over the tokens of the update"
    case .rolloutTokenMean: "J = U Σ_it L_it / N: N tokens in the rollout, U updates made of it"
    case .groupTokenMean:
      "J = 1/Q Σ_q Σ_(i in q) Σ_t L_it / Σ_(i in q) n_i: the mean over a group's tokens, then over groups"
    case .constant: "J = Σ_it L_it / (B·max_completion_length): a constant, blind to length"
    case .sequenceSum: "J = 1/B Σ_i Σ_t L_it: a completion's sum, then the mean of completions"
    }
  }

  /// The weights c_i of the completions of one update.
  ///
  /// - Parameters:
  ///   - counts: the unmasked tokens n_i of each completion.
  ///   - groups: the group of each completion.
  ///   - context: the rollout that the update is part of.
  /// - Returns: one weight per completion, to be multiplied with each of its token losses.
  func weights(counts: [Int], groups: [Int], context: UpdateContext) -> [Double] {
    let share = 1 / Double(context.accumulationSteps)
    let completions = Double(counts.count)
    let tokens = Double(max(counts.reduce(0, +), 1))
    switch self {
    case .sequenceMean: return counts.map { share / (completions * Double(max($0, 1))) }
    case .tokenMean: return counts.map { _ in share / tokens }
    case .rolloutTokenMean:
      let rollout = Double(max(context.rolloutTokens ?? counts.reduce(0, +), 1))
      return counts.map { _ in Double(context.updatesPerRollout) / rollout }
    case .groupTokenMean:
      var tokensOfGroup: [Int: Int] = [:]
      for (count, group) in zip(counts, groups) { tokensOfGroup[group, default: 0] += count }
      let prompts = Double(tokensOfGroup.count)
      return groups.map { share / (prompts * Double(max(tokensOfGroup[$0] ?? 0, 1))) }
    case .constant:
      return counts.map { _ in share / (completions * Double(context.maxCompletionLength)) }
    case .sequenceSum: return counts.map { _ in share / completions }
    }
  }
}
