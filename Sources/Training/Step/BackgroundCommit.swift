import Dispatch
import Synchronization
import TrajectoryStore

/// Records on their way to the disk, while the run computes; commits happen in the order of their making.
///
/// The optimiser waits for a step's own commit before the weights move: nothing that was learned from is
/// lost. What its updates add is waited for by the next step and by whatever is written in between.
final class BackgroundCommit: Sendable {
  private static let queue = DispatchQueue(label: "trajectory log")
  private let isDone = DispatchGroup()
  private let failure = Mutex<StoreError?>(nil)

  /// Starts to commit a step.
  convenience init(_ step: StepRecord, to log: TrajectoryLog) {
    self.init { () throws(StoreError) in
      CrashPoint.logging.reach()
      try log.append(step: step)
    }
  }

  /// Starts to commit the updates of a step.
  convenience init(_ updates: [UpdateRecord], to log: TrajectoryLog) {
    self.init { () throws(StoreError) in
      CrashPoint.noting.reach()
      for update in updates { try log.append(update: update) }
    }
  }

  private init(_ body: @escaping @Sendable () throws(StoreError) -> Void) {
    Self.queue.async(group: isDone) { [self] in
      do throws(StoreError) { try body() } catch { failure.withLock { $0 = error } }
    }
  }

  /// Returns when what was given is durable.
  /// - Throws: `StoreError` where it could not be written.
  func wait() throws(StoreError) {
    isDone.wait()
    if let error = failure.withLock({ $0 }) { throw error }
  }
}
