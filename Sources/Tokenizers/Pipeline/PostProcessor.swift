import Rollouts

/// The special tokens that surround an encoded text.
struct PostProcessor: Sendable {
  var before: [TokenID] = []
  var after: [TokenID] = []

  init() {}

  /// Reads a component; a sequence's tokens nest, the first component innermost.
  init(
    _ reader: ComponentReader, vocabularySize: Int, depth: Int = 0
  ) throws(TokenizerError) {
    guard depth < 16 else { throw reader.fault("sequences nested too deep") }
    let type = try reader.type()
    switch type {
    case "ByteLevel": break
    case "Sequence":
      for element in try reader.list("processors") {
        let inner = try PostProcessor(element, vocabularySize: vocabularySize, depth: depth + 1)
        before = inner.before + before
        after += inner.after
      }
    case "TemplateProcessing": try readTemplate(reader, vocabularySize)
    case "BertProcessing", "RobertaProcessing":
      before = [try pairedID(reader, "cls", vocabularySize)]
      after = [try pairedID(reader, "sep", vocabularySize)]
    default: throw reader.unsupported("post-processor", type)
    }
  }

  private mutating func readTemplate(
    _ reader: ComponentReader, _ vocabularySize: Int
  ) throws(TokenizerError) {
    var seenText = false
    for piece in try reader.list("single") {
      if piece.value["Sequence"] != nil {
        guard !seenText else { throw piece.fault("the text stands twice in the template") }
        seenText = true
        continue
      }
      guard let name = piece.value["SpecialToken"]?["id"]?.string else {
        throw piece.fault("expected {\"Sequence\": …} or {\"SpecialToken\": {\"id\": …}}")
      }
      guard let ids = reader.value["special_tokens"]?[name]?["ids"]?.array else {
        throw piece.fault("\"\(name)\" is not in the template's special_tokens")
      }
      for id in ids {
        let id = try Self.checked(id.integer, vocabularySize, piece)
        if seenText { after.append(id) } else { before.append(id) }
      }
    }
    guard seenText else { throw reader.fault("the template has no place for the text") }
  }

  private func pairedID(
    _ reader: ComponentReader, _ key: String, _ vocabularySize: Int
  ) throws(TokenizerError) -> TokenID {
    guard let pair = reader.value[key]?.array, pair.count == 2 else {
      throw reader.fault("expected [token, id] for \"\(key)\"")
    }
    return try Self.checked(pair[1].integer, vocabularySize, reader)
  }

  private static func checked(
    _ id: Int?, _ vocabularySize: Int, _ reader: ComponentReader
  ) throws(TokenizerError) -> TokenID {
    guard let id, (0..<vocabularySize).contains(id) else {
      throw reader.fault("expected a token id from 0 to \(vocabularySize - 1)")
    }
    return TokenID(id)
  }
}
