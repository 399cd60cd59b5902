import Rollouts

/// One step of turning tokens' contents back into text.
///
/// Every step works as a stream: pieces in, pieces out, and what is held back comes at the end. So
/// decoding at once and decoding token by token are one computation.
enum Decoder: Sendable {
  case byteLevel
  case replace(TextPattern, [UInt8])
  case byteFallback
  case fuse
  case strip(content: [UInt8], start: Int, stop: Int)
  case metaspace(replacement: [UInt8], dropsFirst: Bool)
  case wordSuffix([UInt8])

  /// Reads a component and appends its steps.
  static func read(
    _ reader: ComponentReader, into steps: inout [Decoder], depth: Int = 0
  ) throws(TokenizerError) {
    guard depth < 16 else { throw reader.fault("sequences nested too deep") }
    let type = try reader.type()
    switch type {
    case "Sequence":
      for element in try reader.list("decoders") {
        try read(element, into: &steps, depth: depth + 1)
      }
    case "ByteLevel": steps.append(.byteLevel)
    case "ByteFallback": steps.append(.byteFallback)
    case "Fuse": steps.append(.fuse)
    case "Replace":
      steps.append(
        .replace(try reader.pattern("pattern"), Array(try reader.string("content").utf8)))
    case "Strip":
      let content = try reader.string("content")
      guard content.unicodeScalars.count == 1 else {
        throw reader.fault("expected one character for \"content\"")
      }
      steps.append(
        .strip(
          content: Array(content.utf8), start: try reader.count("start", default: 0),
          stop: try reader.count("stop", default: 0)))
    case "Metaspace":
      let settings = try MetaspaceSettings(reader)
      steps.append(
        .metaspace(replacement: settings.replacement, dropsFirst: settings.scheme != .never))
    case "BPEDecoder":
      let suffix = reader.value["suffix"] == nil ? "</w>" : try reader.string("suffix")
      steps.append(.wordSuffix(Array(suffix.utf8)))
    default: throw reader.unsupported("decoder", type)
    }
  }
}

extension Decoder {
  /// How many times longer a text may become.
  var growth: Int {
    switch self {
    case .replace(.literal(let text), let content): 1 + content.count / max(text.count, 1)
    case .replace(_, let content): 1 + content.count
    case .byteFallback: 3
    default: 1
    }
  }
}

/// A decoder at work on one sequence of tokens.
struct DecoderStream: Sendable {
  private var stages: [Stage]

  /// What a step has seen so far.
  private struct Stage: Sendable {
    let step: Decoder
    /// Bytes held back: an unfinished character, a run of byte tokens, a tail that may be stripped.
    var held: [UInt8] = []
    /// Whether no piece has come yet.
    var isAtStart = true
    /// How many characters the strip at the start may still take.
    var stripsLeft = 0
    /// A whole piece held back until it is known not to be the last.
    var lastPiece: [UInt8]?
    /// Whether the pieces that come are parts of one fused piece.
    let isFused: Bool
  }

  /// Makes a stream; without steps the tokens are joined by spaces.
  init(_ steps: [Decoder]) {
    var isFused = false
    stages = steps.map { step in
      var stage = Stage(step: step, isFused: isFused)
      if case .strip(_, let start, _) = step { stage.stripsLeft = start }
      switch step {
      case .fuse, .byteLevel: isFused = true
      default: break
      }
      return stage
    }
  }

  /// Takes a token's content and appends the text that it settles.
  mutating func push(_ token: UTF8Bytes, into text: inout [UInt8]) {
    push(token, stage: 0, into: &text)
  }

  /// Appends what was held back.
  mutating func finish(into text: inout [UInt8]) {
    for index in stages.indices { finish(stage: index, into: &text) }
  }

  private mutating func push(_ piece: [UInt8], stage: Int, into text: inout [UInt8]) {
    piece.withUnsafeBufferPointer { push($0, stage: stage, into: &text) }
  }

