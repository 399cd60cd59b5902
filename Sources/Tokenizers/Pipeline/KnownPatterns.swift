/// The pre-tokenization patterns of the large model families, scanned by hand.
///
/// Each is the exact meaning of its regular expression, alternative by alternative, for speed; the
/// general engine gives the same cuts (a test compares them).
enum KnownPattern: Sendable, Equatable {
  /// GPT-2: contractions, ` ?\p{L}+`, ` ?\p{N}+`, ` ?[^\s\p{L}\p{N}]+`, white space.
  case gpt2
  /// cl100k and its kin (Llama 3: up to 3 digits together; Qwen: 1).
  case cl100k(digits: Int)

  /// The text of GPT-2's pattern.
  static let gpt2Source =
    #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

  /// The text of cl100k's pattern with a word for its digits.
  static func cl100kSource(digits: String) -> String {
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"# + digits
      + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  }

  /// The pattern whose text this is; nil for any other.
  init?(source: String) {
    switch source {
    case Self.gpt2Source: self = .gpt2
    case Self.cl100kSource(digits: #"\p{N}{1,3}"#): self = .cl100k(digits: 3)
    case Self.cl100kSource(digits: #"\p{N}"#): self = .cl100k(digits: 1)
    default: return nil
    }
  }

  /// Visits the matches in order; together they cover the text.
  @inline(__always)
  func forEachMatch(in bytes: UTF8Bytes, _ body: (Range<Int>) -> Void) {
    let table = ScalarProperties.Table.shared
    var start = 0
    while start < bytes.count {
      let end =
        switch self {
        case .gpt2: Self.gpt2End(bytes, start, table)
        case .cl100k(let digits): Self.cl100kEnd(bytes, start, digits, table)
        }
      body(start..<end)
      start = end
    }
  }

  private typealias Table = ScalarProperties.Table

  private static func gpt2End(_ bytes: UTF8Bytes, _ start: Int, _ table: Table) -> Int {
    if let end = contractionEnd(bytes, start, ignoringCase: false) { return end }
    var index = start
    if bytes[start] == 0x20, start + 1 < bytes.count { index += 1 }
    let (value, length) = bytes.scalar(at: index)
    let properties = table[value]
    if properties.isSpace { return spaceEnd(bytes, start, table) }
    let kind = properties.bits & (ScalarProperties.letter | ScalarProperties.number)
    index += length
    while index < bytes.count {
      let (value, length) = bytes.scalar(at: index)
      let next = table[value]
      if next.isSpace || next.bits & (ScalarProperties.letter | ScalarProperties.number) != kind {
        break
      }
      index += length
    }
    return index
  }

  private static func cl100kEnd(
    _ bytes: UTF8Bytes, _ start: Int, _ digits: Int, _ table: Table
  ) -> Int {
    if let end = contractionEnd(bytes, start, ignoringCase: true) { return end }
    let (value, length) = bytes.scalar(at: start)
    let first = table[value]
    var index = start + length
    if first.isLetter { return lettersEnd(bytes, index, table) }
    if first.isNumber {
      var count = 1
      while count < digits, index < bytes.count, case let (value, length) = bytes.scalar(at: index),
        table[value].isNumber
      {
        count += 1
        index += length
      }
      return index
    }
    if index < bytes.count {
      let next = table[bytes.scalar(at: index).value]
      if next.isLetter, first.bits & ScalarProperties.lineBreak == 0 {
        return lettersEnd(bytes, index, table)
      }
      if first.isSpace, value != 0x20 || next.isSpace || next.isNumber {
        return breaksOrSpaceEnd(bytes, start, table)
      }
    } else if first.isSpace {
      return breaksOrSpaceEnd(bytes, start, table)
    }
    // ` ?[^\s\p{L}\p{N}]+[\r\n]*`
    let others = ScalarProperties.letter | ScalarProperties.number | ScalarProperties.space
    while index < bytes.count, case let (value, length) = bytes.scalar(at: index),
      table[value].bits & others == 0
    {
      index += length
    }
    while index < bytes.count, bytes[index] == 0x0A || bytes[index] == 0x0D { index += 1 }
    return index
  }

  @inline(__always)
  private static func lettersEnd(_ bytes: UTF8Bytes, _ start: Int, _ table: Table) -> Int {
    var index = start
    while index < bytes.count {
      let byte = bytes[index]
      if byte < 0x80 {
        guard (byte | 0x20) &- 0x61 < 26 else { break }
        index += 1
      } else {
        let (value, length) = bytes.scalar(at: index)
        guard table[value].isLetter else { break }
        index += length
      }
    }
    return index
  }

  /// The end of `\s*[\r\n]+|\s+(?!\S)|\s+`.
  private static func breaksOrSpaceEnd(_ bytes: UTF8Bytes, _ start: Int, _ table: Table) -> Int {
    var index = start
    var afterBreak = -1
    while index < bytes.count, case let (value, length) = bytes.scalar(at: index),
      table[value].isSpace
    {
      index += length
      if value == 0x0A || value == 0x0D { afterBreak = index }
    }
    return afterBreak >= 0 ? afterBreak : spaceEnd(bytes, start, runEnd: index)
  }

  /// The end of `\s+(?!\S)|\s+`.
  private static func spaceEnd(_ bytes: UTF8Bytes, _ start: Int, _ table: Table) -> Int {
    var index = start
    while index < bytes.count, case let (value, length) = bytes.scalar(at: index),
      table[value].isSpace
    {
      index += length
    }
    return spaceEnd(bytes, start, runEnd: index)
  }

  /// A run that text follows leaves its last character to that text, unless it is the only one.
  private static func spaceEnd(_ bytes: UTF8Bytes, _ start: Int, runEnd: Int) -> Int {
    guard runEnd < bytes.count else { return runEnd }
    let last = bytes.index(before: runEnd)
    return last > start ? last : runEnd
  }

  /// The end of `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll` or `'d` where one starts here.
  @inline(__always)
  private static func contractionEnd(
    _ bytes: UTF8Bytes, _ start: Int, ignoringCase: Bool
  ) -> Int? {
    guard bytes[start] == UInt8(ascii: "'"), start + 1 < bytes.count else { return nil }
    let mask: UInt8 = ignoringCase ? 0x20 : 0
    let first = bytes[start + 1]
    switch first | mask {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"):
      return start + 2
    default: break
    }
    guard start + 2 < bytes.count else { return nil }
    let second = bytes[start + 2]
    switch (first | mask, second | mask) {
    case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
      (UInt8(ascii: "l"), UInt8(ascii: "l")):
      return start + 3
    default:
      // U+017F, the long s, is an s in another case.
      return ignoringCase && first == 0xC5 && second == 0xBF ? start + 3 : nil
    }
  }
}
