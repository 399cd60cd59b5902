// Reads tokens as lists, relations, sets, ratios; see MathParser+Terms.swift for what they are made of.
//
//   answer   = item { ("," | ";" | and | or) item }
//   item     = piece { relation-sign piece }
//   piece    = set { text set }
//   set      = ratio { (∪ | ∩ | ∖) ratio }
//   ratio    = sum { ":" sum }
//   sum      = [sign] product { sign product }

/// Reads an answer's tokens.
struct MathParser {
  /// The deepest nesting that is read.
  static let depthLimit = 20

  var tokens: [(token: MathToken, isSpaced: Bool)]
  var at = 0
  var algebra = Algebra()
  /// Which of the two signs ± stands for.
  var plusMinus = 1
  /// Whether ± occurred in the item that is being read.
  var sawPlusMinus = false
  /// Whether terms were added: what was read is more than a number.
  var isSum = false
  var depth = 0
  /// How many | are open.
  var bars = 0

  init(_ tokens: [(token: MathToken, isSpaced: Bool)]) {
    self.tokens = tokens.filter { piece in
      if case .text(let text) = piece.token {
        return text.contains { !$0.isWhitespace && $0 != "~" }
      }
      return true
    }
    let ends: Set<MathToken> = [.mark("."), .mark(","), .mark(";"), .mark(":"), .rowBreak]
    while let last = self.tokens.last?.token, ends.contains(last) { self.tokens.removeLast() }
    let beginnings: [MathToken] = [.mark("="), .command("approx")]
    if let first = self.tokens.first?.token, beginnings.contains(first) {
      self.tokens.removeFirst()
    }
  }

  /// What the tokens denote.
  mutating func answer() throws(Unreadable) -> MathValue {
    guard !tokens.isEmpty else { throw Unreadable("it is empty") }
    let value = Self.listed(try items(expanding: true))
    if let token = token { throw Unreadable("\(Self.name(token)) stands where it has no meaning") }
    guard let value else { throw Unreadable("it is empty") }
    return value
  }

  var token: MathToken? { at < tokens.count ? tokens[at].token : nil }
  func token(after offset: Int) -> MathToken? {
    at + offset < tokens.count ? tokens[at + offset].token : nil
  }
  var isSpaced: Bool { at < tokens.count && tokens[at].isSpaced }

  mutating func take(_ expected: MathToken) -> Bool {
    guard token == expected else { return false }
    at += 1
    return true
  }

  static func name(_ token: MathToken) -> String {
    switch token {
    case .number(let text), .word(let text): return "\"\(text.prefix(20))\""
    case .command(let name): return "\\\(name.prefix(20))"
    case .text(let text): return "the text \"\(text.prefix(20))\""
    case .mark("⦃"): return "\\{"
    case .mark("⦄"): return "\\}"
    case .mark(let sign): return "\"\(sign)\""
    case .begin(let name): return "\\begin{\(name.prefix(20))}"
    case .end(let name): return "\\end{\(name.prefix(20))}"
    case .rowBreak: return "\\\\"
    }
  }

  /// Runs a part that may contain itself, to a bounded depth.
  mutating func nested<Value>(
    _ part: (inout MathParser) throws(Unreadable) -> Value
  ) throws(Unreadable) -> Value {
    guard depth < Self.depthLimit else { throw Unreadable("it is nested too deep") }
    depth += 1
    defer { depth -= 1 }
    return try part(&self)
  }

  // MARK: Lists

  private enum Separator { case comma, semicolon }

  private mutating func takeSeparator() -> Separator? {
    guard let token else { return nil }
    switch token {
    case .mark(","), .word("and"), .word("or"), .command("and"), .command("or"): break
    case .mark(";"):
      at += 1
      return .semicolon
    case .text(let text):
      guard Self.isConnective(text) else { return nil }
    default: return nil
    }
    at += 1
    return .comma
  }

  /// "and", ", or ": a text that separates and says no more.
  static func isConnective(_ text: String) -> Bool {
    let words = text.lowercased().split { !$0.isLetter }
    return words.allSatisfy { ["and", "or", "also"].contains($0) }
      && !text.contains { $0.isNumber || "\\$".contains($0) }
  }

  /// The items up to something that is no separator, by semicolons.
  ///
  /// An item with ± is read twice, once with each sign, where `expanding`; else whoever reads the
  /// item around it does so.
  mutating func items(expanding: Bool) throws(Unreadable) -> [[MathValue]] {
    var groups: [[MathValue]] = [[]]
    let outerSaw = sawPlusMinus
    defer { sawPlusMinus = outerSaw || (!expanding && sawPlusMinus) }
    if expanding { sawPlusMinus = false }
    while true {
      while let separator = takeSeparator() {
        if separator == .semicolon, groups.last?.isEmpty == false { groups.append([]) }
      }
      guard let token, !Self.closes(token) else { break }
      let start = at
      groups[groups.count - 1].append(try relation())
      if expanding, sawPlusMinus {
        let end = at
        at = start
        plusMinus = -plusMinus
        groups[groups.count - 1].append(try relation())
        plusMinus = -plusMinus
        at = end
        sawPlusMinus = false
      }
      let end = at
      guard takeSeparator() != nil else { break }
      at = end
    }
    if groups.last?.isEmpty == true { groups.removeLast() }
    return groups
  }

  private static func closes(_ token: MathToken) -> Bool {
    switch token {
    case .mark(")"), .mark("]"), .mark("}"), .mark("⦄"), .mark("&"), .rowBreak, .end: return true
    default: return false
    }
  }

