extension TemplateParser {
  /// Reads expressions; several with commas between are a tuple.
  mutating func tuple(
    withConditional: Bool = true
  ) throws(TemplateFault) -> TemplateExpression {
    let line = line
    var items: [TemplateExpression] = []
    var isTuple = false
    repeat {
      if isTuple, isTupleEnd { break }
      items.append(withConditional ? try expression() : try or())
      if isSymbol(",") { isTuple = true }
    } while take(symbol: ",")
    return isTuple ? TemplateExpression(line: line, kind: .tuple(items)) : items[0]
  }

  private var isTupleEnd: Bool {
    switch kind {
    case .variableEnd, .blockEnd, .symbol(")"), .end: true
    default: false
    }
  }

  /// Reads an expression: `a if test else b` and all that binds closer.
  mutating func expression() throws(TemplateFault) -> TemplateExpression {
    try enter()
    defer { leave() }
    let line = line
    var result = try or()
    while take(name: "if") {
      let test = try or()
      let otherwise = take(name: "else") ? try expression() : nil
      result = TemplateExpression(
        line: line, kind: .conditional(test, then: result, otherwise: otherwise))
    }
    return result
  }

  private mutating func or() throws(TemplateFault) -> TemplateExpression {
    let line = line
    var left = try and()
    while take(name: "or") {
      left = try deeper(TemplateExpression(line: line, kind: .or(left, try and())))
    }
    return left
  }

  private mutating func and() throws(TemplateFault) -> TemplateExpression {
    let line = line
    var left = try not()
    while take(name: "and") {
      left = try deeper(TemplateExpression(line: line, kind: .and(left, try not())))
    }
    return left
  }

  private mutating func not() throws(TemplateFault) -> TemplateExpression {
    let line = line
    guard isName("not"), !isNextName("in") else { return try comparison() }
    advance()
    try enter()
    defer { leave() }
    return TemplateExpression(line: line, kind: .not(try not()))
  }

  private mutating func comparison() throws(TemplateFault) -> TemplateExpression {
    let line = line
    let left = try sum()
    var rest: [(TemplateComparison, TemplateExpression)] = []
    while true {
      if case .symbol(let symbol) = kind, let comparison = TemplateComparison(rawValue: symbol) {
        advance()
        rest.append((comparison, try sum()))
      } else if take(name: "in") {
        rest.append((.isIn, try sum()))
      } else if isName("not"), isNextName("in") {
        advance()
        advance()
        rest.append((.isNotIn, try sum()))
      } else {
        break
      }
    }
    return rest.isEmpty ? left : TemplateExpression(line: line, kind: .comparison(left, rest))
  }

  private mutating func sum() throws(TemplateFault) -> TemplateExpression {
    let line = line
    var left = try concatenation()
    while case .symbol(let symbol) = kind, symbol == "+" || symbol == "-",
      let operation = TemplateArithmetic(rawValue: symbol)
    {
      advance()
      let right = try concatenation()
      left = try deeper(TemplateExpression(line: line, kind: .arithmetic(operation, left, right)))
    }
    return left
  }

  private mutating func concatenation() throws(TemplateFault) -> TemplateExpression {
    let line = line
    var items = [try product()]
    while take(symbol: "~") { items.append(try product()) }
    return items.count == 1 ? items[0] : TemplateExpression(line: line, kind: .concatenation(items))
  }

  private mutating func product() throws(TemplateFault) -> TemplateExpression {
    let line = line
    var left = try power()
    while case .symbol(let symbol) = kind, ["*", "/", "//", "%"].contains(symbol),
      let operation = TemplateArithmetic(rawValue: symbol)
    {
      advance()
      left = try deeper(
        TemplateExpression(line: line, kind: .arithmetic(operation, left, try power())))
    }
    return left
  }

  private mutating func power() throws(TemplateFault) -> TemplateExpression {
    let line = line
    var left = try unary(withFilters: true)
    while take(symbol: "**") {
      left = try deeper(
        TemplateExpression(
          line: line, kind: .arithmetic(.power, left, try unary(withFilters: true))))
    }
    return left
  }

