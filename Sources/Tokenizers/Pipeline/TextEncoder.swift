import Rollouts
import Synchronization

/// The whole way from text to tokens: added tokens, normalizers, words, the model, special tokens.
///
/// A class, so that handing a tokenizer around copies one reference.
final class TextEncoder: Sendable {
  let model: BytePairModel
  private let normalizers: [Normalizer]
  private let preTokenizers: [PreTokenizer]
  private let postProcessor: PostProcessor
  private let cutsAtWordStarts: Bool
  private let rawTokens: AddedTokenMatcher
  /// Whether a step asks if a piece starts where the text does, which normalizers may change.
  private let asksForStart: Bool
  private let normalizedTokens: AddedTokenMatcher
  /// How the added tokens that are looked for in normalized text are spelt there, where that differs
  /// from their content: decoding gives this spelling, as the reference library does.
  let normalizedSpellings: [TokenID: [UInt8]]
  /// Buffers and word cache, used by whoever finds them free.
  private let sharedScratch = Mutex(BytePairModel.Scratch())

  init(_ description: TokenizerDescription) {
    model = description.model
    normalizers = description.normalizers
    preTokenizers = description.preTokenizers
    postProcessor = description.postProcessor
    cutsAtWordStarts = description.cutsAtWordStarts
    asksForStart = preTokenizers.contains {
      if case .metaspace(_, .first, _) = $0 { true } else { false }
    }
    var raw = AddedTokenMatcher()
    var normalized = AddedTokenMatcher()
    var spellings: [TokenID: [UInt8]] = [:]
    for token in description.addedTokens {
      guard token.isNormalized else {
        raw.insert(token, spelt: token.content)
        continue
      }
      let text = token.content.withUnsafeBufferPointer { content in
        description.normalizers.withNormalized(content) { Array($0) }
      }
      normalized.insert(token, spelt: text)
      if text != token.content { spellings[TokenID(bitPattern: token.id)] = text }
    }
    normalizedSpellings = spellings
    rawTokens = raw
    normalizedTokens = normalized
  }

  /// The normalizer that would make a text longer than 16 MiB and eight times its length.
  func excessiveNormalizer(for text: String) -> Normalizer? {
    var text = text
    return text.withUTF8 { normalizers.firstBeyond(16 << 20 + 8 * $0.count, for: $0) }
  }

  /// The tokens of a text, surrounded by the post-processor's where asked for.
  func encode(_ text: String, addSpecialTokens: Bool) -> [TokenID] {
    let ids = sharedScratch.withLockIfAvailable { encode(text, addSpecialTokens, &$0) }
    if let ids { return ids }
    var scratch = BytePairModel.Scratch()
    return encode(text, addSpecialTokens, &scratch)
  }

  /// Lends what decoding makes text of; nil for an id without a token.
  @inline(__always)
  func withSpelling<Result>(of id: TokenID, _ body: (UTF8Bytes) -> Result) -> Result? {
    if !normalizedSpellings.isEmpty, let spelling = normalizedSpellings[id] {
      return spelling.withUnsafeBufferPointer(body)
    }
    return model.vocabulary.withContent(of: id, body)
  }

  private func encode(
    _ text: String, _ addSpecialTokens: Bool, _ scratch: inout BytePairModel.Scratch
  ) -> [TokenID] {
    var output: [TokenID] = addSpecialTokens ? postProcessor.before : []
    var text = text
    text.withUTF8 { bytes in
      output.reserveCapacity(output.count + bytes.count / 3 + 2)
      rawTokens.forEachPiece(in: bytes) { piece in
        switch piece {
        case .token(let id): output.append(TokenID(bitPattern: id))
        case .text(let range):
          encodePiece(
            bytes.slice(range), isFirst: range.lowerBound == 0, into: &output, &scratch)
        }
      }
    }
    if addSpecialTokens { output.append(contentsOf: postProcessor.after) }
    return output
  }

  private func encodePiece(
    _ bytes: UTF8Bytes, isFirst: Bool, into output: inout [TokenID],
    _ scratch: inout BytePairModel.Scratch
  ) {
    let reach = isFirst && asksForStart ? normalizers.firstCharacterReach(bytes) : 1
    normalizers.withNormalized(bytes) { text in
      normalizedTokens.forEachPiece(in: text) { piece in
        switch piece {
        case .token(let id): output.append(TokenID(bitPattern: id))
        case .text(let range):
          encodeWords(
            of: text.slice(range), isFirst: isFirst && range.lowerBound < reach, into: &output,
            &scratch)
        }
      }
    }
  }

  private func encodeWords(
    of text: UTF8Bytes, isFirst: Bool, into output: inout [TokenID],
    _ scratch: inout BytePairModel.Scratch
  ) {
    if cutsAtWordStarts {
      return Self.forEachWordStart(in: text) { word in
        model.encode(word, into: &output, scratch: &scratch)
      }
    }
    PreTokenizer.cut(text, isFirst: isFirst, by: preTokenizers[...]) { word in
      model.encode(word, into: &output, scratch: &scratch)
    }
  }

  /// Cuts before each "▁" that follows something else.
  private static func forEachWordStart(in text: UTF8Bytes, _ body: (UTF8Bytes) -> Void) {
    let sign = VocabularyReader.wordStart
    var start = 0
    var index = 0
    var afterSign = true
    while index < text.count {
      if text[index] == sign[0], text.matches(sign, at: index) {
        if !afterSign {
          body(text.slice(start..<index))
          start = index
        }
        afterSign = true
        index += 3
      } else {
        afterSign = false
        index += 1
      }
    }
    if start < text.count { body(text.slice(start..<text.count)) }
  }
}
