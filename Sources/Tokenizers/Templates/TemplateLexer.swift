/// A template's word.
struct TemplateToken: Sendable {
  enum Kind: Sendable, Equatable {
    /// Text outside all tags, white space control applied.
    case text(String)
    case variableBegin, variableEnd, blockBegin, blockEnd
    case name(String)
    case string(String)
    case integer(Int)
    case number(Double)
    case symbol(String)
    case end
  }

  var kind: Kind
  var line: Int
}

/// Cuts a template into words, with `trim_blocks` and `lstrip_blocks` as transformers sets them:
/// a block tag takes the blanks before it on its line and the line break after it along.
struct TemplateLexer {
  private let source: [Unicode.Scalar]
  private var position = 0
  private var line = 1
  private var tokens: [TemplateToken] = []
  /// Whether what comes next stands at the start of a line.
  private var startsLine = true
  /// The brackets that are open inside a tag.
  private var brackets: [Unicode.Scalar] = []

  /// Longer templates are refused.
  static let lengthLimit = 1 << 20

  private init(_ text: String) {
    var scalars: [Unicode.Scalar] = []
    var afterReturn = false
    for scalar in text.unicodeScalars {
      if scalar == "\n", afterReturn {
        afterReturn = false
        continue
      }
      afterReturn = scalar == "\r"
      scalars.append(afterReturn ? "\n" : scalar)
    }
    // Jinja drops one line break at the very end.
    if scalars.last == "\n" { scalars.removeLast() }
    source = scalars
  }

  /// The words of a template.
  static func tokens(of text: String) throws(TemplateFault) -> [TemplateToken] {
    guard text.utf8.count <= lengthLimit else {
      throw TemplateFault(line: 1, reason: "the template is longer than \(lengthLimit) bytes")
    }
    var lexer = TemplateLexer(text)
    while try lexer.scanText() {}
    lexer.append(.end)
    return lexer.tokens
  }

  // MARK: Reading

  private func matches(_ text: StaticString, at index: Int) -> Bool {
    let count = text.utf8CodeUnitCount
    guard index + count <= source.count else { return false }
    for offset in 0..<count where source[index + offset].value != UInt32(text.utf8Start[offset]) {
      return false
    }
    return true
  }

  private mutating func advance(to index: Int) {
    for scalar in source[position..<index] where scalar == "\n" { line += 1 }
    position = index
  }

  private mutating func append(_ kind: TemplateToken.Kind) {
    tokens.append(TemplateToken(kind: kind, line: line))
  }

  private func string(_ range: Range<Int>) -> String {
    var text = String.UnicodeScalarView()
    text.append(contentsOf: source[range])
    return String(text)
  }

  // MARK: Outside tags

  /// Scans text up to the next tag and the tag itself; false at the end.
  private mutating func scanText() throws(TemplateFault) -> Bool {
    var index = position
    while index < source.count {
      if source[index] == "{", index + 1 < source.count,
        source[index + 1] == "{" || source[index + 1] == "%" || source[index + 1] == "#"
      {
        break
      }
      index += 1
    }
    guard index < source.count else {
      appendText(position..<index)
      advance(to: index)
      return false
    }
    let isVariable = source[index + 1] == "{"
    let isComment = source[index + 1] == "#"
    var textEnd = index
    let sign = index + 2 < source.count ? source[index + 2] : " "
    if sign == "-" {
      while textEnd > position, source[textEnd - 1].isPythonSpace { textEnd -= 1 }
    } else if sign != "+", !isVariable {
      textEnd = endWithoutIndentation(index)
    }
    appendText(position..<textEnd)
    advance(to: index)
    let start = index + (sign == "-" || sign == "+" ? 3 : 2)
    if isComment {
      try skipComment(from: start)
    } else if isVariable {
      append(.variableBegin)
      advance(to: start)
      try scanTag(isBlock: false)
    } else if let body = rawBodyStart(from: start) {
      try scanRaw(from: body)
    } else {
      append(.blockBegin)
      advance(to: start)
      try scanTag(isBlock: true)
    }
    return true
  }

  private mutating func appendText(_ range: Range<Int>) {
    if !range.isEmpty { append(.text(string(range))) }
  }

  /// Where the text before a tag ends once the tag's own indentation is taken away.
  private func endWithoutIndentation(_ tag: Int) -> Int {
    var start = tag
    while start > position, source[start - 1] != "\n" { start -= 1 }
    guard start > position || startsLine else { return tag }
    return source[start..<tag].allSatisfy(\.isPythonSpace) ? start : tag
  }

