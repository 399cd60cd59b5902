/// What an answer denotes.
indirect enum MathValue: Hashable {
  case scalar(Scalar)
  /// (1, 2), [0, 1), {1, 2}; or 1, 2 without brackets.
  case group(Group)
  /// Sets joined by ∪.
  case union([MathValue])
  /// ∩, ∖ and what else joins two sets.
  case operation(String, [MathValue])
  case matrix([[Scalar]])
  /// 7 : 32, 12:00
  case ratio([Scalar])
  /// Two sides or more, with a sign between each.
  case relation(sides: [MathValue], signs: [RelationSign])
  /// Text, in lower case, without punctuation.
  case words(String)
  /// Mathematics and text in a row: 6 remainder 3.
  case phrase([MathValue])
}

/// A number or an expression, with how it is written.
struct Scalar: Hashable {
  var value: Expression
  /// How a decimal is written; nil for everything else.
  var decimal: DecimalWriting?
  /// Whether a percent sign follows; the value is what stands before it.
  var isPercent = false
  /// The unit that follows, by its canonical name; "?" for a word that names none.
  var unit: String?
  /// The digits of a clock's minutes and other parts of a ratio, where they are two digits.
  var isTwoDigits = false

  init(_ value: Expression) { self.value = value }
  init(_ value: Rational) { self.value = Expression(value) }
}

/// How many digits a decimal shows, which says how exact it is.
struct DecimalWriting: Hashable {
  /// Digits from the first that is not 0.
  var digits: Int
  /// The power of ten of the last digit: −2 for 3.14.
  var place: Int
}

/// Things in a row, with or without brackets.
struct Group: Hashable {
  /// `(`, `[`, `⦃` for a set, or nil without brackets.
  var open: Character?
  var close: Character?
  var items: [MathValue]

  static func list(_ items: [MathValue]) -> Group { Group(open: nil, close: nil, items: items) }
}

/// A sign between two sides.
enum RelationSign: Hashable {
  case equal, less, greater, atMost, atLeast, notEqual, approximately, element
  case other(String)

  /// The sign with its sides exchanged.
  var flipped: RelationSign {
    switch self {
    case .less: return .greater
    case .greater: return .less
    case .atMost: return .atLeast
    case .atLeast: return .atMost
    default: return self
    }
  }

  init?(_ token: MathToken) {
    switch token {
    case .mark("="): self = .equal
    case .mark("<"): self = .less
    case .mark(">"): self = .greater
    case .command("le"): self = .atMost
    case .command("ge"): self = .atLeast
    case .command("ne"): self = .notEqual
    case .command("approx"): self = .approximately
    case .command("in"): self = .element
    case .command(let name) where Self.others.contains(name): self = .other(name)
    default: return nil
    }
  }

  static let others: Set<String> = [
    "equiv", "sim", "notin", "subset", "subseteq", "supset", "to", "perp", "parallel", "propto",
    "implies", "Rightarrow", "iff", "mapsto", "ll", "gg", "ni",
  ]
}
