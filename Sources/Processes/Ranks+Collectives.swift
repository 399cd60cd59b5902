extension Ranks {
  /// Returns when every rank has come here.
  ///
  /// In round k a rank tells the one 2^k above it: after ⌈log₂ n⌉ rounds each has heard of all (Hensgen et al. 1988).
  public func barrier() throws(RankError) {
    var distance = 1
    while distance < size {
      try send([1], to: (rank + distance) % size)
      _ = try receive(1, from: (rank - distance + size) % size)
      distance *= 2
    }
  }

  /// The bytes of one rank on every rank: down a binary tree that is rooted there.
  public func broadcast(_ bytes: [UInt8], from root: Int = 0) throws(RankError) -> [UInt8] {
    var bytes = bytes
    let place = (rank - root + size) % size
    var distance = size.nextPowerOfTwo
    if place > 0 {
      let step = place & -place
      bytes = try receiveMessage(from: (place - step + root) % size)
      distance = step
    }
    while distance > 1 {
      distance /= 2
      if place + distance < size { try sendMessage(bytes, to: (place + distance + root) % size) }
    }
    return bytes
  }

  /// Every rank's bytes, by rank, on rank 0; nothing elsewhere.
  public func gather(_ bytes: [UInt8]) throws(RankError) -> [[UInt8]] {
    guard isFirst else {
      try sendMessage(bytes, to: 0)
      return []
    }
    var all = [bytes]
    for peer in 1..<max(1, size) { all.append(try receiveMessage(from: peer)) }
    return all
  }

  /// Every rank's bytes, by rank, on every rank.
  public func allGather(_ bytes: [UInt8]) throws(RankError) -> [[UInt8]] {
    guard size > 1 else { return [bytes] }
    let gathered = try gather(bytes)
    let joined = try broadcast(gathered.flatMap { $0.count.bytes + $0 })
    var (all, place) = ([[UInt8]](), 0)
    while place < joined.count {
      let start = place + Int.byteCount
      let count = Int(bytes: joined[place..<start])
      all.append(Array(joined[start..<start + count]))
      place = start + count
    }
    return all
  }

  /// One part of what rank 0 has for every rank.
  /// - Parameter parts: On rank 0 one for each rank; nothing elsewhere.
  public func scatter(_ parts: [[UInt8]]) throws(RankError) -> [UInt8] {
    guard isFirst else { return try receiveMessage(from: 0) }
    for peer in 1..<max(1, size) { try sendMessage(parts[peer], to: peer) }
    return parts[0]
  }

  /// Whether any rank says so.
  public func any(_ condition: Bool) throws(RankError) -> Bool {
    guard size > 1 else { return condition }
    return try allGather([condition ? 1 : 0]).contains([1])
  }

  /// Does what may fail on any rank, and fails on all where it fails on one.
  ///
  /// Rank 0 throws the sentence of the first rank that failed; the others throw a `SilentFailure`, whose reason rank 0 says.
  /// - Parameter describe: The sentence of an error.
  public func agreeing<Value>(
    describe: (any Error) -> String, _ body: () throws -> Value
  ) throws -> Value {
    guard size > 1 else { return try body() }
    let result = Result { try body() }
    var sentence = ""
    if case .failure(let error) = result { sentence = "!" + describe(error) }
    let sentences = try allGather(Array(sentence.utf8)).map { String(decoding: $0, as: UTF8.self) }
    guard let failed = sentences.firstIndex(where: { !$0.isEmpty }) else { return try result.get() }
    guard isFirst else { throw SilentFailure() }
    if failed == 0 { return try result.get() }
    throw RankError(
      .disagreement, "rank \(failed) on \(places[failed].host): \(sentences[failed].dropFirst())")
  }

  /// Holds the same text against every rank's.
  /// - Throws: On rank 0 `RankError` with the sentence that a difference makes, elsewhere `SilentFailure`.
  public func requireSame(_ text: String, what: String, remedy: String) throws {
    guard size > 1 else { return }
    let all = try allGather(Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) }
    guard let other = all.firstIndex(where: { $0 != all[0] }) else { return }
    guard isFirst else { throw SilentFailure() }
    throw RankError(
      .disagreement,
      "\(what) is \(all[0]) on rank 0 (\(places[0].host)) and \(all[other]) on rank \(other) (\(places[other].host)): "
        + remedy)
  }

  // MARK: Messages of any length

  private func sendMessage(_ bytes: [UInt8], to peer: Int) throws(RankError) {
    try send(bytes.count.bytes, to: peer)
    try send(bytes, to: peer)
  }

  private func receiveMessage(from peer: Int) throws(RankError) -> [UInt8] {
    let count = Int(bytes: try receive(Int.byteCount, from: peer)[...])
    return try receive(count, from: peer)
  }
}

/// Another rank failed, and rank 0 says why: this one ends without a word.
public struct SilentFailure: Error, Sendable {}

extension Int {
  fileprivate static let byteCount = 8

  /// The number, its lowest byte first.
  fileprivate var bytes: [UInt8] {
    (0..<Self.byteCount).map { UInt8(truncatingIfNeeded: self >> ($0 * 8)) }
  }

  fileprivate init(bytes: ArraySlice<UInt8>) {
    self = bytes.reversed().reduce(0) { $0 << 8 | Int($1) }
  }
}
