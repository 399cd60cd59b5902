/// Finds what a person meant by a name that isn't known.
public enum Spelling {
  /// The name of `candidates` nearest to `word`, nil where none is near.
  ///
  /// Near is a distance (insertions, deletions, substitutions, swaps of neighbours) of at most a
  /// third of the longer name, `_`, `-` and case aside, or a candidate that begins with the word.
  /// Ties go to the first. Time: the sum of the products of the lengths.
  public static func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
    let wanted = normalized(word)
    // Nobody misspells an option by writing a page: bound the quadratic work below.
    guard !wanted.isEmpty, wanted.count <= 80 else { return nil }
    var best: (name: String, distance: Int)?
    for candidate in candidates {
      let name = normalized(candidate)
      let limit = max(1, max(wanted.count, name.count) / 3)
      var distance = editDistance(wanted, name)
      if distance > limit, wanted.count >= 3, name.starts(with: wanted) { distance = limit }
      if distance <= limit, distance < best?.distance ?? .max { best = (candidate, distance) }
    }
    return best?.name
  }

  /// The Damerau–Levenshtein distance in its optimal-string-alignment form: no part edited twice.
  public static func editDistance(_ first: some Collection<UInt8>, _ second: some Collection<UInt8>)
    -> Int
  {
    let (a, b) = (Array(first), Array(second))
    if a.isEmpty || b.isEmpty { return max(a.count, b.count) }
    var beforeLast = [Int](repeating: 0, count: b.count + 1)
    var last = Array(0...b.count)
    for i in 1...a.count {
      var row = [i] + [Int](repeating: 0, count: b.count)
      for j in 1...b.count {
        let substitution = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
        row[j] = min(last[j] + 1, row[j - 1] + 1, substitution)
        if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
          row[j] = min(row[j], beforeLast[j - 2] + 1)
        }
      }
      (beforeLast, last) = (last, row)
    }
    return last[b.count]
  }

  private static func normalized(_ name: String) -> [UInt8] {
    name.utf8.compactMap { byte in
      switch byte {
      case UInt8(ascii: "_"), UInt8(ascii: "-"): nil
      case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte | 0x20
      default: byte
      }
    }
  }
}