  /// Refuses chains so long that the tree would be too deep to walk.
  private func deeper(_ expression: TemplateExpression) throws(TemplateFault) -> TemplateExpression
  {
    guard Self.depth(of: expression) <= 2 * Self.depthLimit else {
      throw fault("the expression is too long")
    }
    return expression
  }

  /// The length of an expression's leftmost path, along which chains grow.
  private static func depth(of expression: TemplateExpression) -> Int {
    var depth = 0
    var expression = expression
    while true {
      switch expression.kind {
      case .and(let left, _), .or(let left, _), .arithmetic(_, let left, _),
        .filter(let left, _, _),
        .test(let left, _, _, _), .attribute(let left, _), .item(let left, _), .slice(let left, _),
        .call(let left, _), .conditional(_, let left, _):
        expression = left
        depth += 1
      default: return depth
      }
    }
  }

  private mutating func unary(withFilters: Bool) throws(TemplateFault) -> TemplateExpression {
    let line = line
    var node: TemplateExpression
    if isSymbol("-") || isSymbol("+") {
      let isNegative = isSymbol("-")
      advance()
      try enter()
      defer { leave() }
      node = TemplateExpression(
        line: line, kind: .sign(try unary(withFilters: false), isNegative: isNegative))
    } else {
      node = try primary()
    }
    node = try postfix(on: node)
    return withFilters ? try filtersAndTests(on: node) : node
  }

  private mutating func primary() throws(TemplateFault) -> TemplateExpression {
    let line = line
    func literal(_ value: TemplateLiteral) -> TemplateExpression {
      TemplateExpression(line: line, kind: .literal(value))
    }
    switch kind {
    case .name(let name):
      advance()
      switch name {
      case "true", "True": return literal(.bool(true))
      case "false", "False": return literal(.bool(false))
      case "none", "None": return literal(.none)
      default: return TemplateExpression(line: line, kind: .name(name))
      }
    case .string(let text):
      advance()
      var text = text
      while case .string(let more) = kind {
        text += more
        advance()
      }
      return literal(.string(text))
    case .integer(let value):
      advance()
      return literal(.integer(value))
    case .number(let value):
      advance()
      return literal(.number(value))
    case .symbol("("):
      advance()
      if take(symbol: ")") { return TemplateExpression(line: line, kind: .tuple([])) }
      let inner = try tuple()
      try expect(symbol: ")")
      return inner
    case .symbol("["):
      advance()
      return TemplateExpression(line: line, kind: .list(try items(until: "]")))
    case .symbol("{"):
      advance()
      return TemplateExpression(line: line, kind: .dictionary(try members()))
    default: throw fault("expected a value, found \(described)")
    }
  }

  private mutating func items(until end: String) throws(TemplateFault) -> [TemplateExpression] {
    var items: [TemplateExpression] = []
    while !take(symbol: end) {
      if !items.isEmpty {
        try expect(symbol: ",")
        if take(symbol: end) { break }
      }
      items.append(try expression())
    }
    return items
  }

  private mutating func members() throws(TemplateFault) -> [(
    key: TemplateExpression, value: TemplateExpression
  )] {
    var members: [(key: TemplateExpression, value: TemplateExpression)] = []
    while !take(symbol: "}") {
      if !members.isEmpty {
        try expect(symbol: ",")
        if take(symbol: "}") { break }
      }
      let key = try expression()
      try expect(symbol: ":")
      members.append((key, try expression()))
    }
    return members
  }

  // MARK: What follows a value

  private mutating func postfix(
    on node: TemplateExpression
  ) throws(TemplateFault) -> TemplateExpression {
    var node = node
    while true {
      let line = line
      if take(symbol: ".") {
        if case .integer(let index) = kind {
          advance()
          let key = TemplateExpression(line: line, kind: .literal(.integer(index)))
          node = TemplateExpression(line: line, kind: .item(node, key))
        } else {
          node = TemplateExpression(line: line, kind: .attribute(node, try expectName()))
        }
      } else if take(symbol: "[") {
        node = try item(of: node, line)
      } else if isSymbol("(") {
        node = TemplateExpression(line: line, kind: .call(node, try arguments()))
      } else {
        return node
      }
      node = try deeper(node)
    }
  }

