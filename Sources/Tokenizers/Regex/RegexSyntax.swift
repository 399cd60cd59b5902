/// What a pattern says, as a tree.
indirect enum RegexNode {
  case empty
  /// One scalar of a set, by its place in the list of sets.
  case set(Int)
  case sequence([RegexNode])
  case alternation([RegexNode])
  /// `maximum` nil is without bound.
  case repetition(RegexNode, minimum: Int, maximum: Int?, style: RegexRepetition)
  case look(RegexNode, isAhead: Bool, isNegative: Bool)
  case assertion(RegexAssertion)
}

/// How a repetition chooses its count.
enum RegexRepetition { case greedy, lazy, possessive }

/// A condition on a position.
enum RegexAssertion {
  case textStart, textEnd, textEndBeforeBreak, lineStart, lineEnd, wordBoundary, notWordBoundary
}

/// Why a pattern can't be used.
struct RegexError: Error, Equatable {
  var reason: String
}

/// Reads patterns in the syntax of Oniguruma (Ruby), which tokenizer files are written for.
///
/// Groups do not capture. Back-references, named calls and general atomic groups are refused by
/// name: with them no bound on the time could be kept.
struct RegexParser {
  private let scalars: [Unicode.Scalar]
  private var position = 0
  private var depth = 0
  private var ignoresCase = false
  private var dotMatchesBreaks = false
  private var isExtended = false
  private var sets: [ScalarSet] = []

  /// Deeper nesting is refused.
  static let depthLimit = 64
  /// Longer patterns are refused.
  static let lengthLimit = 1 << 14
  /// Greater counts in `{n,m}` are refused.
  static let countLimit = 1000

  private init(_ pattern: String) { scalars = Array(pattern.unicodeScalars) }

  /// Reads a pattern into its tree and the sets that the tree names.
  static func parse(_ pattern: String) throws(RegexError) -> (RegexNode, [ScalarSet]) {
    var parser = RegexParser(pattern)
    guard parser.scalars.count <= lengthLimit else {
      throw RegexError(reason: "the pattern is longer than \(lengthLimit) characters")
    }
    let node = try parser.alternation()
    guard parser.position == parser.scalars.count else {
      throw RegexError(reason: "')' at \(parser.position + 1) closes no group")
    }
    return (node, parser.sets)
  }

  // MARK: Reading

  private var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

  private func isNext(_ text: String) -> Bool {
    let wanted = Array(text.unicodeScalars)
    return position + wanted.count <= scalars.count
      && Array(scalars[position..<position + wanted.count]) == wanted
  }

  private mutating func take(_ text: String) -> Bool {
    guard isNext(text) else { return false }
    position += text.unicodeScalars.count
    return true
  }

  private func fault(_ reason: String) -> RegexError {
    RegexError(reason: "\(reason) at character \(min(position, scalars.count) + 1) of the pattern")
  }

  // MARK: Grammar

  private mutating func alternation() throws(RegexError) -> RegexNode {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.depthLimit else { throw fault("groups nested too deep") }
    let saved = (ignoresCase, dotMatchesBreaks, isExtended)
    defer { (ignoresCase, dotMatchesBreaks, isExtended) = saved }
    var branches = [try sequence()]
    while take("|") { branches.append(try sequence()) }
    return branches.count == 1 ? branches[0] : .alternation(branches)
  }

  private mutating func sequence() throws(RegexError) -> RegexNode {
    var items: [RegexNode] = []
    while let scalar = next, scalar != "|", scalar != ")" {
      if isExtended, scalar.properties.isWhitespace {
        position += 1
        continue
      }
      if scalar == "(", let inline = try inlineOptions() {
        // `(?i)` governs the rest of its group, further branches included.
        if inline { items.append(try alternationOfRest()) }
        continue
      }
      var item = try atom()
      while let repeated = try repetition(of: item) { item = repeated }
      items.append(item)
    }
    return items.count == 1 ? items[0] : items.isEmpty ? .empty : .sequence(items)
  }

  private mutating func alternationOfRest() throws(RegexError) -> RegexNode {
    var branches = [try sequence()]
    while take("|") { branches.append(try sequence()) }
    return branches.count == 1 ? branches[0] : .alternation(branches)
  }

  /// Reads `(?imx-imx)`, which ends at its parenthesis; nil where something else comes.
  private mutating func inlineOptions() throws(RegexError) -> Bool? {
    let mark = position
    guard take("(?") else { return nil }
    guard let options = options(), take(")") else {
      position = mark
      return nil
    }
    (ignoresCase, dotMatchesBreaks, isExtended) = options
    return true
  }

