/// A set of Unicode scalars as a pattern writes it: `\p{L}`, `[^\s\d]`, `[a-z&&[^q]]`.
struct ScalarSet: Sendable {
  /// Ranges of scalar values; sorted and disjoint once sealed.
  private(set) var ranges: [ClosedRange<UInt32>] = []
  /// A bit for each general category that belongs.
  var categories: UInt32 = 0
  /// Flags of `ScalarProperties` of which any suffices.
  var flags: UInt16 = 0
  /// Sets that belong whole.
  var unions: [ScalarSet] = []
  /// Sets that a member must belong to as well.
  var intersections: [ScalarSet] = []
  /// Whether members are the scalars that the rest does not hold.
  var isNegated = false
  /// The answer for ASCII, computed once.
  private var ascii: (low: UInt64, high: UInt64) = (0, 0)

  static let any = ScalarSet(ranges: [0...0x10FFFF])

  init() {}

  init(ranges: [ClosedRange<UInt32>]) {
    for range in ranges { insert(range) }
  }

  /// Adds a range; ranges are put in order when the set is sealed.
  mutating func insert(_ range: ClosedRange<UInt32>) { ranges.append(range) }

  /// Orders the ranges and computes the table for ASCII; needed before the first question.
  mutating func seal() {
    for index in unions.indices { unions[index].seal() }
    for index in intersections.indices { intersections[index].seal() }
    ranges.sort { $0.lowerBound < $1.lowerBound }
    var merged: [ClosedRange<UInt32>] = []
    for range in ranges {
      if let last = merged.last, UInt64(range.lowerBound) <= UInt64(last.upperBound) + 1 {
        merged[merged.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
      } else {
        merged.append(range)
      }
    }
    ranges = merged
    ascii = (0, 0)
    for value in 0..<UInt32(128) where contains(value, ScalarProperties(of: value)) {
      if value < 64 {
        ascii.low |= 1 << UInt64(value)
      } else {
        ascii.high |= 1 << UInt64(value - 64)
      }
    }
  }

  /// Whether a scalar belongs.
  @inline(__always)
  func contains(_ value: UInt32, _ table: ScalarProperties.Table) -> Bool {
    if value < 128 {
      return (value < 64 ? ascii.low >> UInt64(value) : ascii.high >> UInt64(value - 64)) & 1 != 0
    }
    return contains(value, table[value])
  }

  private func contains(_ value: UInt32, _ properties: ScalarProperties) -> Bool {
    var isMember = categories >> properties.category & 1 != 0 || flags & properties.bits != 0
    if !isMember, !ranges.isEmpty { isMember = isInRanges(value) }
    if !isMember { isMember = unions.contains { $0.contains(value, properties) } }
    if isMember { isMember = intersections.allSatisfy { $0.contains(value, properties) } }
    return isMember != isNegated
  }

  private func isInRanges(_ value: UInt32) -> Bool {
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound < value { low = middle + 1 } else { high = middle }
    }
    return low < ranges.count && ranges[low].contains(value)
  }
}

extension ScalarSet {
  /// The set of a property's name as in `\p{Name}`; nil for a name that isn't known.
  init?(property name: String) {
    let key = name.lowercased().filter { $0 != "_" && $0 != " " && $0 != "-" }
    self.init()
    if let codes = Self.categoryNames[key] {
      for code in codes { categories |= 1 << UInt32(code) }
    } else if let ranges = Self.scripts[key] {
      for range in ranges { insert(range) }
    } else {
      switch key {
      case "any": insert(0...0x10FFFF)
      case "ascii": insert(0...0x7F)
      case "space", "whitespace": flags = ScalarProperties.space
      case "word":
        // Oniguruma's words hold Latin-1's superscripts and fractions, but no joiners.
        flags = ScalarProperties.alphabetic
        for name in ["Mn", "Mc", "Me", "Nd", "Pc"] { categories |= Self.mask(name) }
        ranges = [0xB2...0xB3, 0xB9...0xB9, 0xBC...0xBE]
      case "alnum":
        categories = Self.mask("Nd")
        flags = ScalarProperties.alphabetic
      case "alpha", "alphabetic": flags = ScalarProperties.alphabetic
      case "digit": categories = Self.mask("Nd")
      case "punct": categories = (11...21).reduce(0) { $0 | 1 << UInt32($1) }
      case "upper", "uppercase": flags = ScalarProperties.uppercase
      case "lower", "lowercase": flags = ScalarProperties.lowercase
      case "xdigit": ranges = [0x30...0x39, 0x41...0x46, 0x61...0x66]
      case "cntrl": categories = Self.mask("Cc")
      case "graph", "print":
        flags = ScalarProperties.space
        categories = Self.mask("Cc") | Self.mask("Cs") | Self.mask("Cn")
        isNegated = true
        if key == "print" {
          unions = []
          let printed = self
          self = ScalarSet()
          unions = [printed]
          categories = Self.mask("Zs")
        }
      case "blank":
        categories = Self.mask("Zs")
        insert(9...9)
      default: return nil
      }
    }
  }

  private static func mask(_ category: String) -> UInt32 {
    ScalarProperties.categories.firstIndex(of: category).map { 1 << UInt32($0) } ?? 0
  }

