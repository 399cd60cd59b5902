import Dispatch
import Synchronization
import TrajectoryStore

/// A step's commit on its way to the disk, while the update computes.
///
/// The optimiser waits for it before the weights move: nothing that was learned from is lost.
final class BackgroundCommit: Sendable {
  private static let queue = DispatchQueue(label: "trajectory log")
  private let isDone = DispatchGroup()
  private let failure = Mutex<StoreError?>(nil)

  /// Starts to commit a step.
  init(_ step: StepRecord, to log: TrajectoryLog) {
    Self.queue.async(group: isDone) { [self] in
      CrashPoint.logging.reach()
      do throws(StoreError) { try log.append(step: step) } catch {
        failure.withLock { $0 = error }
      }
    }
  }

  /// Returns when the step is durable.
  /// - Throws: `StoreError` where it could not be written.
  func wait() throws(StoreError) {
    isDone.wait()
    if let error = failure.withLock({ $0 }) { throw error }
  }
}
