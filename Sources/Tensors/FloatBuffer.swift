import Foundation

/// Zeroed, 64-byte aligned floats of fixed count.
///
/// A large buffer is mapped from the system, so that its pages cost nothing until they are touched.
/// Not `Sendable`: whoever owns a buffer decides who writes it.
public final class FloatBuffer {
  /// The first float; valid while the buffer lives.
  public let pointer: UnsafeMutablePointer<Float>
  /// How many floats there are.
  public let count: Int

  private let storage: AlignedMemory

  /// Allocates `count` zeros.
  public init(count: Int) {
    precondition(count >= 0, "a buffer cannot hold \(count) floats")
    storage = AlignedMemory(byteCount: count * MemoryLayout<Float>.stride)
    pointer = storage.address.bindMemory(to: Float.self, capacity: max(count, 1))
    self.count = count
  }

  /// The whole buffer as rows of `stride` floats.
  public func rows(stride: Int) -> Rows { Rows(pointer, stride: stride) }

  /// Sets every float to zero.
  public func zero() { pointer.update(repeating: 0, count: count) }

  /// The values, copied.
  public var values: [Float] { Array(UnsafeBufferPointer(start: pointer, count: count)) }
}

/// A buffer that grows when more is asked of it; what it held is lost then.
public final class ScratchBuffer {
  private var buffer = FloatBuffer(count: 0)

  /// An empty scratch buffer.
  public init() {}

  /// At least `count` floats, of any value; the address is good until the next call.
  public func ensure(count: Int) -> UnsafeMutablePointer<Float> {
    if buffer.count < count { buffer = FloatBuffer(count: max(count, buffer.count * 3 / 2)) }
    return buffer.pointer
  }

  /// How many floats are held.
  public var capacity: Int { buffer.count }
}

/// A matrix in memory owned by another: `stride` floats lie between the starts of its rows.
///
/// It does not keep its owner alive: whoever makes one holds the buffer as long as it is in use.
public struct Rows {
  /// The first value of the first row.
  public let start: UnsafeMutablePointer<Float>
  /// Floats from one row to the next.
  public let stride: Int

  /// Views the floats at `start` as rows.
  public init(_ start: UnsafeMutablePointer<Float>, stride: Int) {
    self.start = start
    self.stride = stride
  }

  /// The first value of a row.
  public subscript(row: Int) -> UnsafeMutablePointer<Float> { start + row * stride }

  /// The rows from `row` on.
  public func from(row: Int) -> Rows { Rows(start + row * stride, stride: stride) }

  /// The same rows from `column` on.
  public func from(column: Int) -> Rows { Rows(start + column, stride: stride) }
}

/// Zeroed memory at a multiple of 64 bytes, with 64 readable bytes behind its end.
final class AlignedMemory {
  let address: UnsafeMutableRawPointer
  private let mappedByteCount: Int

  /// From here on memory is mapped: zero pages come from the system, and go back to it at once.
  private static let mappingThreshold = 1 << 17
  /// From here on large pages are asked for.
  private static let largePageThreshold = 1 << 20
  private static let padding = 64

  init(byteCount: Int) {
    let wanted = byteCount + Self.padding
    if wanted >= Self.mappingThreshold,
      let mapped = mmap(
        nil, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      mapped != MAP_FAILED
    {
      address = mapped
      mappedByteCount = wanted
      // Panels and caches are walked from end to end: large pages spare the address translation.
      if wanted >= Self.largePageThreshold { madvise(mapped, wanted, Int32(MADV_HUGEPAGE)) }
    } else {
      address = UnsafeMutableRawPointer.allocate(byteCount: wanted, alignment: 64)
      address.initializeMemory(as: UInt8.self, repeating: 0, count: wanted)
      mappedByteCount = 0
    }
  }

  deinit {
    if mappedByteCount > 0 {
      munmap(address, mappedByteCount)
    } else {
      address.deallocate()
    }
  }
}
