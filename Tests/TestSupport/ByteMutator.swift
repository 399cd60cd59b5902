import Foundation

/// Makes small damage to bytes, the same for the same seed (SplitMix64).
public struct ByteMutator {
  /// How many inputs each parser gets in a test: some thousands, or `GRPO_FUZZ=100000` for the long run.
  public static let rounds =
    ProcessInfo.processInfo.environment["GRPO_FUZZ"].flatMap { Int($0) } ?? 2000

  private var state: UInt64

  /// Makes a source of damage.
  public init(seed: UInt64) { state = seed }

  private mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }

  /// A number from 0 to below the limit.
  public mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(max(limit, 1))) }

  /// Pieces that parsers trip over.
  private static let pieces = [
    "[", "]", "{", "}", "\"", ",", ":", "-", "0", "9223372036854775807", "-1", "1e308", "null",
    "true", "\\u0000", "\u{FFFD}", "[[[[", "{\"a\":", "999999999999999999999", "\"F32\"", "1.5",
  ].map { Array($0.utf8) }

  /// The bytes with up to five pieces of damage.
  public mutating func mutated(_ original: [UInt8]) -> [UInt8] {
    var bytes = original
    for _ in 0...below(4) {
      let place = below(bytes.count)
      switch below(6) {
      case 0 where !bytes.isEmpty: bytes[place] = UInt8(truncatingIfNeeded: next())
      case 1 where !bytes.isEmpty: bytes[place] ^= 1 << UInt8(below(8))
      case 2: bytes.insert(contentsOf: Self.pieces[below(Self.pieces.count)], at: place)
      case 3: bytes.removeSubrange(place..<min(bytes.count, place + below(12)))
      case 4: bytes.removeSubrange(place...)
      default:
        let end = min(bytes.count, place + below(60))
        bytes.insert(contentsOf: Array(bytes[place..<end]), at: below(bytes.count))
      }
    }
    return bytes
  }
}
