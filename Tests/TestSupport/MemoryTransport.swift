import Foundation
import Processes
import Synchronization

/// Messages through memory, between ranks that are threads of one process.
public final class MemoryTransport: Sendable {
  private struct Line: Hashable {
    var sender: Int
    var receiver: Int
    var channel: Channel
  }

  private struct Waiting: Sendable {
    var address: UInt
    var count: Int
    var transfer: Transfer
  }

  private struct State {
    var sent: [Line: [[UInt8]]] = [:]
    var waiting: [Line: [Waiting]] = [:]
  }

  private let state = Mutex(State())

  /// One rank's end of it.
  private struct End: Transport {
    var rank: Int
    var memory: MemoryTransport

    func send(_ bytes: UnsafeRawBufferPointer, to peer: Int, on channel: Channel) -> Transfer {
      let transfer = Transfer()
      memory.deliver(Array(bytes), on: Line(sender: rank, receiver: peer, channel: channel))
      transfer.finish()
      return transfer
    }

    func receive(
      into bytes: UnsafeMutableRawBufferPointer, from peer: Int, on channel: Channel
    ) -> Transfer {
      let transfer = Transfer()
      memory.accept(
        Waiting(
          address: UInt(bitPattern: bytes.baseAddress), count: bytes.count, transfer: transfer),
        on: Line(sender: peer, receiver: rank, channel: channel))
      return transfer
    }
  }

  private func deliver(_ bytes: [UInt8], on line: Line) {
    state.withLock {
      $0.sent[line, default: []].append(bytes)
      match(line, &$0)
    }
  }

  private func accept(_ waiting: Waiting, on line: Line) {
    state.withLock {
      $0.waiting[line, default: []].append(waiting)
      match(line, &$0)
    }
  }

  private func match(_ line: Line, _ state: inout State) {
    while let bytes = state.sent[line]?.first, let waiting = state.waiting[line]?.first {
      state.sent[line]?.removeFirst()
      state.waiting[line]?.removeFirst()
      precondition(bytes.count == waiting.count, "sent \(bytes.count), expected \(waiting.count)")
      UnsafeMutableRawPointer(bitPattern: waiting.address)?
        .copyMemory(from: bytes, byteCount: bytes.count)
      waiting.transfer.finish()
    }
  }

  /// Runs a body as each of `size` ranks at once; what each returned, by rank.
  public static func run<Value: Sendable>(
    _ size: Int, _ body: @escaping @Sendable (Ranks) throws -> Value
  ) throws -> [Value] {
    let memory = MemoryTransport()
    let results = Mutex([Result<Value, any Error>?](repeating: nil, count: size))
    let group = DispatchGroup()
    for rank in 0..<size {
      group.enter()
      let thread = Thread {
        let ranks = Ranks(rank: rank, size: size, transport: End(rank: rank, memory: memory))
        let result = Result { try body(ranks) }
        results.withLock { $0[rank] = result }
        group.leave()
      }
      thread.stackSize = 4 << 20
      thread.start()
    }
    group.wait()
    return try results.withLock { $0 }.compactMap { try $0?.get() }
  }
}