  /// Reads the letters of `(?imx-imx`; nil where something else comes.
  private mutating func options() -> (Bool, Bool, Bool)? {
    var options = (ignoresCase, dotMatchesBreaks, isExtended)
    var value = true
    let start = position
    while let scalar = next {
      switch scalar {
      case "i": options.0 = value
      case "m": options.1 = value
      case "x": options.2 = value
      case "-": value = false
      default: return position > start ? options : nil
      }
      position += 1
    }
    return nil
  }

  private mutating func repetition(of node: RegexNode) throws(RegexError) -> RegexNode? {
    let mark = position
    var minimum = 0
    var maximum: Int?
    var isInterval = false
    switch next {
    case "*": position += 1
    case "+":
      position += 1
      minimum = 1
    case "?":
      position += 1
      maximum = 1
    case "{":
      guard let bounds = try interval() else {
        position = mark
        return nil
      }
      (minimum, maximum) = bounds
      isInterval = true
    default: return nil
    }
    if case .assertion = node { throw fault("a repetition of a position") }
    if case .look = node { throw fault("a repetition of a look-around") }
    var style = RegexRepetition.greedy
    if take("?") {
      style = .lazy
    } else if !isInterval, take("+") {
      // After an interval Ruby's '+' repeats the repetition; it is read by the next round.
      style = .possessive
    }
    return .repetition(node, minimum: minimum, maximum: maximum, style: style)
  }

  private mutating func interval() throws(RegexError) -> (Int, Int?)? {
    position += 1
    let low = number()
    var high = low
    var hasComma = false
    if take(",") {
      hasComma = true
      high = number()
    }
    guard take("}"), low != nil || high != nil else { return nil }
    for bound in [low, high].compactMap({ $0 }) where bound > Self.countLimit {
      throw fault("a count above \(Self.countLimit)")
    }
    let minimum = low ?? 0
    if hasComma, let high, high < minimum { throw fault("a count range that runs backwards") }
    return (minimum, high)
  }

  private mutating func number() -> Int? {
    var value: Int?
    while let scalar = next, ("0"..."9").contains(scalar) {
      value = min((value ?? 0) * 10 + Int(scalar.value - 0x30), Self.countLimit + 1)
      position += 1
    }
    return value
  }

  private mutating func atom() throws(RegexError) -> RegexNode {
    guard let scalar = next else { return .empty }
    switch scalar {
    case "(": return try group()
    case "[":
      position += 1
      return node(try bracket())
    case ".":
      position += 1
      if dotMatchesBreaks { return node(.any) }
      var set = ScalarSet(ranges: [0x0A...0x0A])
      set.isNegated = true
      return node(set)
    case "^":
      position += 1
      return .assertion(.lineStart)
    case "$":
      position += 1
      return .assertion(.lineEnd)
    case "\\":
      position += 1
      return try escape()
    case "*", "+", "?": throw fault("a repetition of nothing")
    default:
      position += 1
      return node(literal(scalar))
    }
  }

  private mutating func group() throws(RegexError) -> RegexNode {
    position += 1
    var node: RegexNode
    if take("?:") {
      node = try alternation()
    } else if take("?=") {
      node = .look(try alternation(), isAhead: true, isNegative: false)
    } else if take("?!") {
      node = .look(try alternation(), isAhead: true, isNegative: true)
    } else if take("?<=") {
      node = .look(try alternation(), isAhead: false, isNegative: false)
    } else if take("?<!") {
      node = .look(try alternation(), isAhead: false, isNegative: true)
    } else if take("?>") {
      node = .repetition(try alternation(), minimum: 1, maximum: 1, style: .possessive)
    } else if take("?#") {
      while let scalar = next, scalar != ")" {
        _ = scalar
        position += 1
      }
      node = .empty
    } else if take("?<") {
      while let scalar = next, scalar != ">" {
        _ = scalar
        position += 1
      }
      guard take(">") else { throw fault("expected '>'") }
      node = try alternation()
    } else if take("?") {
      let saved = (ignoresCase, dotMatchesBreaks, isExtended)
      guard let options = options(), take(":") else { throw fault("an unknown kind of group") }
      (ignoresCase, dotMatchesBreaks, isExtended) = options
      node = try alternation()
      (ignoresCase, dotMatchesBreaks, isExtended) = saved
    } else {
      node = try alternation()
    }
    guard take(")") else { throw fault("expected ')'") }
    return node
  }

  private mutating func node(_ set: ScalarSet) -> RegexNode {
    sets.append(set)
    return .set(sets.count - 1)
  }

