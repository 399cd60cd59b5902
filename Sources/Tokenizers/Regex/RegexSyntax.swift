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
  let scalars: [Unicode.Scalar]
  var position = 0
  var depth = 0
  var ignoresCase = false
  var dotMatchesBreaks = false
  var isExtended = false
  var sets: [ScalarSet] = []

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

  var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

  func isNext(_ text: String) -> Bool {
    let wanted = Array(text.unicodeScalars)
    return position + wanted.count <= scalars.count
      && Array(scalars[position..<position + wanted.count]) == wanted
  }

  mutating func take(_ text: String) -> Bool {
    guard isNext(text) else { return false }
    position += text.unicodeScalars.count
    return true
  }

  func fault(_ reason: String) -> RegexError {
    RegexError(reason: "\(reason) at character \(min(position, scalars.count) + 1) of the pattern")
  }

  // MARK: Grammar

  mutating func alternation() throws(RegexError) -> RegexNode {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.depthLimit else { throw fault("groups nested too deep") }
    let saved = (ignoresCase, dotMatchesBreaks, isExtended)
    defer { (ignoresCase, dotMatchesBreaks, isExtended) = saved }
    var branches = [try sequence()]
    while take("|") { branches.append(try sequence()) }
    return branches.count == 1 ? branches[0] : .alternation(branches)
  }

  mutating func sequence() throws(RegexError) -> RegexNode {
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

  mutating func alternationOfRest() throws(RegexError) -> RegexNode {
    var branches = [try sequence()]
    while take("|") { branches.append(try sequence()) }
    return branches.count == 1 ? branches[0] : .alternation(branches)
  }

  /// Reads `(?imx-imx)`, which ends at its parenthesis; nil where something else comes.
  mutating func inlineOptions() throws(RegexError) -> Bool? {
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
  mutating func options() -> (Bool, Bool, Bool)? {
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

  mutating func repetition(of node: RegexNode) throws(RegexError) -> RegexNode? {
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

  mutating func interval() throws(RegexError) -> (Int, Int?)? {
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

  mutating func number() -> Int? {
    var value: Int?
    while let scalar = next, ("0"..."9").contains(scalar) {
      value = min((value ?? 0) * 10 + Int(scalar.value - 0x30), Self.countLimit + 1)
      position += 1
    }
    return value
  }

  mutating func atom() throws(RegexError) -> RegexNode {
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

  mutating func group() throws(RegexError) -> RegexNode {
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

  mutating func node(_ set: ScalarSet) -> RegexNode {
    sets.append(set)
    return .set(sets.count - 1)
  }

  /// The set that a literal character matches.
  func literal(_ scalar: Unicode.Scalar) -> ScalarSet {
    var set = ScalarSet(ranges: [scalar.value...scalar.value])
    if ignoresCase {
      for variant in CaseVariants.of(scalar) { set.insert(variant.value...variant.value) }
    }
    return set
  }
}
