import Foundation
import Synchronization

/// Places where a test can end a run as a loss of power would: without a word, nothing saved.
///
/// One lies between every two durable writes, so that each order of what is there and what is not can be had.
///
/// `GRPO_CRASH_AT=updating` ends the process the first time it comes there, `GRPO_CRASH_AT=updating:3`
/// the third time. Unset, as it is but in tests, a place costs a comparison.
enum CrashPoint: String, CaseIterable, Sendable {
  /// The settings have their name; what they were written aside as has not been removed.
  case creating
  /// The settings are in the folder; there is no log.
  case begun
  /// The log has its tables; the run is not in it.
  case opening
  /// The run is in the log; nothing was learned.
  case started
  /// A resumed run's new settings are in the folder; the log doesn't say that they changed.
  case changing
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
  /// The weights have moved; what the updates saw is not in the log.
  case noting
  /// An evaluation is in the log; the metrics don't have it.
  case evaluated
  /// The model of a checkpoint is written aside; the rest of it is not.
  case checkpointing
  /// A checkpoint is whole aside; it is not yet in its place.
  case renaming
  /// A checkpoint is in its place; the log doesn't have it.
  case placed
  /// A checkpoint is in the log; those that it replaces are still there.
  case pruning
  /// A checkpoint that is no longer kept has lost its name; its files are still there.
  case removing
  /// All steps are done; the final model is not written.
  case finishing
  /// The final model is in its place; the log doesn't say that the run is done.
  case finished

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
