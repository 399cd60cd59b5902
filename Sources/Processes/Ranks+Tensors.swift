import Tensors

extension Ranks {
  /// Gives a rank the numbers of a contiguous tensor, and takes as many of its own.
  func exchange(
    _ sent: Tensor, _ received: Tensor, with peer: Int, on channel: Channel
  ) throws(RankError) {
    try sent.withBytes { bytes throws(RankError) in
      try received.withBytes { room throws(RankError) in
        try exchange(UnsafeRawBufferPointer(bytes), to: peer, room, from: peer, on: channel)
      }
    }
  }

  /// Gives rank 0 the numbers that another rank has in contiguous tensors of the same shapes; the others do nothing.
  package func collect(_ tensors: [Tensor], from peer: Int) throws(RankError) {
    guard let transport, rank == 0 || rank == peer else { return }
    for tensor in tensors {
      try tensor.withBytes { bytes throws(RankError) in
        try isFirst
          ? transport.receive(into: bytes, from: peer, on: .control).wait()
          : transport.send(UnsafeRawBufferPointer(bytes), to: 0, on: .control).wait()
      }
    }
  }

  /// Gives every rank the numbers that rank 0 has in contiguous tensors of the same shapes.
  public func broadcast(_ tensors: [Tensor]) throws(RankError) {
    guard let transport else { return }
    for tensor in tensors {
      try tensor.withBytes { bytes throws(RankError) in
        // Down a binary tree, as bytes are.
        let step = rank & -rank
        if rank > 0 { try transport.receive(into: bytes, from: rank - step, on: .control).wait() }
        var distance = isFirst ? size.nextPowerOfTwo : step
        while distance > 1 {
          distance /= 2
          guard rank + distance < size else { continue }
          try transport.send(UnsafeRawBufferPointer(bytes), to: rank + distance, on: .control)
            .wait()
        }
      }
    }
  }
}

extension Int {
  /// The least power of two that is not less.
  var nextPowerOfTwo: Int {
    var power = 1
    while power < self { power *= 2 }
    return power
  }
}
