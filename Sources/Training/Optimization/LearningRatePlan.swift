import Foundation

/// The factor on the learning rate, by optimiser update u = 0, 1, … of U, with W of warm-up.
///
///     warm-up   u < W:  u / W
///     constant          1
///     linear            (U − u) / (U − W), at least 0
///     cosine            ½ (1 + cos π (u − W)/(U − W))
///
/// These are transformers' schedules (`get_linear_schedule_with_warmup` and so on), so that the first
/// update of a warm-up moves nothing, as there; but `constant` warms up too where it is asked to.
public struct LearningRatePlan: Sendable, Equatable {
  /// The schedule after the warm-up.
  public var schedule: LearningRateSchedule
  /// Optimiser updates of warm-up.
  public var warmupUpdates: Int
  /// Optimiser updates of the whole run.
  public var totalUpdates: Int

  /// Makes a schedule.
  public init(_ schedule: LearningRateSchedule, warmupUpdates: Int, totalUpdates: Int) {
    self.schedule = schedule
    self.warmupUpdates = warmupUpdates
    self.totalUpdates = totalUpdates
  }

  /// The factor of update `update`, from 0.
  public func factor(at update: Int) -> Double {
    if update < warmupUpdates { return Double(update) / Double(max(1, warmupUpdates)) }
    let rest = Double(max(1, totalUpdates - warmupUpdates))
    switch schedule {
    case .constant, .constantWithWarmup: return 1
    case .linear: return max(0, Double(totalUpdates - update) / rest)
    case .cosine:
      return max(0, 0.5 * (1 + cos(.pi * Double(update - warmupUpdates) / rest)))
    }
  }
}