  /// One thing, or a list; a list of lists where both commas and semicolons separate.
  static func listed(_ groups: [[MathValue]]) -> MathValue? {
    let values = flattened(groups)
    return values.count > 1 ? .group(.list(values)) : values.first
  }

  static func flattened(_ groups: [[MathValue]]) -> [MathValue] {
    if groups.count == 1 { return groups[0] }
    return groups.map { $0.count == 1 ? $0[0] : .group(.list($0)) }
  }

  // MARK: Relations and sets

  mutating func relation() throws(Unreadable) -> MathValue {
    var sides = [try piece()]
    var signs: [RelationSign] = []
    while let token, let sign = RelationSign(token) {
      at += 1
      signs.append(sign)
      sides.append(try piece())
    }
    return signs.isEmpty ? sides[0] : .relation(sides: sides, signs: signs)
  }

  private mutating func piece() throws(Unreadable) -> MathValue {
    var parts = [try set()]
    while case .text(let text)? = token, !Self.isConnective(text) {
      parts.append(.words(PlainText.of(text)))
      at += 1
      if let token, !Self.closes(token), RelationSign(token) == nil, !isSeparator(token) {
        parts.append(try set())
      }
    }
    if case .words = parts[0], let token, parts.count == 1, startsFactor(token) {
      parts.append(try piece())
    }
    return parts.count == 1 ? parts[0] : .phrase(parts)
  }

  private func isSeparator(_ token: MathToken) -> Bool {
    var copy = self
    return copy.takeSeparator() != nil
  }

  private mutating func set() throws(Unreadable) -> MathValue {
    var value = try ratio()
    while true {
      if take(.command("cup")) {
        let next = try ratio()
        if case .union(let parts) = value {
          value = .union(parts + [next])
        } else {
          value = .union([value, next])
        }
      } else if case .command(let name)? = token, ["cap", "setminus"].contains(name) {
        at += 1
        value = .operation(name, [value, try ratio()])
      } else {
        return value
      }
    }
  }

  private mutating func ratio() throws(Unreadable) -> MathValue {
    var parts = [try sum()]
    while token == .mark(":"), at + 1 < tokens.count {
      at += 1
      parts.append(try sum())
    }
    if parts.count == 1 { return parts[0] }
    return .ratio(try parts.map { (part) throws(Unreadable) in try scalar(part) })
  }

  // MARK: Sums

  /// A sign, with ± as the one that is being read.
  private mutating func takeSign() -> Int? {
    switch token {
    case .mark("+")?:
      at += 1
      return 1
    case .mark("-")?:
      at += 1
      return -1
    case .command("pm")?, .command("mp")?:
      sawPlusMinus = true
      let sign = token == .command("pm") ? plusMinus : -plusMinus
      at += 1
      return sign
    default: return nil
    }
  }

  mutating func signs() -> Int? {
    guard var sign = takeSign() else { return nil }
    while let next = takeSign() { sign *= next }
    return sign
  }

  mutating func sum() throws(Unreadable) -> MathValue {
    let first = signs()
    var value = try product()
    if let first { value = try signed(value, first) }
    while let sign = signs() {
      isSum = true
      value = try sum(value, try signed(try product(), sign))
    }
    return value
  }

  private func signed(_ value: MathValue, _ sign: Int) throws(Unreadable) -> MathValue {
    if sign > 0 {
      switch value {
      case .scalar, .matrix: return value
      default: throw Unreadable("a sign stands before what is not a number")
      }
    }
    func negated(_ scalar: Scalar) -> Scalar {
      var scalar = scalar
      scalar.value = scalar.value.negated
      return scalar
    }
    switch value {
    case .scalar(let scalar): return .scalar(negated(scalar))
    case .matrix(let rows): return .matrix(rows.map { $0.map(negated) })
    default: throw Unreadable("a minus stands before what is not a number")
    }
  }

  private mutating func sum(_ a: MathValue, _ b: MathValue) throws(Unreadable) -> MathValue {
    switch (a, b) {
    case (.scalar(let a), .scalar(let b)): return .scalar(try sum(a, b))
    case (.matrix(let a), .matrix(let b)):
      guard a.count == b.count, a[0].count == b[0].count else {
        throw Unreadable("it adds matrices of unequal shapes")
      }
      var rows = a
      for row in a.indices {
        for column in a[row].indices { rows[row][column] = try sum(a[row][column], b[row][column]) }
      }
      return .matrix(rows)
    default: throw Unreadable("it adds what are not numbers")
    }
  }

  private mutating func sum(_ a: Scalar, _ b: Scalar) throws(Unreadable) -> Scalar {
    var result = Scalar(try algebra.sum(a.value, b.value))
    result.unit = a.unit ?? b.unit
    result.isPercent = a.isPercent && b.isPercent
    if a.isPercent != b.isPercent {
      result.value = try algebra.sum(try plainValue(a), try plainValue(b))
    }
    return result
  }

  /// A percentage as the number that it is.
  mutating func plainValue(_ scalar: Scalar) throws(Unreadable) -> Expression {
    guard scalar.isPercent, let hundredth = Rational(1, over: 100) else { return scalar.value }
    return try algebra.product(scalar.value, Expression(hundredth))
  }

  func scalar(_ value: MathValue) throws(Unreadable) -> Scalar {
    guard case .scalar(let scalar) = value else {
      throw Unreadable("a number is expected where there is none")
    }
    return scalar
  }
}
