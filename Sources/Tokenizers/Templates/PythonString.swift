/// Python's string methods, on Unicode scalars as Python has them.
enum PythonString {
  static func string(_ scalars: some Sequence<Unicode.Scalar>) -> String {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars)
    return String(view)
  }

  /// The byte offset of the first place where one text stands in another.
  static func find(_ part: String, in text: String) -> Int? {
    guard !part.isEmpty else { return 0 }
    guard part.utf8.count <= text.utf8.count else { return nil }
    var found: Int?
    forEachPlace(of: part, in: text) { place in
      found = place
      return false
    }
    return found
  }

  /// How often one text stands in another, without overlaps; the part isn't empty.
  static func count(_ part: String, in text: String) -> Int {
    guard part.utf8.count <= text.utf8.count else { return 0 }
    var count = 0
    forEachPlace(of: part, in: text) { _ in
      count += 1
      return true
    }
    return count
  }

  private static func forEachPlace(
    of part: String, in text: String, _ body: (Int) -> Bool
  ) {
    var text = text
    text.withUTF8 { TextSearch(part.utf8).forEachPlace(in: $0, body) }
  }

  /// Removes white space, or the given characters, from the ends.
  static func strip(_ text: String, _ characters: String?, left: Bool, right: Bool) -> String {
    let wanted = characters.map { Set($0.unicodeScalars) }
    func isStripped(_ scalar: Unicode.Scalar) -> Bool {
      wanted.map { $0.contains(scalar) } ?? scalar.isPythonSpace
    }
    let scalars = text.unicodeScalars
    var (start, end) = (scalars.startIndex, scalars.endIndex)
    while left, start < end, isStripped(scalars[start]) { start = scalars.index(after: start) }
    while right, end > start {
      let last = scalars.index(before: end)
      guard isStripped(scalars[last]) else { break }
      end = last
    }
    return String(scalars[start..<end])
  }

  /// Splits at a separator, from the left at most so many times; nil splits at white space.
  static func split(_ text: String, _ separator: String?, limit: Int) -> [String] {
    guard let separator else { return splitWhitespace(text, limit: limit) }
    guard limit != 0, separator.utf8.count <= text.utf8.count else { return [text] }
    let length = separator.utf8.count
    let search = TextSearch(separator.utf8)
    var pieces: [String] = []
    var text = text
    text.withUTF8 { bytes in
      var start = 0
      search.forEachPlace(in: bytes) { place in
        pieces.append(String(decoding: bytes[start..<place], as: UTF8.self))
        start = place + length
        return limit < 0 || pieces.count < limit
      }
      pieces.append(String(decoding: bytes[start...], as: UTF8.self))
    }
    return pieces
  }

  /// Splits at a separator, from the right at most so many times; nil splits at white space.
  static func reverseSplit(_ text: String, _ separator: String?, limit: Int) -> [String] {
    let reversed = split(
      string(text.unicodeScalars.reversed()),
      separator.map { string($0.unicodeScalars.reversed()) },
      limit: limit)
    return reversed.reversed().map { string($0.unicodeScalars.reversed()) }
  }

  private static func splitWhitespace(_ text: String, limit: Int) -> [String] {
    let scalars = text.unicodeScalars
    var pieces: [String] = []
    var index = scalars.startIndex
    while true {
      while index < scalars.endIndex, scalars[index].isPythonSpace {
        index = scalars.index(after: index)
      }
      guard index < scalars.endIndex else { return pieces }
      if limit >= 0, pieces.count == limit {
        return pieces + [strip(String(scalars[index...]), nil, left: false, right: true)]
      }
      let start = index
      while index < scalars.endIndex, !scalars[index].isPythonSpace {
        index = scalars.index(after: index)
      }
      pieces.append(String(scalars[start..<index]))
    }
  }

  /// The lines, at most so many, without their breaks unless they are to be kept.
  static func lines(_ text: String, keepingEnds: Bool, limit: Int = .max) -> [String] {
    let scalars = text.unicodeScalars
    var lines: [String] = []
    var start = scalars.startIndex
    var index = start
    while index < scalars.endIndex, lines.count < limit {
      let end = index
      let scalar = scalars[index]
      index = scalars.index(after: index)
      switch scalar {
      case "\n", "\r", "\u{B}", "\u{C}", "\u{1C}", "\u{1D}", "\u{1E}", "\u{85}", "\u{2028}",
        "\u{2029}":
        if scalar == "\r", index < scalars.endIndex, scalars[index] == "\n" {
          index = scalars.index(after: index)
        }
        lines.append(String(scalars[start..<(keepingEnds ? index : end)]))
        start = index
      default: continue
      }
    }
    if start < scalars.endIndex, lines.count < limit { lines.append(String(scalars[start...])) }
    return lines
  }

  /// Replaces one text by another, at most so many times (below zero: everywhere).
  static func replace(_ text: String, _ old: String, _ new: String, limit: Int) -> String {
    guard limit != 0 else { return text }
    guard old.isEmpty else {
      return split(text, old, limit: limit).joined(separator: new)
    }
    var result = ""
    var count = 0
    for scalar in text.unicodeScalars {
      if limit < 0 || count < limit {
        result += new
        count += 1
      }
      result.unicodeScalars.append(scalar)
    }
    return limit < 0 || count < limit ? result + new : result
  }

  /// First character in upper case, the others in lower case.
  static func capitalize(_ text: String) -> String {
    guard let first = text.unicodeScalars.first else { return "" }
    return first.properties.titlecaseMapping
      + string(text.unicodeScalars.dropFirst()).lowercased()
  }

  /// Each run of letters with its first in upper case, the others in lower case.
  static func title(_ text: String) -> String {
    var result = ""
    var isInside = false
    for scalar in text.unicodeScalars {
      let isCased = scalar.properties.isCased
      result +=
        isInside ? scalar.properties.lowercaseMapping : scalar.properties.titlecaseMapping
      isInside = isCased
    }
    return result
  }

  /// Whether there are characters and all satisfy a condition.
  static func all(_ text: String, _ condition: (Unicode.Scalar) -> Bool) -> Bool {
    !text.isEmpty && text.unicodeScalars.allSatisfy(condition)
  }

  /// Whether a cased character occurs, and none of the other case.
  static func isCased(_ text: String, upper: Bool) -> Bool {
    var found = false
    for scalar in text.unicodeScalars {
      let properties = scalar.properties
      if upper ? properties.isLowercase : properties.isUppercase { return false }
      if properties.generalCategory == .titlecaseLetter { return false }
      if upper ? properties.isUppercase : properties.isLowercase { found = true }
    }
    return found
  }
}