  private mutating func skipComment(from start: Int) throws(TemplateFault) {
    var index = start
    while index + 1 < source.count, !(source[index] == "#" && source[index + 1] == "}") {
      index += 1
    }
    guard index + 1 < source.count else {
      throw TemplateFault(line: line, reason: "the comment is not closed by #}")
    }
    let sign = index > start || index > 0 ? source[index - 1] : " "
    let after = index + 2
    finishTag(at: after, sign: index > start ? sign : " ", trimsBreak: true)
  }

  /// Goes on after a tag's closing sign: `-` takes all white space along, a block one line break.
  private mutating func finishTag(at end: Int, sign: Unicode.Scalar, trimsBreak: Bool) {
    var index = end
    if sign == "-" {
      while index < source.count, source[index].isPythonSpace { index += 1 }
    } else if trimsBreak, sign != "+", index < source.count, source[index] == "\n" {
      index += 1
    }
    advance(to: index)
    startsLine = index > 0 && source[index - 1] == "\n"
  }

  // MARK: raw … endraw

  /// Where the body of a raw block starts whose tag's inside starts here; nil for other tags.
  private func rawBodyStart(from start: Int) -> (after: Int, sign: Unicode.Scalar)? {
    var index = start
    while index < source.count, source[index].isPythonSpace { index += 1 }
    guard matches("raw", at: index) else { return nil }
    index += 3
    while index < source.count, source[index].isPythonSpace { index += 1 }
    var sign: Unicode.Scalar = " "
    if index < source.count, source[index] == "-" || source[index] == "+" {
      sign = source[index]
      index += 1
    }
    return matches("%}", at: index) ? (index + 2, sign) : nil
  }

  private mutating func scanRaw(from body: (after: Int, sign: Unicode.Scalar)) throws(TemplateFault)
  {
    let opening = line
    finishTag(at: body.after, sign: body.sign, trimsBreak: true)
    let start = position
    var index = start
    while index < source.count {
      if matches("{%", at: index), let end = endrawEnd(from: index) {
        var textEnd = index
        if end.openingSign == "-" {
          while textEnd > start, source[textEnd - 1].isPythonSpace { textEnd -= 1 }
        } else if end.openingSign != "+" {
          textEnd = endWithoutIndentation(index)
        }
        appendText(start..<textEnd)
        return finishTag(at: end.after, sign: end.closingSign, trimsBreak: true)
      }
      index += 1
    }
    throw TemplateFault(line: opening, reason: "the raw block is not closed by {% endraw %}")
  }

  private func endrawEnd(
    from tag: Int
  ) -> (after: Int, openingSign: Unicode.Scalar, closingSign: Unicode.Scalar)? {
    var index = tag + 2
    var opening: Unicode.Scalar = " "
    if index < source.count, source[index] == "-" || source[index] == "+" {
      opening = source[index]
      index += 1
    }
    while index < source.count, source[index].isPythonSpace { index += 1 }
    guard matches("endraw", at: index) else { return nil }
    index += 6
    while index < source.count, source[index].isPythonSpace { index += 1 }
    var closing: Unicode.Scalar = " "
    if index < source.count, source[index] == "-" || source[index] == "+" {
      closing = source[index]
      index += 1
    }
    return matches("%}", at: index) ? (index + 2, opening, closing) : nil
  }

  // MARK: Inside tags

