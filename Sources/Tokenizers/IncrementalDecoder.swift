import Rollouts

/// Decodes tokens one by one; what it gives, joined, is what decoding all at once gives.
///
/// Text comes out in whole characters (Unicode scalars): bytes that may yet become one are held
/// back, as is a run of byte tokens until a token of another kind or the end.
public struct IncrementalDecoder: Sendable {
  private let encoder: TextEncoder
  private let skippedIDs: Set<TokenID>
  private var stream: DecoderStream
  /// Without a decoder in its file, a tokenizer's tokens are joined by spaces.
  private let joinsBySpaces: Bool
  private var isAtStart = true
  private var text: [UInt8] = []

  init(encoder: TextEncoder, steps: [Decoder]?, skippedIDs: Set<TokenID>) {
    self.encoder = encoder
    self.skippedIDs = skippedIDs
    stream = DecoderStream(steps ?? [])
    joinsBySpaces = steps == nil
  }

  /// Takes the next token and gives the text that is settled now, possibly none.
  public mutating func append(_ id: TokenID) -> String {
    guard !skippedIDs.contains(id) else { return "" }
    text.removeAll(keepingCapacity: true)
    let isToken = encoder.withSpelling(of: id) { content in
      if joinsBySpaces, !isAtStart { text.append(0x20) }
      stream.push(content, into: &text)
      return true
    }
    if isToken == true { isAtStart = false }
    return String(decoding: text, as: UTF8.self)
  }

  /// Ends the sequence and gives the rest of the text.
  public mutating func finish() -> String {
    text.removeAll(keepingCapacity: true)
    stream.finish(into: &text)
    return String(decoding: text, as: UTF8.self)
  }
}
