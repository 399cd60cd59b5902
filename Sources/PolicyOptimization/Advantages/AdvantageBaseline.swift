// What is subtracted from a completion's reward r_i, in a group of n scorable completions:
//
//   group_mean      r̄ = 1/n Σ_j r_j               DeepSeekMath §4.1.2, and nearly every peer
//   leave_one_out   1/(n−1) Σ_(j≠i) r_j           RLOO (arXiv 2402.14740 eq. 5); NeMo's default
//   batch_mean      the mean over the whole step
//   none            0                             REINFORCE; REINFORCE++ whitens instead
//
// r_i less the leave-one-out mean is n/(n−1)·(r_i − r̄), which is how it is computed: it loses no
// digits.

/// What is subtracted from a reward.
public enum AdvantageBaseline: String, SettingChoice {
  case groupMean = "group_mean"
  case leaveOneOut = "leave_one_out"
  case batchMean = "batch_mean"
  case none

  /// The baseline as an equation.
  public var meaning: String {
    switch self {
    case .groupMean: "b = mean of the group"
    case .leaveOneOut: "b_i = mean of the group's other completions"
    case .batchMean: "b = mean of the step"
    case .none: "b = 0"
    }
  }
}