  private mutating func scanTag(isBlock: Bool) throws(TemplateFault) {
    let opening = line
    brackets = []
    while true {
      while position < source.count, source[position].isPythonSpace { advance(to: position + 1) }
      guard position < source.count else {
        throw TemplateFault(
          line: opening, reason: "the tag is not closed by \(isBlock ? "%}" : "}}")")
      }
      if brackets.isEmpty, let end = tagEnd(isBlock: isBlock) {
        append(isBlock ? .blockEnd : .variableEnd)
        return finishTag(at: end.after, sign: end.sign, trimsBreak: isBlock)
      }
      try scanWord()
    }
  }

  private func tagEnd(isBlock: Bool) -> (after: Int, sign: Unicode.Scalar)? {
    let scalar = source[position]
    let hasSign = scalar == "-" || isBlock && scalar == "+"
    let index = hasSign ? position + 1 : position
    guard isBlock ? matches("%}", at: index) : matches("}}", at: index) else { return nil }
    return (index + 2, hasSign ? scalar : " ")
  }

  private mutating func scanWord() throws(TemplateFault) {
    let scalar = source[position]
    if scalar == "\"" || scalar == "'" { return try scanString(quote: scalar) }
    if ("0"..."9").contains(scalar) { return try scanNumber() }
    if scalar == "_" || scalar.properties.isXIDStart {
      var index = position + 1
      while index < source.count, source[index] == "_" || source[index].properties.isXIDContinue {
        index += 1
      }
      append(.name(string(position..<index)))
      return advance(to: index)
    }
    for symbol in ["**", "//", "==", "!=", ">=", "<="] where position + 1 < source.count {
      let pair = Array(symbol.unicodeScalars)
      if source[position] == pair[0], source[position + 1] == pair[1] {
        append(.symbol(symbol))
        return advance(to: position + 2)
      }
    }
    guard "+-/*%~[](){}<>=.:|,;".unicodeScalars.contains(scalar) else {
      throw TemplateFault(line: line, reason: "unexpected character '\(scalar)'")
    }
    try balance(scalar)
    append(.symbol(String(scalar)))
    advance(to: position + 1)
  }

  private mutating func balance(_ scalar: Unicode.Scalar) throws(TemplateFault) {
    switch scalar {
    case "(": brackets.append(")")
    case "[": brackets.append("]")
    case "{": brackets.append("}")
    case ")", "]", "}":
      guard brackets.popLast() == scalar else {
        throw TemplateFault(line: line, reason: "unexpected '\(scalar)'")
      }
    default: break
    }
  }

  private mutating func scanNumber() throws(TemplateFault) {
    var index = position
    var text = ""
    func digits(_ isDigit: (Unicode.Scalar) -> Bool) {
      while index < source.count,
        isDigit(source[index])
          || source[index] == "_" && index + 1 < source.count && isDigit(source[index + 1])
      {
        if source[index] != "_" { text.unicodeScalars.append(source[index]) }
        index += 1
      }
    }
    let isDecimal: (Unicode.Scalar) -> Bool = { ("0"..."9").contains($0) }
    if source[index] == "0", index + 1 < source.count,
      let radix = ["x": 16, "o": 8, "b": 2][String(source[index + 1]).lowercased()]
    {
      index += 2
      digits { Character($0).hexDigitValue.map { $0 < radix } ?? false }
      guard let value = Int(text, radix: radix) else {
        throw TemplateFault(line: line, reason: "the number can't be read or is too large")
      }
      append(.integer(value))
      return advance(to: index)
    }
    digits(isDecimal)
    var isInteger = true
    if index + 1 < source.count, source[index] == ".", isDecimal(source[index + 1]) {
      isInteger = false
      text += "."
      index += 1
      digits(isDecimal)
    }
    if index < source.count, source[index] == "e" || source[index] == "E" {
      var next = index + 1
      if next < source.count, source[next] == "+" || source[next] == "-" { next += 1 }
      if next < source.count, isDecimal(source[next]) {
        isInteger = false
        text += string(index..<next)
        index = next
        digits(isDecimal)
      }
    }
    if isInteger {
      guard let value = Int(text) else {
        throw TemplateFault(line: line, reason: "the number \(text) is too large")
      }
      append(.integer(value))
    } else {
      append(.number(Double(text) ?? .infinity))
    }
    advance(to: index)
  }

  private mutating func scanString(quote: Unicode.Scalar) throws(TemplateFault) {
    var text = String.UnicodeScalarView()
    var index = position + 1
    while index < source.count, source[index] != quote {
      guard source[index] == "\\" else {
        text.append(source[index])
        index += 1
        continue
      }
      index += 1
      guard index < source.count else { break }
      unescape(&index, into: &text)
    }
    guard index < source.count else {
      throw TemplateFault(line: line, reason: "the string is not closed by \(quote)")
    }
    append(.string(String(text)))
    advance(to: index + 1)
  }

  /// Reads what follows a backslash as Python does; an unknown escape keeps its backslash.
  private func unescape(_ index: inout Int, into text: inout String.UnicodeScalarView) {
    let scalar = source[index]
    index += 1
    switch scalar {
    case "n": text.append("\n")
    case "t": text.append("\t")
    case "r": text.append("\r")
    case "a": text.append("\u{7}")
    case "b": text.append("\u{8}")
    case "f": text.append("\u{C}")
    case "v": text.append("\u{B}")
    case "\\", "'", "\"": text.append(scalar)
    case "\n": break
    case "x", "u", "U":
      let count = scalar == "x" ? 2 : scalar == "u" ? 4 : 8
      let end = min(index + count, source.count)
      if end - index == count, let value = UInt32(string(index..<end), radix: 16) {
        text.append(Unicode.Scalar(value) ?? "\u{FFFD}")
        index = end
      } else {
        text.append("\\")
        text.append(scalar)
      }
    case "0"..."7":
      var value = scalar.value - 0x30
      var count = 1
      while count < 3, index < source.count, ("0"..."7").contains(source[index]) {
        value = value * 8 + source[index].value - 0x30
        index += 1
        count += 1
      }
      text.append(Unicode.Scalar(value) ?? "\u{FFFD}")
    default:
      text.append("\\")
      text.append(scalar)
    }
  }
}

extension Unicode.Scalar {
  /// Whether Python's `str.isspace` holds: Unicode's white space and the four separators of ASCII.
  var isPythonSpace: Bool { properties.isWhitespace || (0x1C...0x1F).contains(value) }
}
