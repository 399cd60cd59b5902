import Dispatch
import Synchronization

/// What moves messages between ranks: MPI, or memory in tests.
///
/// Messages of one sender, receiver and channel arrive in the order in which they were given.
package protocol Transport: Sendable {
  /// Sends bytes, which stay as they are until the transfer is done.
  func send(_ bytes: UnsafeRawBufferPointer, to peer: Int, on channel: Channel) -> Transfer
  /// Receives exactly as many bytes as there is room for, which nobody else touches until the transfer is done.
  func receive(
    into bytes: UnsafeMutableRawBufferPointer, from peer: Int, on channel: Channel
  ) -> Transfer
}

/// A stream of messages that one thread of a rank sends and receives: what is sent on one is received on the same.
package enum Channel: Int32, Sendable {
  /// What ranks agree on between computations.
  case control = 1
  /// The gradients' ranges, while the backward pass goes on.
  case gradients = 2
}

/// A message on its way.
package final class Transfer: Sendable {
  private let isDone = DispatchSemaphore(value: 0)
  private let fault = Mutex<RankError?>(nil)

  /// A message that has not left yet.
  package init() {}

  /// Tells who waits that the message has left or arrived, or why it can't.
  package func finish(_ error: RankError? = nil) {
    if let error { fault.withLock { $0 = error } }
    isDone.signal()
  }

  /// Returns when the bytes are there, or may be changed again; called once.
  package func wait() throws(RankError) {
    isDone.wait()
    if let error = fault.withLock({ $0 }) { throw error }
  }
}
