import Rollouts

/// Reads a vocabulary and its merges straight from a file's bytes.
struct VocabularyReader {
  let file: String
  /// The members' places for errors: "model." in `tokenizer.json`, empty in `vocab.json`.
  let prefix: String

  /// SentencePiece's sign for a space, "▁".
  static let wordStart: [UInt8] = [0xE2, 0x96, 0x81]

  private func fault(
    _ place: String, _ reason: String, remedy: String? = nil
  ) -> TokenizerError {
    TokenizerError(file: file, place: prefix + place, reason: reason, remedy: remedy)
  }

  private func fault(_ place: String, _ error: JSONError) -> TokenizerError {
    fault(place, "\(error.reason) (line \(error.line), column \(error.column))")
  }

  /// Reads `{"token": id, …}`.
  func vocabulary(_ cursor: inout JSONCursor) throws(TokenizerError) -> Vocabulary {
    var vocabulary = Vocabulary()
    var failure: TokenizerError?
    do throws(JSONError) {
      try cursor.members { (token, cursor) throws(JSONError) in
        let id = try cursor.integer()
        let insertion = token.withBytes { vocabulary.insert($0, id: id) }
        if case .added = insertion { return }
        if failure == nil { failure = refusal(of: token.string, id: id, insertion, vocabulary) }
        throw cursor.fault("refused")
      }
    } catch {
      throw failure ?? fault("vocab", error)
    }
    guard vocabulary.count > 0 else { throw fault("vocab", "the vocabulary is empty") }
    return vocabulary
  }

  private func refusal(
    of token: String, id: Int, _ insertion: Vocabulary.Insertion, _ vocabulary: Vocabulary
  ) -> TokenizerError {
    switch insertion {
    case .idOutOfRange:
      fault("vocab", "token \"\(token)\" has id \(id); ids run from 0 to \(Vocabulary.idLimit - 1)")
    case .duplicateID:
      fault(
        "vocab",
        "id \(id) belongs to both \"\(Self.name(of: id, in: vocabulary))\" and \"\(token)\"")
    default: fault("vocab", "token \"\(token)\" stands twice")
    }
  }

  static func name(of id: Int, in vocabulary: Vocabulary) -> String {
    String(decoding: vocabulary.content(of: TokenID(truncatingIfNeeded: id)) ?? [], as: UTF8.self)
  }

  /// What merges come to beside their table.
  struct Merges {
    var table: MergeTable
    /// Whether no merge puts "▁" after anything but "▁": text may then be cut before it.
    var keepsWordStarts = true
  }

  /// Reads `["a b", …]` or `[["a", "b"], …]`.
  func merges(
    _ cursor: inout JSONCursor, _ vocabulary: Vocabulary, continuingPrefix: [UInt8]
  ) throws(TokenizerError) -> Merges {
    var builder = MergeBuilder(vocabulary: vocabulary, continuingPrefix: continuingPrefix)
    var failure: TokenizerError?
    do throws(JSONError) {
      try cursor.elements { (cursor) throws(JSONError) in
        let number = builder.rank
        let problem: MergeBuilder.Problem?
        if cursor.peek() == UInt8(ascii: "[") {
          try cursor.expect(UInt8(ascii: "["))
          let left = try cursor.text()
          try cursor.expect(UInt8(ascii: ","))
          let right = try cursor.text()
          try cursor.expect(UInt8(ascii: "]"))
          problem = left.withBytes { left in right.withBytes { builder.add(left, $0) } }
        } else {
          problem = try cursor.text().withBytes { builder.add(line: $0) }
        }
        guard let problem else { return }
        failure = fault("merges[\(number)]", problem.reason, remedy: problem.remedy)
        throw cursor.fault("refused")
      }
    } catch {
      throw failure ?? fault("merges", error)
    }
    return builder.merges
  }

  /// Reads the lines of `merges.txt`.
  func merges(
    text: UTF8Bytes, _ vocabulary: Vocabulary
  ) throws(TokenizerError) -> Merges {
    var builder = MergeBuilder(vocabulary: vocabulary, continuingPrefix: [])
    var number = 0
    for line in text.split(separator: 0x0A, omittingEmptySubsequences: false) {
      number += 1
      var line = UTF8Bytes(rebasing: line)
      if line.last == 0x0D { line = line.slice(0..<line.count - 1) }
      if line.isEmpty || line.starts(with: Array("#version".utf8)) { continue }
      if let problem = builder.add(line: line) {
        throw fault("line \(number)", problem.reason, remedy: problem.remedy)
      }
    }
    return builder.merges
  }
}

/// Turns pairs of tokens into merges by rank.
private struct MergeBuilder {
  let vocabulary: Vocabulary
  let continuingPrefix: [UInt8]
  private(set) var merges = VocabularyReader.Merges(table: MergeTable(capacity: 1 << 17))
  private(set) var rank = 0
  private var product: [UInt8] = []

  init(vocabulary: Vocabulary, continuingPrefix: [UInt8]) {
    self.vocabulary = vocabulary
    self.continuingPrefix = continuingPrefix
  }

  /// Why a merge can't be used.
  struct Problem {
    var reason: String
    var remedy: String?
  }

  /// Adds a merge written as two tokens with a space between; nil where all is well.
  mutating func add(line: UTF8Bytes) -> Problem? {
    guard let space = line.firstIndex(of: 0x20), line[(space + 1)...].firstIndex(of: 0x20) == nil
    else {
      return Problem(
        reason: "expected two tokens with one space between, found \"\(Self.text(line))\"")
    }
    return add(line.slice(0..<space), line.slice(space + 1..<line.count))
  }

  /// Adds a merge of two tokens; nil where all is well.
  mutating func add(_ left: UTF8Bytes, _ right: UTF8Bytes) -> Problem? {
    guard !left.isEmpty, !right.isEmpty else {
      return Problem(reason: "a merge with an empty token would never end")
    }
    guard let leftID = vocabulary.id(of: left) else { return Self.missing(left) }
    guard let rightID = vocabulary.id(of: right) else { return Self.missing(right) }
    guard right.count >= continuingPrefix.count else {
      return Problem(
        reason: "\"\(Self.text(right))\" is shorter than the prefix of continuing subwords")
    }
    product.removeAll(keepingCapacity: true)
    product.append(contentsOf: left)
    product.append(contentsOf: right[continuingPrefix.count...])
    guard let productID = vocabulary.id(of: product) else {
      return product.withUnsafeBufferPointer { Self.missing($0) }
    }
    merges.table.insert(
      leftID, rightID, MergeTable.Merge(rank: UInt32(rank), product: productID))
    if merges.keepsWordStarts, Self.hasInnerWordStart(product) { merges.keepsWordStarts = false }
    rank += 1
    return nil
  }

  private static func missing(_ token: UTF8Bytes) -> Problem {
    Problem(
      reason: "\"\(text(token))\" is not in the vocabulary",
      remedy: "vocabulary and merges must be of the same tokenizer")
  }

  private static func text(_ bytes: UTF8Bytes) -> String {
    String(String(decoding: bytes, as: UTF8.self).prefix(60))
  }

  private static func hasInnerWordStart(_ token: [UInt8]) -> Bool {
    let sign = VocabularyReader.wordStart
    var index = 1
    while index + 3 <= token.count {
      if token[index] == sign[0], token[index + 1] == sign[1], token[index + 2] == sign[2],
        index < 3 || !token[index - 3..<index].elementsEqual(sign)
      {
        return true
      }
      index += 1
    }
    return false
  }
}