  private mutating func push(_ piece: UTF8Bytes, stage index: Int, into text: inout [UInt8]) {
    guard index < stages.count else {
      text.append(contentsOf: piece)
      return
    }
    switch stages[index].step {
    case .fuse: push(piece, stage: index + 1, into: &text)
    case .replace(let pattern, let content):
      if stages[index].isFused {
        // A match may reach over pieces: the whole text is needed.
        stages[index].held.append(contentsOf: piece)
      } else {
        push(pattern.replacing(in: piece, with: content), stage: index + 1, into: &text)
      }
    case .byteLevel:
      ByteLevelAlphabet.unspell(piece, into: &stages[index].held)
      let settled = LossyUTF8.settledCount(stages[index].held)
      let decoded = LossyUTF8.decode(stages[index].held[..<settled])
      stages[index].held.removeSubrange(..<settled)
      if !decoded.isEmpty { push(decoded, stage: index + 1, into: &text) }
    case .byteFallback: pushByteFallback(piece, stage: index, into: &text)
    case .strip(let content, let start, let stop):
      pushStrip(piece, content, start, stop, stage: index, into: &text)
    case .metaspace(let replacement, let dropsFirst):
      let drops = dropsFirst && stages[index].isAtStart
      stages[index].isAtStart = false
      let pattern = TextPattern.literal(replacement)
      push(pattern.replacing(in: piece, with: drops ? [] : [0x20]), stage: index + 1, into: &text)
    case .wordSuffix(let suffix):
      let piece = Array(piece)
      if let last = stages[index].lastPiece {
        push(Self.replacing(suffix, in: last, with: [0x20]), stage: index + 1, into: &text)
      }
      stages[index].lastPiece = piece
    }
  }

  private static func replacing(_ suffix: [UInt8], in piece: [UInt8], with text: [UInt8]) -> [UInt8]
  {
    piece.withUnsafeBufferPointer { TextPattern.literal(suffix).replacing(in: $0, with: text) }
  }

  private mutating func finish(stage index: Int, into text: inout [UInt8]) {
    let held = stages[index].held
    stages[index].held = []
    switch stages[index].step {
    case .byteLevel:
      if !held.isEmpty { push(LossyUTF8.decode(held[...]), stage: index + 1, into: &text) }
    case .byteFallback: flushBytes(held, stage: index, into: &text)
    case .replace(let pattern, let content):
      guard stages[index].isFused else { return }
      let replaced = held.withUnsafeBufferPointer { pattern.replacing(in: $0, with: content) }
      push(replaced, stage: index + 1, into: &text)
    case .strip(let content, _, let stop):
      guard stages[index].isFused else { return }
      push(Self.stripped(held[...], content, atEnd: stop), stage: index + 1, into: &text)
    case .wordSuffix(let suffix):
      if let last = stages[index].lastPiece {
        push(Self.replacing(suffix, in: last, with: []), stage: index + 1, into: &text)
      }
    case .fuse, .metaspace: break
    }
  }

  // MARK: Byte tokens

  private mutating func pushByteFallback(
    _ piece: UTF8Bytes, stage index: Int, into text: inout [UInt8]
  ) {
    if let byte = ByteToken.byte(of: piece) {
      stages[index].held.append(byte)
      return
    }
    let held = stages[index].held
    stages[index].held = []
    flushBytes(held, stage: index, into: &text)
    push(piece, stage: index + 1, into: &text)
  }

  /// A run of byte tokens is text if the whole run is UTF-8; otherwise each byte is U+FFFD.
  private mutating func flushBytes(_ bytes: [UInt8], stage index: Int, into text: inout [UInt8]) {
    guard !bytes.isEmpty else { return }
    if String(validating: bytes, as: UTF8.self) != nil {
      push(bytes, stage: index + 1, into: &text)
    } else {
      for _ in bytes { push([0xEF, 0xBF, 0xBD], stage: index + 1, into: &text) }
    }
  }

  // MARK: Stripping

