import Foundation

/// The factor on the learning rate, by optimiser update u = 0, 1, … of U, with W of warm-up.
///
///     warm-up   u < W:  u / W
///     constant          1
///     linear            (U − u) / (U − W), at least 0
///     cosine            ½ (1 + cos π (u − W)/(U − W))
///
/// These are transformers' schedules (`get_linear_schedule_with_warmup` and so on), so that the first
/// update of a warm-up moves nothing, as there.
public struct LearningRateSchedule: Sendable, Equatable {
  /// The course after the warm-up.
  public enum Kind: String, Sendable, CaseIterable {
    case constant, linear, cosine
  }

  /// The course after the warm-up.
  public var kind: Kind
  /// Optimiser updates of warm-up.
  public var warmupUpdates: Int
  /// Optimiser updates of the whole run.
  public var totalUpdates: Int

  /// Makes a schedule.
  public init(_ kind: Kind, warmupUpdates: Int, totalUpdates: Int) {
    self.kind = kind
    self.warmupUpdates = warmupUpdates
    self.totalUpdates = totalUpdates
  }

  /// The factor of update `update`, from 0.
  public func factor(at update: Int) -> Double {
    if update < warmupUpdates { return Double(update) / Double(max(1, warmupUpdates)) }
    let rest = Double(max(1, totalUpdates - warmupUpdates))
    switch kind {
    case .constant: return 1
    case .linear: return max(0, Double(totalUpdates - update) / rest)
    case .cosine:
      return max(0, 0.5 * (1 + cos(.pi * Double(update - warmupUpdates) / rest)))
    }
  }
}