  /// The set that a literal character matches.
  private func literal(_ scalar: Unicode.Scalar) -> ScalarSet {
    var set = ScalarSet(ranges: [scalar.value...scalar.value])
    if ignoresCase {
      for variant in CaseVariants.of(scalar) { set.insert(variant.value...variant.value) }
    }
    return set
  }

  private mutating func escape() throws(RegexError) -> RegexNode {
    guard let scalar = next else { throw fault("a backslash at the end") }
    switch scalar {
    case "b", "B", "A", "z", "Z":
      position += 1
      switch scalar {
      case "b": return .assertion(.wordBoundary)
      case "B": return .assertion(.notWordBoundary)
      case "A": return .assertion(.textStart)
      case "z": return .assertion(.textEnd)
      default: return .assertion(.textEndBeforeBreak)
      }
    case "1"..."9", "k": throw fault("back-references are not supported")
    case "G", "K", "R", "X", "g": throw fault("\\\(scalar) is not supported")
    default:
      if let set = try classEscape() { return node(set) }
      return node(literal(try characterEscape()))
    }
  }

  /// Reads `\s`, `\p{…}` and their like after the backslash; nil where a character comes.
  private mutating func classEscape() throws(RegexError) -> ScalarSet? {
    guard let scalar = next else { return nil }
    var set = ScalarSet()
    switch scalar {
    case "s", "S": set.flags = ScalarProperties.space
    case "w", "W": set = ScalarSet(property: "word") ?? set
    case "d", "D": set.categories = ScalarSet(property: "Nd")?.categories ?? 0
    case "h", "H": set = ScalarSet(property: "xdigit") ?? set
    case "N": set = ScalarSet(ranges: [0x0A...0x0A])
    case "p", "P":
      position += 1
      return try property(isNegated: scalar == "P")
    default: return nil
    }
    position += 1
    set.isNegated = ("A"..."Z").contains(scalar)
    return set
  }

  private mutating func property(isNegated: Bool) throws(RegexError) -> ScalarSet {
    var name = ""
    var isNegated = isNegated
    if take("{") {
      if take("^") { isNegated.toggle() }
      while let scalar = next, scalar != "}" {
        name.unicodeScalars.append(scalar)
        position += 1
      }
      guard take("}") else { throw fault("expected '}'") }
    } else if let scalar = next {
      name = String(scalar)
      position += 1
    }
    guard var set = ScalarSet(property: name) else {
      throw fault("unknown property \"\(name)\"")
    }
    if isNegated {
      var wrapper = ScalarSet()
      wrapper.unions = [set]
      wrapper.isNegated = true
      set = wrapper
    }
    return set
  }

  private mutating func characterEscape() throws(RegexError) -> Unicode.Scalar {
    guard let scalar = next else { throw fault("a backslash at the end") }
    position += 1
    switch scalar {
    case "n": return "\n"
    case "r": return "\r"
    case "t": return "\t"
    case "f": return "\u{C}"
    case "v": return "\u{B}"
    case "a": return "\u{7}"
    case "e": return "\u{1B}"
    case "0": return "\0"
    case "x":
      if take("{") {
        let value = hexadecimal(upTo: 8)
        guard take("}") else { throw fault("expected '}'") }
        return try self.scalar(value)
      }
      return try self.scalar(hexadecimal(upTo: 2))
    case "u": return try self.scalar(hexadecimal(upTo: 4))
    default: return scalar
    }
  }

  private mutating func hexadecimal(upTo count: Int) -> UInt32? {
    var value: UInt32?
    for _ in 0..<count {
      guard let scalar = next, let digit = Character(scalar).hexDigitValue else { break }
      value = (value ?? 0) << 4 | UInt32(digit)
      position += 1
    }
    return value
  }

  private func scalar(_ value: UInt32?) throws(RegexError) -> Unicode.Scalar {
    guard let value, let scalar = Unicode.Scalar(value) else {
      throw fault("expected the hexadecimal value of a character")
    }
    return scalar
  }

  // MARK: Brackets

  /// Reads a bracket expression after its '['.
  private mutating func bracket() throws(RegexError) -> ScalarSet {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.depthLimit else { throw fault("brackets nested too deep") }
    let isNegated = take("^")
    var operands: [ScalarSet] = []
    var set = ScalarSet()
    var isFirst = true
    while true {
      guard let scalar = next else { throw fault("expected ']'") }
      if scalar == "]", !isFirst {
        position += 1
        break
      }
      isFirst = false
      if take("&&") {
        operands.append(set)
        set = ScalarSet()
        isFirst = false
        continue
      }
      if take("[:") {
        set.unions.append(try posixClass())
        continue
      }
      if take("[") {
        set.unions.append(try bracket())
        continue
      }
      try bracketItem(into: &set)
    }
    operands.append(set)
    var result = operands.removeFirst()
    if !operands.isEmpty {
      var wrapper = ScalarSet()
      wrapper.unions = [result]
      wrapper.intersections = operands
      result = wrapper
    }
    if isNegated {
      var wrapper = ScalarSet()
      wrapper.unions = [result]
      wrapper.isNegated = true
      result = wrapper
    }
    return result
  }

