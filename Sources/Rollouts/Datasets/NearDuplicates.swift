/// Prompts of one data set that nearly stand in another: what was meant to be held out and isn't.
///
/// Two texts are near where their sets of character 5-grams (of lower-cased letters and digits, one
/// space between words) have a Jaccard similarity |A ∩ B| / |A ∪ B| of at least `threshold`.
/// Candidates are found by MinHash signatures of 64 hashes in 16 bands of 4 (Broder 1997): a pair at
/// similarity 0.8 is found with probability 1 − (1 − 0.8⁴)¹⁶ = 0.9998. Time is linear in the text
/// but for the candidates.
public struct NearDuplicates: Sendable {
  /// A pair that is near.
  public struct Pair: Sendable, Hashable {
    /// The row in the first data set.
    public var first: Int
    /// The row in the second.
    public var second: Int
    /// The Jaccard similarity.
    public var similarity: Double
  }

  /// Finds, for each problem of `second`, the nearest one of `first` at or above the threshold.
  public static func find(
    _ first: [Problem], _ second: [Problem], threshold: Double = 0.8
  ) -> [Pair] {
    find(first, second, threshold: threshold) { _, _ in true }
  }

  /// Finds, for each problem, the nearest earlier one at or above the threshold.
  public static func within(_ problems: [Problem], threshold: Double = 0.8) -> [Pair] {
    find(problems, problems, threshold: threshold) { $0 < $1 }
  }

  private static func find(
    _ first: [Problem], _ second: [Problem], threshold: Double, where isMeant: (Int, Int) -> Bool
  ) -> [Pair] {
    let firstGrams = first.map { grams($0.prompt.plainText) }
    var buckets: [Band: [Int32]] = [:]
    for (index, grams) in firstGrams.enumerated() {
      for band in bands(of: grams) { buckets[band, default: []].append(Int32(index)) }
    }
    var pairs: [Pair] = []
    for (index, problem) in second.enumerated() {
      let grams = grams(problem.prompt.plainText)
      var looked: Set<Int32> = []
      var best: Pair?
      for band in bands(of: grams) {
        // A template that all rows share fills a bucket: a bound keeps the time linear.
        for candidate in buckets[band, default: []].prefix(200)
        where isMeant(Int(candidate), index) && looked.insert(candidate).inserted {
          let similarity = jaccard(firstGrams[Int(candidate)], grams)
          if similarity >= threshold, similarity > best?.similarity ?? 0 {
            best = Pair(first: Int(candidate), second: index, similarity: similarity)
          }
        }
      }
      if let best { pairs.append(best) }
    }
    return pairs
  }

  private struct Band: Hashable {
    var number: Int
    var hash: UInt64
  }

  /// The hashes of a text's 5-grams, ascending; a shorter text is one gram.
  private static func grams(_ text: String) -> [UInt64] {
    var bytes: [UInt8] = []
    for scalar in text.lowercased().unicodeScalars {
      if scalar.properties.isAlphabetic || scalar.properties.numericType != nil {
        bytes += Array(String(scalar).utf8)
      } else if let last = bytes.last, last != 0x20, scalar.properties.isWhitespace {
        bytes.append(0x20)
      } else if !scalar.properties.isWhitespace {
        // Signs count: 3+4 is not 3-4.
        bytes += Array(String(scalar).utf8)
      }
    }
    guard bytes.count > 5 else { return [hash(bytes[...])] }
    var hashes: Set<UInt64> = []
    for start in 0...(bytes.count - 5) { hashes.insert(hash(bytes[start..<start + 5])) }
    return hashes.sorted()
  }

  /// FNV-1a, mixed once more.
  private static func hash(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return mix(hash)
  }

  private static func mix(_ value: UInt64) -> UInt64 {
    var random = SeededRandom(seed: value)
    return random.next()
  }

  private static func bands(of grams: [UInt64]) -> [Band] {
    (0..<16).map { band in
      var combined: UInt64 = 0
      for row in 0..<4 {
        let salt = mix(UInt64(band * 4 + row + 1))
        let least = grams.reduce(UInt64.max) { min($0, ($1 ^ salt) &* (salt | 1)) }
        combined = mix(combined ^ least)
      }
      return Band(number: band, hash: combined)
    }
  }

  /// The similarity of two ascending lists without repeats.
  private static func jaccard(_ a: [UInt64], _ b: [UInt64]) -> Double {
    var (i, j, common) = (0, 0, 0)
    while i < a.count, j < b.count {
      if a[i] == b[j] {
        (i, j, common) = (i + 1, j + 1, common + 1)
      } else if a[i] < b[j] {
        i += 1
      } else {
        j += 1
      }
    }
    return Double(common) / Double(a.count + b.count - common)
  }
}
