import Rollouts

/// The sets of tokens that truncated sampling left, one per token, as a compact blob.
///
/// A set is written as numbers: its ids, ascending; or, where all but a few tokens were left, those few, each as the
/// bitwise complement of its id: −1 − id. So a set that begins with a negative number is a complement.
///
/// For each token of the completion, a header `n·2 + form` as a variable-length integer (7 bits a
/// byte, least first, the high bit set on all but the last), then the n numbers:
///
/// - form 0, n = 0: the whole vocabulary, nothing follows;
/// - form 0: zigzag differences between successive numbers (the first from 0), each variable-length;
///   keeps any order;
/// - form 1: the least id, then the number of bytes of a bitmap, both variable-length, then the
///   bitmap, least bit first; for ascending sets where it is shorter.
///
/// An empty set can't be: the sampled token is always in it. It is written as form 1 with n = 0.
enum KeptSets {
  static func encoded(_ sets: [KeptSet?]) -> [UInt8] {
    var bytes: [UInt8] = []
    for set in sets {
      guard let set = set?.numbers else {
        append(0, to: &bytes)
        continue
      }
      guard let first = set.first, let last = set.last else {
        append(1, to: &bytes)
        continue
      }
      let count = UInt64(set.count)
      let isAscending = zip(set, set.dropFirst()).allSatisfy { $0 < $1 } && first >= 0
      let bitmapBytes = isAscending ? (Int(last) - Int(first)) / 8 + 1 : 0
      if isAscending, bitmapBytes < set.count {
        append(count * 2 + 1, to: &bytes)
        append(UInt64(first), to: &bytes)
        append(UInt64(bitmapBytes), to: &bytes)
        var bitmap = [UInt8](repeating: 0, count: bitmapBytes)
        for id in set { bitmap[Int(id - first) / 8] |= 1 << (Int(id - first) % 8) }
        bytes += bitmap
      } else {
        append(count * 2, to: &bytes)
        var previous: Int64 = 0
        for id in set {
          let difference = Int64(id) - previous
          append(UInt64(bitPattern: (difference << 1) ^ (difference >> 63)), to: &bytes)
          previous = Int64(id)
        }
      }
    }
    return bytes
  }

  /// The sets of a blob; nil where the blob is malformed or doesn't hold `count` sets.
  static func decoded(_ bytes: [UInt8], count: Int) -> [KeptSet?]? {
    var sets: [KeptSet?] = []
    sets.reserveCapacity(count)
    var position = 0
    for _ in 0..<count {
      guard let header = readInteger(bytes, &position) else { return nil }
      if header == 0 {
        sets.append(nil)
      } else if header & 1 == 1 {
        guard let set = readBitmap(bytes, &position, count: header >> 1) else { return nil }
        sets.append(KeptSet(numbers: set))
      } else {
        guard let set = readDifferences(bytes, &position, count: header >> 1) else { return nil }
        sets.append(KeptSet(numbers: set))
      }
    }
    return position == bytes.count ? sets : nil
  }

  private static func append(_ value: UInt64, to bytes: inout [UInt8]) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }

  private static func readInteger(_ bytes: [UInt8], _ position: inout Int) -> UInt64? {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while position < bytes.count, shift < 64 {
      let byte = bytes[position]
      position += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte & 0x80 == 0 { return value }
      shift += 7
    }
    return nil
  }

  private static func readDifferences(
    _ bytes: [UInt8], _ position: inout Int, count: UInt64
  ) -> [TokenID]? {
    guard count <= UInt64(bytes.count - position) else { return nil }
    var set: [TokenID] = []
    set.reserveCapacity(Int(count))
    var previous: Int64 = 0
    for _ in 0..<count {
      guard let coded = readInteger(bytes, &position) else { return nil }
      let difference = Int64(bitPattern: coded >> 1) ^ -Int64(bitPattern: coded & 1)
      let (sum, overflow) = previous.addingReportingOverflow(difference)
      guard !overflow, let id = TokenID(exactly: sum) else { return nil }
      set.append(id)
      previous = sum
    }
    return set
  }

  private static func readBitmap(
    _ bytes: [UInt8], _ position: inout Int, count: UInt64
  ) -> [TokenID]? {
    if count == 0 { return [] }
    guard let first = readInteger(bytes, &position), let size = readInteger(bytes, &position),
      size <= UInt64(bytes.count - position), first < 1 << 31
    else { return nil }
    var set: [TokenID] = []
    for offset in 0..<Int(size) {
      var rest = bytes[position + offset]
      while rest != 0 {
        guard let id = TokenID(exactly: Int(first) + offset * 8 + rest.trailingZeroBitCount)
        else { return nil }
        set.append(id)
        rest &= rest - 1
      }
    }
    position += Int(size)
    return UInt64(set.count) == count ? set : nil
  }
}

extension KeptSet {
  /// The set in numbers: kept ids, or the bitwise complement of each excluded id.
  fileprivate var numbers: [TokenID] {
    switch self {
    case .only(let ids): ids
    case .except(let ids): ids.map { ~$0 }
    }
  }

  /// The set that these numbers stand for, whatever their order.
  fileprivate init(numbers: [TokenID]) {
    self = (numbers.first ?? 0) < 0 ? .except(numbers.map { ~$0 }) : .only(numbers)
  }
}
