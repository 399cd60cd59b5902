import Foundation
import Rollouts

/// One step of rewriting text before it is cut into words.
enum Normalizer: Sendable {
  case form(NormalizationForm)
  case lowercase
  case replace(TextPattern, [UInt8])
  case prepend([UInt8])
  case strip(left: Bool, right: Bool)
  case stripAccents
  case byteLevel

  /// Reads a component and appends its steps.
  static func read(
    _ reader: ComponentReader, into steps: inout [Normalizer], depth: Int = 0
  ) throws(TokenizerError) {
    guard depth < 16 else { throw reader.fault("sequences nested too deep") }
    let type = try reader.type()
    switch type {
    case "Sequence":
      for element in try reader.list("normalizers") {
        try read(element, into: &steps, depth: depth + 1)
      }
    case "NFC", "NFD", "NFKC", "NFKD":
      if let form = NormalizationForm(rawValue: type) { steps.append(.form(form)) }
    case "Lowercase": steps.append(.lowercase)
    case "StripAccents": steps.append(.stripAccents)
    case "ByteLevel": steps.append(.byteLevel)
    case "Replace":
      let pattern = try reader.pattern("pattern")
      if case .literal(let text) = pattern, text.isEmpty {
        throw reader.fault("the text to replace is empty")
      }
      steps.append(.replace(pattern, Array(try reader.string("content").utf8)))
    case "Prepend": steps.append(.prepend(Array(try reader.string("prepend").utf8)))
    case "Strip":
      steps.append(
        .strip(
          left: try reader.bool("strip_left", default: true),
          right: try reader.bool("strip_right", default: true)))
    default: throw reader.unsupported("normalizer", type)
    }
  }

  /// How many times longer a text may become, apart from a few compatibility characters.
  var growth: Int {
    switch self {
    case .replace(.literal(let text), let content): 1 + (content.count - 1) / max(text.count, 1)
    case .replace(_, let content): 1 + content.count
    // A text is cut at added tokens first, and each of the pieces may be a byte.
    case .prepend(let text): 1 + text.count
    case .byteLevel: 2
    case .form, .lowercase: 3
    case .strip, .stripAccents: 1
    }
  }

  /// The component's name in files.
  var name: String {
    switch self {
    case .form(let form): form.rawValue
    case .lowercase: "Lowercase"
    case .replace: "Replace"
    case .prepend: "Prepend"
    case .strip: "Strip"
    case .stripAccents: "StripAccents"
    case .byteLevel: "ByteLevel"
    }
  }

  /// How long a text of a step at most is afterwards.
  func lengthBound(_ bytes: UTF8Bytes) -> Int {
    guard case .replace(let pattern, let content) = self else { return bytes.count * growth }
    var length = bytes.count
    pattern.forEachMatch(in: bytes) { length += content.count - $0.count }
    return length
  }

  /// The text after the step; nil where it is unchanged.
  func normalized(_ bytes: UTF8Bytes) -> [UInt8]? {
    switch self {
    case .form(let form): return form.normalized(bytes)
    case .lowercase: return Self.lowercased(bytes)
    case .replace(let pattern, let content): return pattern.replacing(in: bytes, with: content)
    case .prepend(let text): return bytes.isEmpty ? nil : text + Array(bytes)
    case .strip(let left, let right): return Self.stripped(bytes, left: left, right: right)
    case .stripAccents:
      return Self.mark.replacing(in: bytes, with: [])
    case .byteLevel:
      var text: [UInt8] = []
      ByteLevelAlphabet.spell(bytes, into: &text)
      return text
    }
  }

  /// A combining mark; the reference library's table of them is that of Unicode 9.
  private static let mark = TextPattern.scalar { value, properties in
    guard (5...7).contains(properties.category), value != 0x111C9,
      let scalar = Unicode.Scalar(value)
    else { return value == 0x1CF2 || value == 0x1CF3 }
    return (scalar.properties.age?.major ?? 0) <= 9
  }