  private mutating func pushStrip(
    _ piece: UTF8Bytes, _ content: [UInt8], _ start: Int, _ stop: Int, stage index: Int,
    into text: inout [UInt8]
  ) {
    var left = stages[index].isFused ? stages[index].stripsLeft : start
    var offset = 0
    while left > 0, piece.matches(content, at: offset) {
      offset += content.count
      left -= 1
    }
    if offset < piece.count { left = 0 }
    stages[index].stripsLeft = left
    let rest = Array(piece[offset...])
    guard stages[index].isFused else {
      return push(Self.stripped(rest[...], content, atEnd: stop), stage: index + 1, into: &text)
    }
    // Of a fused text the last characters may yet turn out to be the end.
    stages[index].held.append(contentsOf: rest)
    let kept = Self.tailCount(stages[index].held, content, limit: stop)
    let settled = stages[index].held.count - kept
    let ready = Array(stages[index].held[..<settled])
    stages[index].held.removeSubrange(..<settled)
    if !ready.isEmpty { push(ready, stage: index + 1, into: &text) }
  }

  private static func stripped(
    _ piece: ArraySlice<UInt8>, _ content: [UInt8], atEnd stop: Int
  ) -> [UInt8] {
    Array(piece.dropLast(tailCount(Array(piece), content, limit: stop)))
  }

  /// How many bytes at the end are repeats of a character, at most so many.
  private static func tailCount(_ piece: [UInt8], _ content: [UInt8], limit: Int) -> Int {
    var count = 0
    while count < limit * content.count, piece.count - count >= content.count,
      piece[(piece.count - count - content.count)..<(piece.count - count)].elementsEqual(content)
    {
      count += content.count
    }
    return count
  }
}

/// Tokens such as `<0x0A>`, which stand for one byte.
enum ByteToken {
  /// The byte that a token stands for; nil for any other token.
  static func byte(of token: UTF8Bytes) -> UInt8? {
    guard token.count == 6, token[0] == UInt8(ascii: "<"), token[1] == UInt8(ascii: "0"),
      token[2] == UInt8(ascii: "x"), token[5] == UInt8(ascii: ">")
    else { return nil }
    // As the reference does, "+A" reads as ten.
    if token[3] == UInt8(ascii: "+") { return digit(token[4]) }
    guard let high = digit(token[3]), let low = digit(token[4]) else { return nil }
    return high << 4 | low
  }

  /// The token of a byte.
  static func content(of byte: Int) -> [UInt8] {
    let digits = String(byte, radix: 16, uppercase: true)
    return Array("<0x\(byte < 16 ? "0" : "")\(digits)>".utf8)
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x41 + 10
    case 0x61...0x66: byte - 0x61 + 10
    default: nil
    }
  }
}

/// Bytes that may not be UTF-8, read with U+FFFD for each maximal faulty part (Unicode §3.9, U+FFFD
/// substitution of maximal subparts), as Rust's `from_utf8_lossy` does.
enum LossyUTF8 {
  /// The well-formed reading of bytes.
  static func decode(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    Array(String(decoding: bytes, as: UTF8.self).utf8)
  }

  /// How many bytes at the front no further byte can change: all but an unfinished character.
  static func settledCount(_ bytes: [UInt8]) -> Int {
    var start = bytes.count
    while start > 0, bytes.count - start < 3, bytes[start - 1] & 0xC0 == 0x80 { start -= 1 }
    guard start > 0 else { return bytes.count }
    start -= 1
    let length = expectedLength(bytes[start])
    let present = bytes.count - start
    guard length > present, isPrefix(bytes[start...]) else { return bytes.count }
    return start
  }

  private static func expectedLength(_ first: UInt8) -> Int {
    switch first {
    case 0xC2...0xDF: 2
    case 0xE0...0xEF: 3
    case 0xF0...0xF4: 4
    default: 1
    }
  }

  /// Whether the bytes can be the beginning of a character: the second byte's range depends on the
  /// first (no overlong forms, no surrogates, nothing above U+10FFFF).
  private static func isPrefix(_ bytes: ArraySlice<UInt8>) -> Bool {
    guard let first = bytes.first, bytes.count > 1 else { return true }
    let second = bytes[bytes.startIndex + 1]
    switch first {
    case 0xE0: return second >= 0xA0
    case 0xED: return second < 0xA0
    case 0xF0: return second >= 0x90
    case 0xF4: return second < 0x90
    default: return true
    }
  }
}
