import Foundation
import Synchronization

/// Places where a test can end a run as a loss of power would: without a word, nothing saved.
///
/// `GRPO_CRASH_AT=updating` ends the process the first time it comes there, `GRPO_CRASH_AT=updating:3`
/// the third time. Unset, as it is but in tests, a place costs a comparison.
enum CrashPoint: String, CaseIterable, Sendable {
  /// In the supervised stage, before an update of it.
  case coldStart = "cold-start"
  /// A completion was drawn; others are under way.
  case sampling
  /// Everything is drawn; scores are outstanding.
  case scoring
  /// Everything is scored; nothing of the step is committed.
  case logging
  /// The step is committed; its update has not moved the weights.
  case updating
  /// The model of a checkpoint is written aside; the rest of it is not.
  case checkpointing
  /// A checkpoint is whole aside; it is not yet in its place.
  case renaming

  /// Ends the process where this is the place and the time that was asked for.
  func reach() {
    guard let wanted = Self.wanted, wanted.point == self else { return }
    let count = Self.arrivals.add(1, ordering: .relaxed).newValue
    // SIGKILL: no handler, no flush, no temporary file removed on the way out.
    if count == wanted.arrival { kill(getpid(), SIGKILL) }
  }

  private static let arrivals = Atomic<Int>(0)

  /// The place and the arrival at it that the environment asks for.
  private static let wanted = parse(ProcessInfo.processInfo.environment["GRPO_CRASH_AT"])

  /// Reads `PLACE` or `PLACE:COUNT`; nil where it names no place.
  static func parse(_ text: String?) -> (point: CrashPoint, arrival: Int)? {
    guard let text else { return nil }
    let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
    guard let first = parts.first, let point = CrashPoint(rawValue: first) else { return nil }
    guard parts.count == 2 else { return (point, 1) }
    return Int(parts[1]).map { (point, $0) }
  }
}
