/// The secure hash SHA-256, for provenance and for splitting data by content (FIPS 180-4).
///
///     var hash = SHA256()
///     hash.update(bytes)
///     hash.finalize().hexadecimal
///
/// Linear in the bytes; constant memory.
public struct SHA256: Sendable {
  /// A hash value of 32 bytes.
  public struct Digest: Sendable, Hashable {
    /// The 32 bytes as eight words, the first the most significant.
    var words: [UInt32]

    /// The digest as 64 lower-case hexadecimal digits.
    public var hexadecimal: String {
      words.map { word in
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
      }.joined()
    }

    /// The first 64 bits as a number.
    public var prefix: UInt64 { UInt64(words[0]) << 32 | UInt64(words[1]) }
  }

  private var state: [UInt32] = [
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a,
    0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
  ]
  private var pending: [UInt8] = []
  private var byteCount: UInt64 = 0

  /// Begins a hash of no bytes.
  public init() { pending.reserveCapacity(64) }

  /// The digest of bytes.
  public static func digest(of bytes: some Sequence<UInt8>) -> Digest {
    var hash = SHA256()
    hash.update(bytes)
    return hash.finalize()
  }

  /// The digest of a text's UTF-8 bytes.
  public static func digest(of text: String) -> Digest { digest(of: text.utf8) }

  /// Adds bytes.
  public mutating func update(_ bytes: some Sequence<UInt8>) {
    let done: Void? = bytes.withContiguousStorageIfAvailable { update(UnsafeRawBufferPointer($0)) }
    if done == nil { Array(bytes).withUnsafeBytes { update($0) } }
  }

  /// Adds bytes.
  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    byteCount &+= UInt64(bytes.count)
    var rest = bytes[...]
    if !pending.isEmpty {
      let missing = rest.prefix(64 - pending.count)
      pending.append(contentsOf: missing)
      rest = rest.dropFirst(missing.count)
      guard pending.count == 64 else { return }
      pending.withUnsafeBytes { Self.compress($0, blocks: 1, into: &state) }
      pending.removeAll(keepingCapacity: true)
    }
    let blocks = rest.count / 64
    if blocks > 0 {
      Self.compress(UnsafeRawBufferPointer(rebasing: rest), blocks: blocks, into: &state)
    }
    pending.append(contentsOf: rest.dropFirst(blocks * 64))
  }

  /// Ends the hash; the value may not be used afterwards.
  public consuming func finalize() -> Digest {
    let bitCount = byteCount &* 8
    var padding: [UInt8] = [0x80]
    padding += [UInt8](repeating: 0, count: (119 - Int(byteCount % 64)) % 64)
    for shift in stride(from: 56, through: 0, by: -8) {
      padding.append(UInt8(truncatingIfNeeded: bitCount >> UInt64(shift)))
    }
    update(padding)
    return Digest(words: state)
  }

  /// Adds whole blocks of 64 bytes to the state (FIPS 180-4 §6.2.2).
  ///
  /// The message schedule is kept as a ring of 16 words, and the eight working variables change
  /// places by their names instead of being moved: eight rounds are written out.
  private static func compress(
    _ bytes: UnsafeRawBufferPointer, blocks: Int, into state: inout [UInt32]
  ) {
    var (a, b, c, d) = (state[0], state[1], state[2], state[3])
    var (e, f, g, h) = (state[4], state[5], state[6], state[7])
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 16) { w in
      roundConstants.withUnsafeBufferPointer { k in
        for block in 0..<blocks {
          let start = (a, b, c, d, e, f, g, h)
          for t in 0..<16 {
            w[t] = UInt32(
              bigEndian: bytes.loadUnaligned(fromByteOffset: block * 64 + t * 4, as: UInt32.self))
          }
          for t in stride(from: 0, to: 64, by: 8) {
            if t >= 16 {
              for i in t..<t + 8 {
                let (w15, w2) = (w[(i &+ 1) & 15], w[(i &+ 14) & 15])
                let s0 = rotate(w15, 7) ^ rotate(w15, 18) ^ w15 >> 3
                let s1 = rotate(w2, 17) ^ rotate(w2, 19) ^ w2 >> 10
                w[i & 15] = w[i & 15] &+ s0 &+ w[(i &+ 9) & 15] &+ s1
              }
            }
            let r = t & 15
            round(a, b, c, &d, e, f, g, &h, k[t] &+ w[r])
            round(h, a, b, &c, d, e, f, &g, k[t &+ 1] &+ w[r &+ 1])
            round(g, h, a, &b, c, d, e, &f, k[t &+ 2] &+ w[r &+ 2])
            round(f, g, h, &a, b, c, d, &e, k[t &+ 3] &+ w[r &+ 3])
            round(e, f, g, &h, a, b, c, &d, k[t &+ 4] &+ w[r &+ 4])
            round(d, e, f, &g, h, a, b, &c, k[t &+ 5] &+ w[r &+ 5])
            round(c, d, e, &f, g, h, a, &b, k[t &+ 6] &+ w[r &+ 6])
            round(b, c, d, &e, f, g, h, &a, k[t &+ 7] &+ w[r &+ 7])
          }
          (a, b, c, d) = (a &+ start.0, b &+ start.1, c &+ start.2, d &+ start.3)
          (e, f, g, h) = (e &+ start.4, f &+ start.5, g &+ start.6, h &+ start.7)
        }
      }
    }
    state = [a, b, c, d, e, f, g, h]
  }

  @inline(__always)
  private static func round(
    _ a: UInt32, _ b: UInt32, _ c: UInt32, _ d: inout UInt32, _ e: UInt32, _ f: UInt32,
    _ g: UInt32, _ h: inout UInt32, _ kw: UInt32
  ) {
    let s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
    let choice = g ^ (e & (f ^ g))
    let t1 = h &+ s1 &+ choice &+ kw
    let s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
    let majority = (a & b) | (c & (a | b))
    d = d &+ t1
    h = t1 &+ s0 &+ majority
  }

  @inline(__always)
  private static func rotate(_ x: UInt32, _ n: UInt32) -> UInt32 { x &>> n | x &<< (32 &- n) }

  /// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
  private static let roundConstants: [UInt32] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4,
    0xab1c_5ed5, 0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe,
    0x9bdc_06a7, 0xc19b_f174, 0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f,
    0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da, 0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7,
    0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967, 0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc,
    0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85, 0xa2bf_e8a1, 0xa81a_664b,
    0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070, 0x19a4_c116,
    0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7,
    0xc671_78f2,
  ]
}