  private mutating func posixClass() throws(RegexError) -> ScalarSet {
    let isNegated = take("^")
    var name = ""
    while let scalar = next, scalar != ":" {
      name.unicodeScalars.append(scalar)
      position += 1
    }
    guard take(":]"), let set = ScalarSet(property: name) else {
      throw fault("an unknown class [:\(name):]")
    }
    guard isNegated else { return set }
    var wrapper = ScalarSet()
    wrapper.unions = [set]
    wrapper.isNegated = true
    return wrapper
  }

  private mutating func bracketItem(into set: inout ScalarSet) throws(RegexError) {
    if isNext("\\") {
      position += 1
      if let inner = try classEscape() {
        set.unions.append(inner)
        return
      }
      position -= 1
    }
    let low = try bracketCharacter()
    guard isNext("-"), position + 1 < scalars.count, scalars[position + 1] != "]" else {
      return insert(low.value...low.value, into: &set)
    }
    let mark = position
    position += 1
    if isNext("\\") {
      position += 1
      if let inner = try classEscape() {
        // `[a-\d]`: the hyphen is itself.
        insert(low.value...low.value, into: &set)
        insert(0x2D...0x2D, into: &set)
        set.unions.append(inner)
        return
      }
      position -= 1
    } else if isNext("[") {
      position = mark + 1
      insert(low.value...low.value, into: &set)
      insert(0x2D...0x2D, into: &set)
      return
    }
    let high = try bracketCharacter()
    guard low.value <= high.value else { throw fault("a range that runs backwards") }
    insert(low.value...high.value, into: &set)
  }

  private mutating func bracketCharacter() throws(RegexError) -> Unicode.Scalar {
    guard let scalar = next else { throw fault("expected ']'") }
    position += 1
    guard scalar == "\\" else { return scalar }
    if take("b") { return "\u{8}" }
    return try characterEscape()
  }

  private func insert(_ range: ClosedRange<UInt32>, into set: inout ScalarSet) {
    set.insert(range)
    // Case variants of long ranges (whole scripts) lie inside them or don't matter to a tokenizer.
    guard ignoresCase, range.count <= 512 else { return }
    for value in range {
      guard let scalar = Unicode.Scalar(value) else { continue }
      for variant in CaseVariants.of(scalar) { set.insert(variant.value...variant.value) }
    }
  }
}

/// The characters that differ from one in case only (simple folding, CaseFolding.txt).
enum CaseVariants {
  static func of(_ scalar: Unicode.Scalar) -> Set<Unicode.Scalar> {
    var variants: Set<Unicode.Scalar> = [scalar]
    var grew = true
    while grew {
      let before = variants.count
      for variant in variants {
        for mapping in [
          variant.properties.lowercaseMapping, variant.properties.uppercaseMapping,
          variant.properties.titlecaseMapping,
        ] where mapping.unicodeScalars.count == 1 {
          variants.formUnion(mapping.unicodeScalars)
        }
        for group in groups where group.contains(variant) { variants.formUnion(group) }
      }
      grew = variants.count > before
    }
    return variants
  }

  /// Letters whose variants no case mapping of theirs reaches.
  private static let groups: [[Unicode.Scalar]] = [
    ["s", "\u{17F}"], ["k", "\u{212A}"], ["\u{E5}", "\u{212B}"], ["\u{3BC}", "\u{B5}"],
    ["\u{3C3}", "\u{3C2}"], ["\u{3B2}", "\u{3D0}"], ["\u{3B8}", "\u{3D1}", "\u{3F4}"],
    ["\u{3C6}", "\u{3D5}"], ["\u{3C0}", "\u{3D6}"], ["\u{3BA}", "\u{3F0}"], ["\u{3C1}", "\u{3F1}"],
    ["\u{3B5}", "\u{3F5}"], ["\u{1E61}", "\u{1E9B}"], ["\u{3C9}", "\u{2126}"],
    ["\u{DF}", "\u{1E9E}"],
    ["\u{3B9}", "\u{345}", "\u{1FBE}"],
  ]
}
