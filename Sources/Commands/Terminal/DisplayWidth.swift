/// How many columns of a terminal a character takes.
enum DisplayWidth {
  /// The columns of a character as its terminal draws it: 0, 1 or 2.
  ///
  /// Wide are the East Asian Wide and Fullwidth blocks (Unicode Standard Annex 11) and characters
  /// with emoji presentation; combining marks and joiners are part of their base character.
  static func columns(of character: Character) -> Int {
    guard let first = character.unicodeScalars.first else { return 0 }
    if first.isASCII { return first.value >= 0x20 && first.value != 0x7F ? 1 : 0 }
    let properties = first.properties
    switch properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format, .control: return 0
    default: break
    }
    if isEastAsianWide(first.value) { return 2 }
    if properties.isEmojiPresentation { return 2 }
    // U+FE0F asks for the emoji form of a character that is text by itself.
    if properties.isEmoji, character.unicodeScalars.contains("\u{FE0F}") { return 2 }
    return 1
  }

  /// The columns of a text without control characters; escape sequences are not understood here.
  static func columns(of text: some StringProtocol) -> Int {
    if let ascii = text.utf8.withContiguousStorageIfAvailable({ bytes -> Int? in
      bytes.allSatisfy { (0x20..<0x7F).contains($0) } ? bytes.count : nil
    }), let ascii {
      return ascii
    }
    return text.reduce(0) { $0 + columns(of: $1) }
  }

  private static func isEastAsianWide(_ value: UInt32) -> Bool {
    switch value {
    case 0x1100...0x115F,  // Hangul Jamo initials
      0x2329...0x232A,  // angle brackets
      0x2E80...0x303E,  // CJK radicals, Kangxi, punctuation
      0x3041...0x33FF,  // kana, bopomofo, compatibility Jamo, enclosed CJK
      0x3400...0x4DBF,  // CJK extension A
      0x4E00...0x9FFF,  // CJK unified ideographs
      0xA000...0xA4CF,  // Yi
      0xA960...0xA97F,  // Hangul Jamo extended A
      0xAC00...0xD7A3,  // Hangul syllables
      0xF900...0xFAFF,  // CJK compatibility ideographs
      0xFE10...0xFE19, 0xFE30...0xFE6F,  // vertical and small forms
      0xFF00...0xFF60, 0xFFE0...0xFFE6,  // fullwidth forms
      0x16FE0...0x16FE4, 0x17000...0x18CFF, 0x18D00...0x18D08,  // Tangut, Khitan
      0x1AFF0...0x1AFFE, 0x1B000...0x1B2FB,  // kana supplement, Nushu
      0x1F200...0x1F202, 0x1F210...0x1F23B, 0x1F240...0x1F248, 0x1F250...0x1F251,
      0x1F260...0x1F265,  // enclosed ideographs
      0x20000...0x3FFFD:  // CJK extensions
      true
    default: false
    }
  }
}
