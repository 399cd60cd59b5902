/// Python's string methods, on Unicode scalars as Python has them.
enum PythonString {
  typealias Scalars = [Unicode.Scalar]

  static func string(_ scalars: some Sequence<Unicode.Scalar>) -> String {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars)
    return String(view)
  }

  /// The byte offset of the first place where one text stands in another.
  static func find(_ part: String, in text: String, from start: Int = 0) -> Int? {
    let part = Array(part.utf8)
    let text = Array(text.utf8)
    guard !part.isEmpty else { return start <= text.count ? start : nil }
    guard text.count >= part.count else { return nil }
    var index = start
    while index + part.count <= text.count {
      if text[index] == part[0], text[index..<index + part.count].elementsEqual(part) {
        return index
      }
      index += 1
    }
    return nil
  }

  /// Removes white space, or the given characters, from the ends.
  static func strip(_ text: String, _ characters: String?, left: Bool, right: Bool) -> String {
    let wanted = characters.map { Set($0.unicodeScalars) }
    func isStripped(_ scalar: Unicode.Scalar) -> Bool {
      wanted.map { $0.contains(scalar) } ?? scalar.isPythonSpace
    }
    var scalars = Array(text.unicodeScalars)[...]
    while left, let first = scalars.first, isStripped(first) { scalars.removeFirst() }
    while right, let last = scalars.last, isStripped(last) { scalars.removeLast() }
    return string(scalars)
  }

  /// Splits at a separator, from the left at most so many times; nil splits at white space.
  static func split(_ text: String, _ separator: String?, limit: Int) -> [String] {
    guard let separator else { return splitWhitespace(text, limit: limit) }
    let bytes = Array(text.utf8)
    let mark = Array(separator.utf8)
    var pieces: [String] = []
    var start = 0
    var index = 0
    while index + mark.count <= bytes.count, limit < 0 || pieces.count < limit {
      if bytes[index..<index + mark.count].elementsEqual(mark) {
        pieces.append(String(decoding: bytes[start..<index], as: UTF8.self))
        index += mark.count
        start = index
      } else {
        index += 1
      }
    }
    return pieces + [String(decoding: bytes[start...], as: UTF8.self)]
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
    var pieces: [String] = []
    var rest = Array(text.unicodeScalars)[...]
    while true {
      while let first = rest.first, first.isPythonSpace { rest.removeFirst() }
      guard !rest.isEmpty else { return pieces }
      if limit >= 0, pieces.count == limit {
        return pieces + [strip(string(rest), nil, left: false, right: true)]
      }
      let end = rest.firstIndex(where: \.isPythonSpace) ?? rest.endIndex
      pieces.append(string(rest[..<end]))
      rest = rest[end...]
    }
  }

  /// The lines, without their breaks unless they are to be kept.
  static func lines(_ text: String, keepingEnds: Bool) -> [String] {
    var lines: [String] = []
    var line = Scalars()
    let scalars = Array(text.unicodeScalars)
    var index = 0
    while index < scalars.count {
      let scalar = scalars[index]
      index += 1
      switch scalar {
      case "\n", "\r", "\u{B}", "\u{C}", "\u{1C}", "\u{1D}", "\u{1E}", "\u{85}", "\u{2028}",
        "\u{2029}":
        if keepingEnds { line.append(scalar) }
        if scalar == "\r", index < scalars.count, scalars[index] == "\n" {
          if keepingEnds { line.append("\n") }
          index += 1
        }
        lines.append(string(line))
        line = []
      default: line.append(scalar)
      }
    }
    if !line.isEmpty { lines.append(string(line)) }
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
