import RewardKit

extension Problem {
  /// The accepted answers: the column `answer`, a value or a list of values.
  func answers(column: String = "answer") throws(Unscorable) -> [String] {
    guard let value = columns[column], !value.isNull else {
      throw Unscorable("the row has no \"\(column)\"")
    }
    let answers = value.array?.map(\.plainText) ?? [value.plainText]
    guard !answers.isEmpty else { throw Unscorable("the row's \"\(column)\" is an empty list") }
    guard !answers.contains(where: { $0.trimmed().isEmpty }) else {
      throw Unscorable("the row's \"\(column)\" is empty")
    }
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
  /// Where a text occurs in this one, without overlaps.
  ///
  /// Compared byte by byte, not by characters: quick, and blind to combining marks that follow.
  func places(of part: String) -> [Range<String.Index>] {
    var places: [Range<String.Index>] = []
    var (text, part) = (self, part)
    text.withUTF8 { text in
      part.withUTF8 { part in
        guard let first = part.first else { return }
        var offset = 0
        while offset + part.count <= text.count {
          let end = offset + part.count
          guard text[offset] == first, text[offset..<end].elementsEqual(part) else {
            offset += 1
            continue
          }
          places.append(
            utf8.index(startIndex, offsetBy: offset)..<utf8.index(startIndex, offsetBy: end))
          offset = end
        }
      }
    }
    return places
  }

  /// The content of the one `<tag>…</tag>`; nil where there is none or more than one.
  func onlyContent(ofTag tag: String) -> String? {
    let opening = places(of: "<\(tag)>")
    let closing = places(of: "</\(tag)>")
    guard opening.count == 1, closing.count == 1,
      opening[0].upperBound <= closing[0].lowerBound
    else { return nil }
    return self[opening[0].upperBound..<closing[0].lowerBound].trimmed()
  }
}
