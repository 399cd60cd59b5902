extension TemplateParser {
  /// Reads statements up to a tag with one of the names, which it leaves open (`{% name` is read).
  mutating func statements(
    until ends: [String]
  ) throws(TemplateFault) -> ([TemplateStatement], end: String?) {
    try enter()
    defer { leave() }
    var statements: [TemplateStatement] = []
    while true {
      let line = line
      switch kind {
      case .end:
        guard ends.isEmpty else {
          throw fault("the template ends where {% \(ends[ends.count - 1]) %} was expected")
        }
        return (statements, nil)
      case .text(let text):
        advance()
        statements.append(TemplateStatement(line: line, kind: .text(text)))
      case .variableBegin:
        advance()
        let expression = try tuple()
        guard kind == .variableEnd else { throw fault("expected '}}', found \(described)") }
        advance()
        statements.append(TemplateStatement(line: line, kind: .output(expression)))
      case .blockBegin:
        advance()
        let name = try expectName()
        if ends.contains(name) { return (statements, name) }
        let kind = try statement(name, line)
        statements.append(TemplateStatement(line: line, kind: kind))
      default: throw fault("unexpected \(described)")
      }
    }
  }

  /// Reads a body up to its only end tag, that tag included.
  private mutating func body(until end: String) throws(TemplateFault) -> [TemplateStatement] {
    try expectBlockEnd()
    let (statements, _) = try statements(until: [end])
    try expectBlockEnd()
    return statements
  }

  private mutating func statement(
    _ name: String, _ line: Int
  ) throws(TemplateFault) -> TemplateStatement.Kind {
    switch name {
    case "if": return try condition()
    case "for": return try loop()
    case "set": return try set()
    case "macro":
      let name = try expectName()
      let parameters = try parameters()
      return .macro(
        TemplateMacro(
          name: name, parameters: parameters, body: try body(until: "endmacro"), line: line))
    case "call":
      let parameters = isSymbol("(") ? try parameters() : []
      let call = try expression()
      guard case .call = call.kind else { throw fault("expected a call") }
      return .call(
        call,
        TemplateMacro(
          name: "caller", parameters: parameters, body: try body(until: "endcall"), line: line))
    case "filter":
      let filter = try filters(on: TemplateExpression(line: line, kind: .captured), isBlock: true)
      return .filterBlock(filter, try body(until: "endfilter"))
    case "with": return try with()
    case "generation": return .group(try body(until: "endgeneration"))
    case "break", "continue":
      try expectBlockEnd()
      return name == "break" ? .breakLoop : .continueLoop
    case "include", "import", "from", "extends", "block", "autoescape", "do", "trans":
      throw TemplateFault(
        line: line, reason: "{% \(name) %} is not available to chat templates")
    default: throw TemplateFault(line: line, reason: "unknown tag {% \(name) %}")
    }
  }

  private mutating func condition() throws(TemplateFault) -> TemplateStatement.Kind {
    var branches: [(test: TemplateExpression, body: [TemplateStatement])] = []
    while true {
      let test = try tuple(withConditional: false)
      try expectBlockEnd()
      let (body, end) = try statements(until: ["elif", "else", "endif"])
      branches.append((test, body))
      if end == "elif" { continue }
      try expectBlockEnd()
      guard end == "else" else { return .condition(branches, []) }
      let (otherwise, _) = try statements(until: ["endif"])
      try expectBlockEnd()
      return .condition(branches, otherwise)
    }
  }

  private mutating func loop() throws(TemplateFault) -> TemplateStatement.Kind {
    let target = try target(stopsAtIn: true)
    guard take(name: "in") else { throw fault("expected 'in', found \(described)") }
    let iterable = try tuple(withConditional: false)
    let filter = take(name: "if") ? try expression() : nil
    let isRecursive = take(name: "recursive")
    try expectBlockEnd()
    let (body, end) = try statements(until: ["else", "endfor"])
    try expectBlockEnd()
    var otherwise: [TemplateStatement] = []
    if end == "else" {
      (otherwise, _) = try statements(until: ["endfor"])
      try expectBlockEnd()
    }
    return .loop(
      TemplateLoop(
        target: target, iterable: iterable, filter: filter, body: body, otherwise: otherwise,
        isRecursive: isRecursive))
  }

  private mutating func set() throws(TemplateFault) -> TemplateStatement.Kind {
    let line = line
    let target = try target(stopsAtIn: false)
    if take(symbol: "=") {
      let value = try tuple()
      try expectBlockEnd()
      return .set(target, value)
    }
    let filter = try filters(on: TemplateExpression(line: line, kind: .captured), isBlock: false)
    return .setBlock(target, filter: filter, try body(until: "endset"))
  }

  private mutating func with() throws(TemplateFault) -> TemplateStatement.Kind {
    var bindings: [(TemplateTarget, TemplateExpression)] = []
    while kind != .blockEnd {
      if !bindings.isEmpty { try expect(symbol: ",") }
      let target = TemplateTarget.name(try expectName())
      try expect(symbol: "=")
      bindings.append((target, try expression()))
    }
    return .with(bindings, try body(until: "endwith"))
  }

  private mutating func parameters() throws(TemplateFault) -> [(
    name: String, fallback: TemplateExpression?
  )] {
    try expect(symbol: "(")
    var parameters: [(name: String, fallback: TemplateExpression?)] = []
    while !take(symbol: ")") {
      if !parameters.isEmpty { try expect(symbol: ",") }
      let name = try expectName()
      parameters.append((name, take(symbol: "=") ? try expression() : nil))
    }
    return parameters
  }

  private mutating func target(stopsAtIn: Bool) throws(TemplateFault) -> TemplateTarget {
    var targets: [TemplateTarget] = []
    var isTuple = false
    repeat {
      if isTuple, isName("in") || isSymbol("=") || kind == .blockEnd { break }
      if take(symbol: "(") {
        try enter()
        targets.append(try target(stopsAtIn: false))
        leave()
        try expect(symbol: ")")
      } else {
        let name = try expectName()
        guard !["true", "false", "none", "True", "False", "None"].contains(name) else {
          throw fault("can't assign to '\(name)'")
        }
        if !stopsAtIn, take(symbol: ".") {
          targets.append(.attribute(name, try expectName()))
        } else {
          targets.append(.name(name))
        }
      }
      if isSymbol(",") { isTuple = true }
    } while take(symbol: ",")
    return isTuple ? .tuple(targets) : targets[0]
  }
}
