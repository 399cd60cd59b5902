/// Reads a template's words into statements, by Jinja's grammar.
struct TemplateParser {
  private let tokens: [TemplateToken]
  private var position = 0
  private var depth = 0

  /// Deeper nesting of statements and expressions is refused: it would be met again as depth of the
  /// stack when the template runs.
  static let depthLimit = 100

  private init(_ tokens: [TemplateToken]) { self.tokens = tokens }

  /// The statements of a template.
  static func parse(_ text: String) throws(TemplateFault) -> [TemplateStatement] {
    var parser = TemplateParser(try TemplateLexer.tokens(of: text))
    let (statements, end) = try parser.statements(until: [])
    if let end { throw TemplateFault(line: parser.line, reason: "unexpected {% \(end) %}") }
    return statements
  }

  // MARK: Words

  var kind: TemplateToken.Kind { tokens[min(position, tokens.count - 1)].kind }
  var line: Int { tokens[min(position, tokens.count - 1)].line }

  mutating func advance() { position += 1 }

  func fault(_ reason: String) -> TemplateFault { TemplateFault(line: line, reason: reason) }

  /// The present word for a message.
  var described: String {
    switch kind {
    case .text: "text"
    case .variableBegin: "'{{'"
    case .variableEnd: "'}}'"
    case .blockBegin: "'{%'"
    case .blockEnd: "'%}'"
    case .name(let name): "'\(name)'"
    case .string: "a string"
    case .integer, .number: "a number"
    case .symbol(let symbol): "'\(symbol)'"
    case .end: "the end of the template"
    }
  }

  func isSymbol(_ symbol: String) -> Bool { kind == .symbol(symbol) }
  func isName(_ name: String) -> Bool { kind == .name(name) }

  mutating func take(symbol: String) -> Bool {
    guard isSymbol(symbol) else { return false }
    advance()
    return true
  }

  mutating func take(name: String) -> Bool {
    guard isName(name) else { return false }
    advance()
    return true
  }

  mutating func expect(symbol: String) throws(TemplateFault) {
    guard take(symbol: symbol) else { throw fault("expected '\(symbol)', found \(described)") }
  }

  mutating func expectName() throws(TemplateFault) -> String {
    guard case .name(let name) = kind else { throw fault("expected a name, found \(described)") }
    advance()
    return name
  }

  mutating func expectBlockEnd() throws(TemplateFault) {
    guard kind == .blockEnd else { throw fault("expected '%}', found \(described)") }
    advance()
  }

  /// Counts a level of nesting for the duration of a rule.
  mutating func enter() throws(TemplateFault) {
    depth += 1
    guard depth <= Self.depthLimit else {
      throw fault("nested more than \(Self.depthLimit) deep")
    }
  }

  mutating func leave() { depth -= 1 }

  /// Whether the word after the present one is a symbol.
  func isNextSymbol(_ symbol: String) -> Bool {
    position + 1 < tokens.count && tokens[position + 1].kind == .symbol(symbol)
  }

  /// Whether the word after the present one is a name.
  func isNextName(_ name: String) -> Bool {
    position + 1 < tokens.count && tokens[position + 1].kind == .name(name)
  }
}
