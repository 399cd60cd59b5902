/// The known name that is most like a given one, where any is like enough to be meant.
///
/// Hyphens and underscores are alike. At most a third of the letters may differ.
package func nearestName(to name: String, among known: [String]) -> String? {
  let given = Array(name.lowercased().replacing("-", with: "_").prefix(64))
  let candidates = known.map { candidate in
    (candidate, editDistance(given, Array(candidate.lowercased().replacing("-", with: "_"))))
  }
  guard let best = candidates.min(by: { $0.1 < $1.1 }) else { return nil }
  return best.1 <= max(1, given.count / 3) ? best.0 : nil
}

/// The least number of insertions, deletions and replacements between two words (Levenshtein).
private func editDistance(_ first: [Character], _ second: [Character]) -> Int {
  var row = Array(0...second.count)
  for (i, left) in first.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for (j, right) in second.enumerated() {
      let above = row[j + 1]
      row[j + 1] = min(above + 1, row[j] + 1, diagonal + (left == right ? 0 : 1))
      diagonal = above
    }
  }
  return row[second.count]
}
