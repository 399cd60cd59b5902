import RewardKit

extension Problem {
  /// The accepted answers: the column `answer`, a value or a list of values.
  func answers(column: String = "answer") throws(Unscorable) -> [String] {
    guard let value = columns[column], !value.isNull else {
      throw Unscorable("the row has no \"\(column)\"")
    }
    let answers = value.array?.map(\.plainText) ?? [value.plainText]
    guard !answers.isEmpty else { throw Unscorable("the row's \"\(column)\" is an empty list") }
    return answers
  }
}

extension StringProtocol {
  /// The text without white space at its ends.
  func trimmed() -> String {
    var text = self[...]
    while text.first?.isWhitespace == true { text.removeFirst() }
    while text.last?.isWhitespace == true { text.removeLast() }
    return String(text)
  }
}

extension String {
  /// How often a text occurs in this one, without overlaps; linear in practice.
  func count(of part: String) -> Int {
    guard !part.isEmpty else { return 0 }
    return ranges(of: part).count
  }

  /// The content of the one `<tag>…</tag>`; nil where there is none or more than one.
  func onlyContent(ofTag tag: String) -> String? {
    let opening = ranges(of: "<\(tag)>")
    let closing = ranges(of: "</\(tag)>")
    guard opening.count == 1, closing.count == 1,
      opening[0].upperBound <= closing[0].lowerBound
    else { return nil }
    return self[opening[0].upperBound..<closing[0].lowerBound].trimmed()
  }
}
