import CMessagePassing
import Dispatch
import Foundation
import Synchronization

/// The one thread of this process that speaks to the MPI library, from joining the ranks to leaving them.
///
/// MPI moves nothing while nobody calls it, so this thread looks after what is on its way as long as there is
/// something; and it looks whether the other ranks of this host are alive.
final class MessageThread: Transport {
  /// Bytes of one call: its count is an int.
  private static let largestMessage = 1 << 30

  private struct Order: Sendable {
    var isSend: Bool
    /// Address and count of bytes that their owner keeps until `transfer` is done.
    var address: UInt
    var count: Int
    var peer: Int32
    var tag: Int32
    var transfer: Transfer
  }

  private struct Journey {
    var requests: [cmessages_request]
    var transfer: Transfer
  }

  private struct Inbox {
    var orders: [Order] = []
    var isFinished = false
  }

  private let inbox = Mutex(Inbox())
  private let wake = DispatchSemaphore(value: 0)
  private let isLeft = DispatchSemaphore(value: 0)
  /// Looks after the other ranks, every now and then.
  private let watch = Mutex<(@Sendable () -> Void)?>(nil)

  /// Joins the ranks; returns when all have.
  static func join() throws(RankError) -> (thread: MessageThread, rank: Int, size: Int) {
    let thread = MessageThread()
    let joined = Mutex<Result<(Int, Int), RankError>?>(nil)
    let isJoined = DispatchSemaphore(value: 0)
    let body = Thread {
      var (rank, size) = (Int32(0), Int32(1))
      let code = cmessages_start(&rank, &size)
      let (ownRank, all) = (Int(rank), Int(size))
      joined.withLock {
        $0 = code == 0 ? .success((ownRank, all)) : .failure(Self.error(code, "joining the ranks"))
      }
      isJoined.signal()
      if code == 0 { thread.run() }
    }
    body.name = "messages"
    body.start()
    isJoined.wait()
    guard let result = joined.withLock({ $0 }) else {
      throw RankError(.message, "joining the ranks gave no answer")
    }
    let (rank, size) = try result.get()
    return (thread, rank, size)
  }

  /// What is called every tenth of a second; nil for nothing.
  func watch(_ body: (@Sendable () -> Void)?) { watch.withLock { $0 = body } }

  /// Leaves the ranks; returns when the library has closed.
  func leave() {
    inbox.withLock { $0.isFinished = true }
    wake.signal()
    isLeft.wait()
  }

  func send(_ bytes: UnsafeRawBufferPointer, to peer: Int, on channel: Channel) -> Transfer {
    order(UInt(bitPattern: bytes.baseAddress), bytes.count, peer, channel, isSend: true)
  }

  func receive(
    into bytes: UnsafeMutableRawBufferPointer, from peer: Int, on channel: Channel
  ) -> Transfer {
    order(UInt(bitPattern: bytes.baseAddress), bytes.count, peer, channel, isSend: false)
  }

  private func order(
    _ address: UInt, _ count: Int, _ peer: Int, _ channel: Channel, isSend: Bool
  ) -> Transfer {
    let transfer = Transfer()
    guard count > 0 else {
      transfer.finish()
      return transfer
    }
    let order = Order(
      isSend: isSend, address: address, count: count, peer: Int32(clamping: peer),
      tag: channel.rawValue, transfer: transfer)
    inbox.withLock { $0.orders.append(order) }
    wake.signal()
    return transfer
  }

  // MARK: The thread

  private func run() {
    var journeys: [Journey] = []
    var patience = Patience()
    var lastLook = ContinuousClock.now
    while true {
      let (orders, isFinished) = inbox.withLock { inbox in
        defer { inbox.orders = [] }
        return (inbox.orders, inbox.isFinished)
      }
      for order in orders { begin(order, &journeys) }
      if !orders.isEmpty || advance(&journeys) { patience.renew() }
      if ContinuousClock.now - lastLook > .milliseconds(100) {
        watch.withLock { $0 }?()
        lastLook = .now
      }
      if !journeys.isEmpty {
        patience.rest(wake)
      } else if isFinished {
        break
      } else {
        // What was handed to the library may still be on its way out of it.
        _ = wake.wait(timeout: .now() + .milliseconds(20))
        cmessages_progress()
      }
    }
    _ = cmessages_finish()
    isLeft.signal()
  }

  private func begin(_ order: Order, _ journeys: inout [Journey]) {
    var requests: [cmessages_request] = []
    for start in stride(from: 0, to: order.count, by: Self.largestMessage) {
      let count = Int32(clamping: min(Self.largestMessage, order.count - start))
      guard let bytes = UnsafeMutableRawPointer(bitPattern: order.address)?.advanced(by: start)
      else { break }
      var request: cmessages_request = 0
      let code =
        order.isSend
        ? cmessages_send(bytes, count, order.peer, order.tag, &request)
        : cmessages_receive(bytes, count, order.peer, order.tag, &request)
      guard code == 0 else {
        let what = order.isSend ? "sending to" : "receiving from"
        return order.transfer.finish(Self.error(code, "\(what) rank \(order.peer)"))
      }
      requests.append(request)
    }
    journeys.append(Journey(requests: requests, transfer: order.transfer))
  }

  /// Looks at all that is on its way; whether anything arrived.
  private func advance(_ journeys: inout [Journey]) -> Bool {
    var hasArrived = false
    for index in journeys.indices {
      while let request = journeys[index].requests.first {
        var (next, done) = (request, Int32(0))
        let code = cmessages_test(&next, &done)
        guard code == 0 else {
          journeys[index].transfer.finish(Self.error(code, "moving a message"))
          journeys[index].requests = []
          hasArrived = true
          continue
        }
        journeys[index].requests[0] = next
        guard done != 0 else { break }
        journeys[index].requests.removeFirst()
        if journeys[index].requests.isEmpty { journeys[index].transfer.finish() }
        hasArrived = true
      }
    }
    journeys.removeAll { $0.requests.isEmpty }
    return hasArrived
  }

  private static func error(_ code: Int32, _ what: String) -> RankError {
    RankError(.message, "\(what) failed: MPI says \"\(MessageLibrary.description(of: code))\"")
  }
}

/// How long to wait before the next look at a message: not at all at first, then as little of the processor as may be.
///
/// Ranks share processors with their own arithmetic, and in tests with one another.
private struct Patience {
  private var looks = 0

  mutating func renew() { looks = 0 }

  mutating func rest(_ wake: DispatchSemaphore) {
    looks += 1
    if looks < 200 {
      if looks % 8 == 0 { sched_yield() }
    } else {
      let pause = min(500, 20 + looks / 16)
      _ = wake.wait(timeout: .now() + .microseconds(pause))
    }
  }
}