  private mutating func item(
    of node: TemplateExpression, _ line: Int
  ) throws(TemplateFault) -> TemplateExpression {
    var slice = TemplateSlice()
    if !isSymbol(":") {
      let key = try tuple()
      if take(symbol: "]") { return TemplateExpression(line: line, kind: .item(node, key)) }
      slice.start = key
    }
    try expect(symbol: ":")
    if !isSymbol(":"), !isSymbol("]") { slice.stop = try expression() }
    if take(symbol: ":"), !isSymbol("]") { slice.step = try expression() }
    try expect(symbol: "]")
    return TemplateExpression(line: line, kind: .slice(node, slice))
  }

  mutating func arguments() throws(TemplateFault) -> TemplateArguments {
    try expect(symbol: "(")
    var arguments = TemplateArguments()
    var isFirst = true
    while !take(symbol: ")") {
      if !isFirst {
        try expect(symbol: ",")
        if take(symbol: ")") { break }
      }
      isFirst = false
      if take(symbol: "**") {
        arguments.namedSpread = try expression()
      } else if take(symbol: "*") {
        arguments.spread = try expression()
      } else if case .name(let name) = kind, isNextSymbol("=") {
        advance()
        advance()
        arguments.named.append((name, try expression()))
      } else {
        guard arguments.named.isEmpty else {
          throw fault("an argument without a name follows one with a name")
        }
        arguments.positional.append(try expression())
      }
    }
    return arguments
  }

  private mutating func filtersAndTests(
    on node: TemplateExpression
  ) throws(TemplateFault) -> TemplateExpression {
    var node = node
    while true {
      let line = line
      if isSymbol("|") {
        node = try filters(on: node, isBlock: false)
      } else if take(name: "is") {
        node = try test(on: node, line)
      } else if isSymbol("(") {
        node = TemplateExpression(line: line, kind: .call(node, try arguments()))
      } else {
        return node
      }
      node = try deeper(node)
    }
  }

  /// Reads `|name(…)|name…`; in a filter block the first name has no bar before it.
  ///
  /// A name that no filter has is a fault only where it is reached, so that a template may have branches
  /// for other programs (DeepSeek-V3.2's `from_json`); tests likewise.
  mutating func filters(
    on node: TemplateExpression, isBlock: Bool
  ) throws(TemplateFault) -> TemplateExpression {
    var node = node
    var isFirst = isBlock
    while isFirst || take(symbol: "|") {
      isFirst = false
      let line = line
      var name = try expectName()
      while take(symbol: ".") { name += ".\(try expectName())" }
      let arguments = isSymbol("(") ? try arguments() : TemplateArguments()
      node = try deeper(TemplateExpression(line: line, kind: .filter(node, name, arguments)))
    }
    return node
  }

  private mutating func test(
    on node: TemplateExpression, _ line: Int
  ) throws(TemplateFault) -> TemplateExpression {
    let isNegated = take(name: "not")
    var name = try expectName()
    while take(symbol: ".") { name += ".\(try expectName())" }
    var arguments = TemplateArguments()
    if isSymbol("(") {
      arguments = try self.arguments()
    } else if startsTestArgument {
      try enter()
      defer { leave() }
      arguments.positional = [try postfix(on: try primary())]
    }
    return TemplateExpression(
      line: line, kind: .test(node, name, arguments, isNegated: isNegated))
  }

  private var startsTestArgument: Bool {
    switch kind {
    case .name(let name):
      !["else", "or", "and", "if", "in", "not", "is", "recursive"].contains(name)
    case .string, .integer, .number, .symbol("["), .symbol("{"): true
    default: false
    }
  }
}
