import Rollouts

/// A table of words that stand for each other in different groups: `{"male": "he", "female": "she"}` a row.
///
/// Two texts are counterfactual to each other where they are the same but for these words. Words are compared without
/// regard to case and as whole words; what is put in keeps the capitals of what was there.
public struct WordExchange: Sendable {
  /// The groups, in the order of the table's columns.
  public let groups: [String]
  /// The words of each entry by group.
  private let entries: [[String]]
  /// Where a word stands: the first entry that has it, and its groups.
  private let places: [String: (entry: Int, groups: Set<Int>)]
  /// Entries that share a word are one class.
  private let classes: [Int]

  /// An exchange of rows of words by group.
  /// - Throws: `AuditError` where a row lacks a group's word, or there are fewer than two groups.
  public init(_ rows: [JSONObject], name: String) throws(AuditError) {
    groups = rows.first?.keys ?? []
    guard groups.count > 1 else {
      throw AuditError(
        "\(name): a row of words needs a column for each group, such as {\"male\": \"he\", "
          + "\"female\": \"she\"}")
    }
    var entries: [[String]] = []
    var places: [String: (entry: Int, groups: Set<Int>)] = [:]
    var classes = Array(rows.indices)
    for (number, row) in rows.enumerated() {
      var words: [String] = []
      for (index, group) in groups.enumerated() {
        guard let word = row[group]?.string, !word.isEmpty else {
          throw AuditError("\(name): row \(number + 1) has no word for '\(group)'")
        }
        words.append(word)
        let key = word.lowercased()
        if let place = places[key] {
          // 'her' is both 'him' and 'his': the entries count as one.
          let (old, new) = (classes[number], classes[place.entry])
          classes = classes.map { $0 == old ? new : $0 }
          places[key]?.groups.insert(index)
        } else {
          places[key] = (number, [index])
        }
      }
      entries.append(words)
    }
    (self.entries, self.places, self.classes) = (entries, places, classes)
  }

  /// A text with its words of the table left open, and the group that they belong to.
  ///
  /// - Returns: nil where the text has no such word, or words of different groups.
  public func form(of text: String) -> (form: String, group: Int)? {
    var candidates: Set<Int>?
    var form = ""
    for piece in Self.pieces(of: text) {
      guard piece.isWord, let place = places[piece.text.lowercased()] else {
        form += piece.text
        continue
      }
      candidates = candidates?.intersection(place.groups) ?? place.groups
      form += "\u{0}\(classes[place.entry])\u{0}"
    }
    guard let candidates, candidates.count == 1, let group = candidates.first else { return nil }
    return (form, group)
  }

  /// A text with its words of the table replaced by a group's; nil where it has none.
  public func text(_ text: String, asOf group: Int) -> String? {
    var found = false
    var result = ""
    for piece in Self.pieces(of: text) {
      guard piece.isWord, let place = places[piece.text.lowercased()] else {
        result += piece.text
        continue
      }
      found = true
      result +=
        place.groups.contains(group)
        ? piece.text : Self.cased(entries[place.entry][group], like: piece.text)
    }
    return found ? result : nil
  }

  private static func pieces(of text: String) -> [(text: String, isWord: Bool)] {
    var pieces: [(text: String, isWord: Bool)] = []
    var current = ""
    var isWord = false
    for character in text {
      let belongs = character.isLetter || character.isNumber
      if belongs != isWord, !current.isEmpty {
        pieces.append((current, isWord))
        current = ""
      }
      isWord = belongs
      current.append(character)
    }
    if !current.isEmpty { pieces.append((current, isWord)) }
    return pieces
  }

  private static func cased(_ word: String, like model: String) -> String {
    guard let first = model.first, first.isUppercase else { return word }
    let isAllUpper = model.count > 1 && model.allSatisfy { $0.isUppercase || !$0.isLetter }
    return isAllUpper ? word.uppercased() : word.prefix(1).uppercased() + word.dropFirst()
  }
}

/// What is wrong with what an audit was given, as a sentence.
public struct AuditError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What is wrong, and what to do.
  public var description: String

  /// An error that says so.
  public init(_ description: String) { self.description = description }
}
