import Foundation

/// What in a text may tell a person: kinds of data that have a form, and names from a list.
public enum PersonalDataKind: String, Sendable, CaseIterable, Comparable {
  /// An e-mail address.
  case email
  /// A telephone number: +49 30 1234567, (415) 555-0132.
  case phone
  /// A payment card's number, whose check digit holds (Luhn).
  case card
  /// A key or token of a service, or the head of a private key.
  case key
  /// A name of the user's list.
  case name

  /// The order of their names.
  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// A place in a text.
public struct PersonalDataMatch: Sendable, Equatable {
  /// What it is.
  public var kind: PersonalDataKind
  /// The UTF-8 bytes that it takes.
  public var bytes: Range<Int>
}

/// Finds personal data in texts.
///
/// Forms are looked for and not guessed: what has none (an address, a diagnosis) is not found, and a number that looks
/// like a telephone's may be none.
public struct PersonalDataScanner: Sendable {
  private let kinds: Set<PersonalDataKind>
  /// Names as their lowercased words, by the first word.
  private let names: [String: [[String]]]

  /// A scanner of some kinds; `names` are whole names, compared without regard to case.
  public init(kinds: Set<PersonalDataKind> = Set(PersonalDataKind.allCases), names: [String] = []) {
    self.kinds = kinds
    var table: [String: [[String]]] = [:]
    for name in names {
      let words = Self.words(of: name).map(\.text)
      if let first = words.first { table[first, default: []].append(words) }
    }
    self.names = table.mapValues { $0.sorted { $0.count > $1.count } }
  }

  /// The matches of a text, in order and without overlap: where two overlap, the first that began.
  /// - Complexity: linear in the text, but for lines of signs that begin a match at every byte.
  public func matches(in text: String) -> [PersonalDataMatch] {
    let bytes = Array(text.utf8)
    var found: [PersonalDataMatch] = []
    if kinds.contains(.key) { found += SecretForms.matches(in: bytes) }
    if kinds.contains(.email) { found += Self.emails(in: bytes) }
    if kinds.contains(.card) || kinds.contains(.phone) {
      found += NumberForms.matches(in: bytes).filter { kinds.contains($0.kind) }
    }
    if kinds.contains(.name), !names.isEmpty { found += nameMatches(in: text) }
    var result: [PersonalDataMatch] = []
    for match in found.sorted(by: { $0.bytes.lowerBound < $1.bytes.lowerBound })
    where match.bytes.lowerBound >= result.last?.bytes.upperBound ?? 0 {
      result.append(match)
    }
    return result
  }

  /// The text with every match replaced by its kind in brackets; nil where there is none.
  public func masked(_ text: String) -> String? {
    let matches = matches(in: text)
    guard !matches.isEmpty else { return nil }
    let bytes = Array(text.utf8)
    var result: [UInt8] = []
    var place = 0
    for match in matches {
      result += bytes[place..<match.bytes.lowerBound]
      result += Array("[\(match.kind.rawValue)]".utf8)
      place = match.bytes.upperBound
    }
    return String(decoding: result + bytes[place...], as: UTF8.self)
  }

  /// A match as it may be shown: its first two characters, and how long it is.
  public static func hint(_ match: PersonalDataMatch, in text: String) -> String {
    let whole = String(decoding: Array(text.utf8)[match.bytes], as: UTF8.self)
    return "\(whole.prefix(2))… (\(whole.count) characters)"
  }

  // MARK: E-mail

  private static func emails(in bytes: [UInt8]) -> [PersonalDataMatch] {
    func isLocal(_ byte: UInt8) -> Bool { byte.isASCIIAlphanumeric || "._%+-".utf8.contains(byte) }
    func isDomain(_ byte: UInt8) -> Bool {
      byte.isASCIIAlphanumeric || byte == 0x2D || byte == 0x2E
    }
    var matches: [PersonalDataMatch] = []
    for at in bytes.indices where bytes[at] == UInt8(ascii: "@") {
      var start = at
      while start > 0, at - start < 64, isLocal(bytes[start - 1]) { start -= 1 }
      while start < at, bytes[start] == 0x2E { start += 1 }
      var end = at + 1
      while end < bytes.count, end - at < 255, isDomain(bytes[end]) { end += 1 }
      while end > at + 1, !bytes[end - 1].isASCIIAlphanumeric { end -= 1 }
      let labels = bytes[(at + 1)..<end].split(separator: 0x2E, omittingEmptySubsequences: false)
      guard start < at, labels.count > 1, labels.allSatisfy({ !$0.isEmpty }),
        let last = labels.last, last.count > 1, last.allSatisfy(\.isASCIILetter)
      else { continue }
      matches.append(PersonalDataMatch(kind: .email, bytes: start..<end))
    }
    return matches
  }

  // MARK: Names

  private static func words(of text: String) -> [(text: String, bytes: Range<Int>)] {
    var words: [(text: String, bytes: Range<Int>)] = []
    var place = 0
    var current = ""
    var start = 0
    for character in text {
      if character.isLetter || (character == "'" && !current.isEmpty) {
        if current.isEmpty { start = place }
        current.append(character)
      } else if !current.isEmpty {
        words.append((current.lowercased(), start..<place))
        current = ""
      }
      place += character.utf8.count
    }
    if !current.isEmpty { words.append((current.lowercased(), start..<place)) }
    return words
  }

  private func nameMatches(in text: String) -> [PersonalDataMatch] {
    let words = Self.words(of: text)
    var matches: [PersonalDataMatch] = []
    for index in words.indices {
      guard let candidates = names[words[index].text] else { continue }
      for name in candidates where index + name.count <= words.count {
        let window = words[index..<index + name.count]
        guard window.map(\.text) == name, let last = window.last else { continue }
        matches.append(
          PersonalDataMatch(
            kind: .name, bytes: words[index].bytes.lowerBound..<last.bytes.upperBound))
        break
      }
    }
    return matches
  }
}

extension UInt8 {
  var isASCIIDigit: Bool { self >= 0x30 && self <= 0x39 }
  var isASCIILetter: Bool { (self | 0x20) >= 0x61 && (self | 0x20) <= 0x7A }
  var isASCIIAlphanumeric: Bool { isASCIIDigit || isASCIILetter }
}
