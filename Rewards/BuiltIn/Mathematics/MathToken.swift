/// A piece of a LaTeX answer.
enum MathToken: Hashable {
  /// A number as written, without separators of thousands; with `e` where it has an exponent.
  case number(String)
  /// Letters in a row.
  case word(String)
  /// A command, without its backslash.
  case command(String)
  /// The content of \text{…}.
  case text(String)
  /// A sign or bracket. `⦃` and `⦄` are the braces that are printed, `{` and `}` those that group.
  case mark(Character)
  /// \begin{…} or \end{…}.
  case begin(String)
  case end(String)
  /// \\
  case rowBreak
}

/// What a comma without space between digits is.
enum CommaReading: CaseIterable {
  /// 1,234 is one number, where three digits follow.
  case thousands
  /// 1,234 are two numbers.
  case list
  /// 12,34 is 12.34.
  case decimal
}

/// Cuts a LaTeX answer into tokens; linear in its length.
struct MathLexer {
  private let text: [Unicode.Scalar]
  private let comma: CommaReading
  private var at = 0
  private var tokens: [(token: MathToken, isSpaced: Bool)] = []
  private var isSpaced = false
  /// Whether a comma stood between digits without a space: there is more than one reading.
  private(set) var hasTightComma = false

  private init(_ text: String, comma: CommaReading) {
    self.text = Array(MathSpelling.plain(text).unicodeScalars)
    self.comma = comma
  }

  /// The tokens, each with whether white space stands before it.
  static func tokens(
    of text: String, comma: CommaReading
  ) throws(Unreadable) -> (tokens: [(token: MathToken, isSpaced: Bool)], hasTightComma: Bool) {
    var lexer = MathLexer(text, comma: comma)
    while lexer.at < lexer.text.count { try lexer.next() }
    return (lexer.tokens, lexer.hasTightComma)
  }

  private func scalar(_ offset: Int = 0) -> Unicode.Scalar? {
    at + offset < text.count ? text[at + offset] : nil
  }

  private func isDigit(_ index: Int) -> Bool {
    index < text.count && ("0"..."9").contains(text[index])
  }

  private mutating func emit(_ token: MathToken) {
    tokens.append((token, isSpaced))
    isSpaced = false
  }

  private mutating func next() throws(Unreadable) {
    let first = text[at]
    if first.properties.isWhitespace || first == "~" {
      isSpaced = true
      at += 1
    } else if isDigit(at) || (first == "." && isDigit(at + 1)) {
      number()
    } else if first == "\\" {
      try command()
    } else if first.properties.isAlphabetic {
      word()
    } else {
      sign(first)
    }
  }

  // MARK: Numbers

  private mutating func number() {
    var digits = takeDigits()
    if (1...3).contains(digits.count) {
      while let start = nextGroup(digits) {
        at = start
        digits += takeDigits()
      }
    }
    let isDecimalComma = comma == .decimal && scalar() == "," && isDigit(at + 1)
    if scalar() == ",", isDigit(at + 1) { hasTightComma = true }
    if isDigit(at + 1), scalar() == "." || isDecimalComma {
      at += 1
      digits += "." + takeDigits()
    }
    if scalar() == "e" || scalar() == "E" {
      let sign = scalar(1) == "-" || scalar(1) == "+" ? 1 : 0
      if isDigit(at + 1 + sign) {
        digits += "e" + (scalar(1) == "-" ? "-" : "")
        at += 1 + sign
        digits += takeDigits()
      }
    }
    emit(.number(digits))
  }

  private mutating func takeDigits() -> String {
    let start = at
    while isDigit(at) { at += 1 }
    return String(String.UnicodeScalarView(text[start..<at]))
  }

  /// Where the next three digits of one number begin, after a separator of thousands.
  private mutating func nextGroup(_ digits: String) -> Int? {
    var end = at
    func take(_ word: String) -> Bool {
      guard text[end...].starts(with: word.unicodeScalars) else { return false }
      end += word.unicodeScalars.count
      return true
    }
    func skipSpace() { while end < text.count, text[end] == " " { end += 1 } }
    if take("{,}") || take("{, }") {
      // Only numbers are written so.
    } else if take(",") {
      skipSpace()
      let isPlain = !take("\\!")
      if isPlain, end > at + 1 || comma != .thousands || digits.hasPrefix("0") {
        if end == at + 1, isDigit(end) { hasTightComma = true }
        return nil
      }
      if isPlain { hasTightComma = true }
      skipSpace()
    } else if take("\\,") || take("\\ ") || take("~") || take(" ") {
      if digits.hasPrefix("0") { return nil }
    } else {
      return nil
    }
    guard (0..<3).allSatisfy({ isDigit(end + $0) }), !isDigit(end + 3) else { return nil }
    return end
  }

