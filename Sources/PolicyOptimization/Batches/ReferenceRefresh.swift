// Iterative GRPO (DeepSeekMath, Algorithm 1) and a moving reference (TR-DPO, arXiv
// 2404.09656; TRL's `sync_ref_model`): after every `ref_model_sync_steps`-th optimiser update
//
//   ref ← α·policy + (1 − α)·ref,   α = ref_model_mixup_alpha
//
// α = 1 replaces the reference (DeepSeek-R1: every 400 updates).

extension ObjectiveSettings {
  /// The policy's share in the reference after an optimiser update, or nil where the reference
  /// stays.
  ///
  /// - Parameter update: how many optimiser updates the run has made, from 1.
  public func referenceMixture(afterUpdate update: Int) -> Double? {
    guard refreshesReference, needsReference, update > 0, update.isMultiple(of: referenceSyncSteps)
    else { return nil }
    return referenceMixupAlpha
  }
}
