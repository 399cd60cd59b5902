import Dispatch
import Synchronization

/// Calls a body once after some seconds, unless it is cancelled before.
final class OverdueAlarm: Sendable {
  private let isCancelled = Atomic<Bool>(false)

  /// Sets the alarm; the body is called on a thread of its own.
  init(after seconds: Double, _ body: @escaping @Sendable () -> Void) {
    // Monotonic: a clock that somebody sets neither hastens nor delays it.
    DispatchQueue(label: "query time limit").asyncAfter(deadline: .now() + seconds) { [weak self] in
      guard let self, !self.isCancelled.load(ordering: .acquiring) else { return }
      body()
    }
  }

  /// Makes sure that the body is not called from now on.
  func cancel() { isCancelled.store(true, ordering: .releasing) }
}