  // MARK: Words and signs

  private mutating func word() {
    let start = at
    while let scalar = scalar(), scalar.properties.isAlphabetic { at += 1 }
    var run = String(String.UnicodeScalarView(text[start..<at]))
    // 1orW(x) is 1 or W(x).
    for link in ["or", "and"] where run.hasPrefix(link) && run.count > link.count {
      let rest = run.dropFirst(link.count)
      guard rest.first?.isUppercase == true, !isSpaced, tokens.last != nil else { continue }
      emit(.word(link))
      run = String(rest)
    }
    emit(.word(run))
  }

  private mutating func sign(_ first: Unicode.Scalar) {
    for (spelling, name) in [("<=", "le"), (">=", "ge"), ("!=", "ne"), ("==", "eq"), ("**", "^")]
    where text[at...].starts(with: spelling.unicodeScalars) {
      at += 2
      emit(name == "^" ? .mark("^") : name == "eq" ? .mark("=") : .command(name))
      return
    }
    at += 1
    if "$€£¥₹₽₩₪฿".unicodeScalars.contains(first) {
      isSpaced = true
    } else {
      emit(.mark(Character(first)))
    }
  }

  // MARK: Commands

  private mutating func command() throws(Unreadable) {
    at += 1
    guard let first = scalar() else { throw Unreadable("it ends with a backslash") }
    guard first.properties.isAlphabetic else {
      at += 1
      switch first {
      case "\\": emit(.rowBreak)
      case "{": emit(.mark("⦃"))
      case "}": emit(.mark("⦄"))
      case "%": emit(.mark("%"))
      case "|": emit(.mark("‖"))
      // \, \! \$ \( and the like: space, or signs around mathematics.
      default: isSpaced = isSpaced || first != "!"
      }
      return
    }
    let start = at
    while let scalar = scalar(), scalar.properties.isAlphabetic { at += 1 }
    let name = String(String.UnicodeScalarView(text[start..<at]))
    try command(named: name)
  }

  private mutating func command(named name: String) throws(Unreadable) {
    if MathSpelling.delimiterSizes.contains(name) {
      skipSpace()
      // \left. and \right. print nothing.
      if name == "left" || name == "right", scalar() == ".", !isDigit(at + 1) { at += 1 }
    } else if MathSpelling.invisible.contains(name) {
      isSpaced = true
    } else if MathSpelling.dropped.contains(name) {
      _ = try argument()
      isSpaced = true
    } else if MathSpelling.textFonts.contains(name) {
      emit(.text(try argument()))
    } else if MathSpelling.uprightFonts.contains(name) {
      try upright()
    } else if name == "begin" || name == "end" {
      let environment = try argument().filter { $0 != "*" }
      emit(name == "begin" ? .begin(environment) : .end(environment))
      skipSpace()
      if name == "begin", environment == "array", scalar() == "{" { _ = try argument() }
    } else if let sign = MathSpelling.signs[name] {
      emit(.mark(sign))
    } else if name.hasPrefix("quad"), name != "qquad" {
      // \quadx is \quad x.
      isSpaced = true
      emit(.word(String(name.dropFirst(4))))
    } else {
      emit(.command(MathSpelling.commands[name] ?? name))
    }
  }

  private mutating func skipSpace() {
    while scalar()?.properties.isWhitespace == true { at += 1 }
  }

  /// \mathrm{cm} is a text, \mathrm{5} and \operatorname{sin} are not.
  private mutating func upright() throws(Unreadable) {
    skipSpace()
    guard scalar() == "{" else { return }
    let start = at
    let content = try argument()
    let word = content.filter { !$0.isWhitespace && $0 != "~" }
    if MathSpelling.functions.contains(word) {
      emit(.command(word))
    } else if word.count > 0, word.allSatisfy(\.isLetter) || Unit.isKnown(content) {
      emit(.text(content))
    } else {
      // The group is read as mathematics.
      at = start
    }
  }

  /// The content of the braces that come next.
  private mutating func argument() throws(Unreadable) -> String {
    skipSpace()
    guard scalar() == "{" else {
      guard let single = scalar() else { throw Unreadable("a command lacks its argument") }
      at += 1
      return String(Character(single))
    }
    let start = at + 1
    var depth = 0
    while let scalar = scalar() {
      if scalar == "\\" {
        at += 2
        continue
      }
      if scalar == "{" { depth += 1 }
      if scalar == "}" { depth -= 1 }
      at += 1
      if depth == 0 { return String(String.UnicodeScalarView(text[start..<(at - 1)])) }
    }
    throw Unreadable("a brace is not closed")
  }
}