  /// Short and long names of categories and their groups, to codes.
  private static let categoryNames: [String: [Int]] = {
    var names: [String: [Int]] = [:]
    for (code, name) in ScalarProperties.categories.enumerated() {
      names[name.lowercased()] = [code]
      names[String(name.prefix(1)).lowercased(), default: []].append(code)
    }
    let long: [(String, String)] = [
      ("letter", "l"), ("uppercaseletter", "lu"), ("lowercaseletter", "ll"),
      ("titlecaseletter", "lt"), ("modifierletter", "lm"), ("otherletter", "lo"), ("mark", "m"),
      ("combiningmark", "m"), ("nonspacingmark", "mn"), ("spacingmark", "mc"),
      ("enclosingmark", "me"), ("number", "n"), ("decimalnumber", "nd"), ("letternumber", "nl"),
      ("othernumber", "no"), ("punctuation", "p"), ("connectorpunctuation", "pc"),
      ("dashpunctuation", "pd"), ("openpunctuation", "ps"), ("closepunctuation", "pe"),
      ("initialpunctuation", "pi"), ("finalpunctuation", "pf"), ("otherpunctuation", "po"),
      ("symbol", "s"), ("mathsymbol", "sm"), ("currencysymbol", "sc"), ("modifiersymbol", "sk"),
      ("othersymbol", "so"), ("separator", "z"), ("spaceseparator", "zs"),
      ("lineseparator", "zl"), ("paragraphseparator", "zp"), ("other", "c"), ("control", "cc"),
      ("format", "cf"), ("surrogate", "cs"), ("privateuse", "co"), ("unassigned", "cn"),
    ]
    for (name, short) in long { names[name] = names[short] }
    names["lc"] = [0, 1, 2]
    return names
  }()

  /// The scripts that tokenizers' patterns name (Unicode 16, Scripts.txt, blocks joined).
  private static let scripts: [String: [ClosedRange<UInt32>]] = [
    "han": [
      0x2E80...0x2E99, 0x2E9B...0x2EF3, 0x2F00...0x2FD5, 0x3005...0x3005, 0x3007...0x3007,
      0x3021...0x3029, 0x3038...0x303B, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFA6D,
      0xFA70...0xFAD9, 0x16FE2...0x16FE3, 0x16FF0...0x16FF1, 0x20000...0x2A6DF,
      0x2A700...0x2B739, 0x2B740...0x2B81D, 0x2B820...0x2CEA1, 0x2CEB0...0x2EBE0,
      0x2EBF0...0x2EE5D, 0x2F800...0x2FA1D, 0x30000...0x3134A, 0x31350...0x323AF,
    ],
    "hiragana": [
      0x3041...0x3096, 0x309D...0x309F, 0x1B001...0x1B11F, 0x1B132...0x1B132, 0x1B150...0x1B152,
      0x1F200...0x1F200,
    ],
    "katakana": [
      0x30A1...0x30FA, 0x30FD...0x30FF, 0x31F0...0x31FF, 0x32D0...0x32FE, 0x3300...0x3357,
      0xFF66...0xFF6F, 0xFF71...0xFF9D, 0x1AFF0...0x1AFF3, 0x1AFF5...0x1AFFB, 0x1AFFD...0x1AFFE,
      0x1B000...0x1B000, 0x1B120...0x1B122, 0x1B155...0x1B155, 0x1B164...0x1B167,
    ],
    "hangul": [
      0x1100...0x11FF, 0x302E...0x302F, 0x3131...0x318E, 0x3200...0x321E, 0x3260...0x327E,
      0xA960...0xA97C, 0xAC00...0xD7A3, 0xD7B0...0xD7C6, 0xD7CB...0xD7FB, 0xFFA0...0xFFBE,
      0xFFC2...0xFFC7, 0xFFCA...0xFFCF, 0xFFD2...0xFFD7, 0xFFDA...0xFFDC,
    ],
    "thai": [0x0E01...0x0E3A, 0x0E40...0x0E5B],
    "hebrew": [
      0x0591...0x05C7, 0x05D0...0x05EA, 0x05EF...0x05F4, 0xFB1D...0xFB36, 0xFB38...0xFB3C,
      0xFB3E...0xFB3E, 0xFB40...0xFB41, 0xFB43...0xFB44, 0xFB46...0xFB4F,
    ],
    "cyrillic": [
      0x0400...0x0484, 0x0487...0x052F, 0x1C80...0x1C8A, 0x1D2B...0x1D2B, 0x1D78...0x1D78,
      0x2DE0...0x2DFF, 0xA640...0xA69F, 0xFE2E...0xFE2F, 0x1E030...0x1E06D, 0x1E08F...0x1E08F,
    ],
    "latin": [
      0x41...0x5A, 0x61...0x7A, 0xAA...0xAA, 0xBA...0xBA, 0xC0...0xD6, 0xD8...0xF6, 0xF8...0x2B8,
      0x2E0...0x2E4, 0x1D00...0x1D25, 0x1D2C...0x1D5C, 0x1D62...0x1D65, 0x1D6B...0x1D77,
      0x1D79...0x1DBE, 0x1E00...0x1EFF, 0x2071...0x2071, 0x207F...0x207F, 0x2090...0x209C,
      0x212A...0x212B, 0x2132...0x2132, 0x214E...0x214E, 0x2160...0x2188, 0x2C60...0x2C7F,
      0xA722...0xA787, 0xA78B...0xA7CD, 0xA7D0...0xA7D1, 0xA7D3...0xA7D3, 0xA7D5...0xA7DC,
      0xA7F2...0xA7FF, 0xAB30...0xAB5A, 0xAB5C...0xAB64, 0xAB66...0xAB69, 0xFB00...0xFB06,
      0xFF21...0xFF3A, 0xFF41...0xFF5A, 0x10780...0x10785, 0x10787...0x107B0, 0x107B2...0x107BA,
      0x1DF00...0x1DF1E, 0x1DF25...0x1DF2A,
    ],
  ]
}

extension ScalarSet {
  /// Every scalar that is not in the set.
  var complement: ScalarSet {
    var complement = ScalarSet()
    complement.unions = [self]
    complement.isNegated = true
    return complement
  }
}
