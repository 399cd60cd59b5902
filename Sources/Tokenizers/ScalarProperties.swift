/// What Unicode says of a scalar, packed into one word so that a scan reads one table.
///
/// Bits 0–4 hold the general category; the others answer the questions of the pre-tokenizers'
/// patterns: `\p{L}`, `\p{N}`, `\s` and `\w`.
struct ScalarProperties: Sendable {
  let bits: UInt16

  static let letter: UInt16 = 1 << 5
  static let number: UInt16 = 1 << 6
  static let space: UInt16 = 1 << 7
  static let word: UInt16 = 1 << 8
  static let lineBreak: UInt16 = 1 << 9
  static let alphabetic: UInt16 = 1 << 10
  static let uppercase: UInt16 = 1 << 11
  static let lowercase: UInt16 = 1 << 12

  /// The Unicode version whose characters the reference library's patterns know.
  ///
  /// Later characters count as unassigned, whatever the standard library here knows of them.
  static let version = 16

  /// The category's place in `Self.categories`.
  @inline(__always) var category: UInt32 { UInt32(bits & 31) }
  @inline(__always) var isLetter: Bool { bits & Self.letter != 0 }
  @inline(__always) var isNumber: Bool { bits & Self.number != 0 }
  @inline(__always) var isSpace: Bool { bits & Self.space != 0 }
  /// Whether `\w` matches: alphabetic, marks, decimal numbers, connectors, joiners (UTS #18).
  @inline(__always) var isWord: Bool { bits & Self.word != 0 }

  /// The general categories' short names, in the order of their codes.
  static let categories = [
    "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi",
    "Pf", "Po", "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn",
  ]

  init(of value: UInt32) {
    guard let scalar = Unicode.Scalar(value) else {
      bits = UInt16(Self.categories.firstIndex(of: "Cs") ?? 0)
      return
    }
    let properties = scalar.properties
    guard (properties.age?.major ?? 0) <= Self.version else {
      bits = UInt16(Self.code(.unassigned))
      return
    }
    let code = Self.code(properties.generalCategory)
    var bits = UInt16(code)
    if code <= 4 { bits |= Self.letter }
    if (8...10).contains(code) { bits |= Self.number }
    if properties.isWhitespace { bits |= Self.space }
    if properties.isAlphabetic || (5...7).contains(code) || code == 8 || code == 11
      || properties.isJoinControl
    {
      bits |= Self.word
    }
    if value == 0x0A || value == 0x0D { bits |= Self.lineBreak }
    if properties.isAlphabetic { bits |= Self.alphabetic }
    if properties.isUppercase { bits |= Self.uppercase }
    if properties.isLowercase { bits |= Self.lowercase }
    self.bits = bits
  }

  private init(bits: UInt16) { self.bits = bits }

  private static func code(_ category: Unicode.GeneralCategory) -> Int {
    switch category {
    case .uppercaseLetter: 0
    case .lowercaseLetter: 1
    case .titlecaseLetter: 2
    case .modifierLetter: 3
    case .otherLetter: 4
    case .nonspacingMark: 5
    case .spacingMark: 6
    case .enclosingMark: 7
    case .decimalNumber: 8
    case .letterNumber: 9
    case .otherNumber: 10
    case .connectorPunctuation: 11
    case .dashPunctuation: 12
    case .openPunctuation: 13
    case .closePunctuation: 14
    case .initialPunctuation: 15
    case .finalPunctuation: 16
    case .otherPunctuation: 17
    case .mathSymbol: 18
    case .currencySymbol: 19
    case .modifierSymbol: 20
    case .otherSymbol: 21
    case .spaceSeparator: 22
    case .lineSeparator: 23
    case .paragraphSeparator: 24
    case .control: 25
    case .format: 26
    case .surrogate: 27
    case .privateUse: 28
    case .unassigned: 29
    @unknown default: 29
    }
  }

  /// The properties of every scalar of the basic multilingual plane.
  struct Table: Sendable {
    private let plane: [UInt16]

    static let shared = Table()

    private init() { plane = (0..<0x10000).map { ScalarProperties(of: UInt32($0)).bits } }

    @inline(__always)
    subscript(value: UInt32) -> ScalarProperties {
      value < 0x10000
        ? ScalarProperties(bits: plane[Int(value)]) : ScalarProperties(of: value)
    }
  }
}
