extension Tensor {
  /// Lends the bytes of a contiguous tensor to the rooms that carry them to other processes.
  package func withBytes<Result, Failure: Error>(
    _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    precondition(isContiguous, "a tensor with gaps between its rows is no run of bytes")
    return try body(
      UnsafeMutableRawBufferPointer(
        start: UnsafeMutableRawPointer(mutating: bytes), count: count * element.size))
  }
}
