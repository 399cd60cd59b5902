/// How fast messages go between rank 0 and the others, as measured.
public struct LinkSpeed: Sendable {
  /// Seconds that a message of 8 bytes takes one way: the median of many.
  public var latency: Double
  /// Bytes per second, each way at once, in messages of 4 MiB between all pairs of neighbouring ranks at once.
  public var bandwidth: Double
}

extension Ranks {
  /// Measures the links, and whether what arrives is what was sent; all ranks together.
  /// - Throws: `RankError` where bytes arrive that were not sent.
  public func measureLinks() throws(RankError) -> LinkSpeed {
    let latency = try measureLatency()
    return LinkSpeed(latency: latency, bandwidth: try measureBandwidth())
  }

  /// Half the median time of a message to the last rank and back, since that one is the furthest.
  private func measureLatency() throws(RankError) -> Double {
    var times: [Double] = []
    for _ in 0..<100 {
      let start = ContinuousClock.now
      if isFirst {
        try send([UInt8](repeating: 1, count: 8), to: size - 1)
        _ = try receive(8, from: size - 1)
      } else if rank == size - 1 {
        try send(try receive(8, from: 0), to: 0)
      }
      times.append((ContinuousClock.now - start) / .seconds(1) / 2)
    }
    return times.sorted()[times.count / 2]
  }

  private func measureBandwidth() throws(RankError) -> Double {
    let (count, rounds) = (4 << 20, 4)
    let peer = rank ^ 1
    let sent = Self.pattern(of: rank, count)
    var received = [UInt8](repeating: 0, count: count)
    try barrier()
    let start = ContinuousClock.now
    if peer < size {
      for _ in 0..<rounds {
        let failure = sent.withUnsafeBytes { sent in
          received.withUnsafeMutableBytes { received in
            Self.outcome { () throws(RankError) in
              try exchange(sent, to: peer, received, from: peer, on: .control)
            }
          }
        }
        if let failure { throw failure }
      }
    }
    try barrier()
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let isIntact = peer >= size || received == Self.pattern(of: peer, count)
    guard try !any(!isIntact) else {
      throw RankError(.message, "messages of \(count) bytes arrive with other bytes than were sent")
    }
    return Double(count * rounds) / seconds
  }

  /// Bytes that tell a rank, and a place within the period of 251, from others.
  private static func pattern(of rank: Int, _ count: Int) -> [UInt8] {
    let period = (0..<251).map { UInt8(truncatingIfNeeded: $0 &+ rank) }
    let periods = Array(repeating: period, count: count / period.count + 1)
    return Array(periods.joined().prefix(count))
  }
}