  /// How many bytes at the start of the result stem from the original's first character, given how
  /// many of the step's text do: what the reference library's alignments say.
  func firstCharacterReach(_ reach: Int, in bytes: UTF8Bytes, result: UTF8Bytes) -> Int {
    guard reach > 0, !result.isEmpty else { return 0 }
    switch self {
    case .prepend(let text): return text.count + reach
    case .replace(let pattern, let content):
      return Self.reach(reach, in: bytes, replacing: pattern, with: content)
    case .stripAccents: return Self.reach(reach, in: bytes, replacing: Self.mark, with: [])
    case .strip(let left, _):
      let rest = Self.stripped(bytes, left: left, right: false)
      return max(reach - (bytes.count - rest.count), 0)
    case .form, .lowercase, .byteLevel:
      let count = normalized(bytes.slice(0..<reach))?.count ?? reach
      return min(max(count, result.scalar(at: 0).length), result.count)
    }
  }

  private static func reach(
    _ reach: Int, in bytes: UTF8Bytes, replacing pattern: TextPattern, with content: [UInt8]
  ) -> Int {
    var result = 0
    var position = 0
    pattern.forEachMatch(in: bytes) { match in
      guard position < reach else { return }
      result += min(match.lowerBound, reach) - position
      position = match.upperBound
      // What is put in belongs to the last character that was taken out.
      if !content.isEmpty, match.upperBound <= reach { result += content.count }
    }
    return result + max(reach - position, 0)
  }

  /// Scalar by scalar, without the context that Swift's `lowercased()` looks at (final sigma).
  private static func lowercased(_ bytes: UTF8Bytes) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    var index = 0
    while index < bytes.count {
      let (value, length) = bytes.scalar(at: index)
      if value < 0x80 {
        result.append(UInt8(value) | (UInt8(value) &- 0x41 < 26 ? 0x20 : 0))
      } else if let scalar = Unicode.Scalar(value) {
        result.append(contentsOf: scalar.properties.lowercaseMapping.utf8)
      }
      index += length
    }
    return result
  }

  private static func stripped(_ bytes: UTF8Bytes, left: Bool, right: Bool) -> [UInt8] {
    let table = ScalarProperties.Table.shared
    var start = 0
    var end = bytes.count
    while left, start < end, case let (value, length) = bytes.scalar(at: start),
      table[value].isSpace
    {
      start += length
    }
    while right, end > start, case let last = bytes.index(before: end),
      table[bytes.scalar(at: last).value].isSpace
    {
      end = last
    }
    return Array(bytes[start..<end])
  }
}

extension [Normalizer] {
  /// The step that would make a text longer than a limit, if one does.
  func firstBeyond(_ limit: Int, for bytes: UTF8Bytes) -> Normalizer? {
    // Nearly every text is so short that no step need be taken to know.
    guard reduce(bytes.count, { $0 * $1.growth }) > limit else { return nil }
    var text = [UInt8](bytes)
    for step in self {
      let isBeyond = text.withUnsafeBufferPointer { step.lengthBound($0) > limit }
      if isBeyond { return step }
      text = text.withUnsafeBufferPointer { step.normalized($0) } ?? text
    }
    return nil
  }

  /// How many bytes at the start of a normalized text stem from the text's first character; none
  /// where that was taken out.
  func firstCharacterReach(_ bytes: UTF8Bytes) -> Int {
    guard !bytes.isEmpty else { return 0 }
    var text = [UInt8](bytes)
    var reach = bytes.scalar(at: 0).length
    for step in self {
      guard let result = text.withUnsafeBufferPointer({ step.normalized($0) }) else { continue }
      reach = text.withUnsafeBufferPointer { bytes in
        result.withUnsafeBufferPointer {
          step.firstCharacterReach(reach, in: bytes, result: $0)
        }
      }
      text = result
    }
    return reach
  }

  /// Applies the steps in order and lends the result.
  func withNormalized<Result>(
    _ bytes: UTF8Bytes, _ body: (UTF8Bytes) -> Result
  ) -> Result {
    var text: [UInt8]?
    for step in self {
      if let current = text {
        text = current.withUnsafeBufferPointer { step.normalized($0) } ?? current
      } else {
        text = step.normalized(bytes)
      }
    }
    return text.map { $0.withUnsafeBufferPointer(body) } ?? body(bytes)
  }
}
