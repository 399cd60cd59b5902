import Foundation

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
