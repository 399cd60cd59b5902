import Training

/// Notices that most completions meet the length limit: what is learnt from them is half a sentence.
struct TruncationWatch {
  /// The share of truncated completions from which a step counts.
  private static let share = 0.5
  /// How many steps in a row it takes; the first steps of a random policy say little.
  private static let patience = 3
  private var inRow = 0
  private var hasWarned = false

  /// The warning, once per run.
  mutating func warning(after report: StepReport) -> String? {
    guard let share = report.metrics["completions/clipped_ratio"] else { return nil }
    inRow = share > Self.share ? inRow + 1 : 0
    guard !hasWarned, inRow >= min(Self.patience, report.total) else { return nil }
    hasWarned = true
    let before = inRow > 1 ? ", and more than half in each of the last \(inRow) steps" : ""
    return
      "\(NumberFormat.percent(share)) of the completions of step \(report.step) were truncated at "
      + "max_completion_length\(before): raise max_completion_length, "
      + "see whether the policy ever writes its end token (grpo query latest lengths), or set "
      + "mask_truncated_completions"
  }
}
