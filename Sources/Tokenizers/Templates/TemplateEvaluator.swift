import Foundation

/// Runs a template's statements.
///
/// Limits hold whatever the template: on steps, on the size of any text and list, on the depth of
/// nested calls and of nested values. A step is also charged for the bytes it looks at and for those
/// it makes, 32 of them a step, so that a rendering makes less than 160 MiB of text in all and ends
/// within seconds.
final class TemplateEvaluator {
  /// Steps of a run: a long conversation takes some hundred thousand.
  static let stepLimit = 5_000_000
  /// Bytes of any one text.
  static let textLimit = 16 << 20
  /// Elements of any one list.
  static let listLimit = 1_000_000
  /// Nested evaluations; macros that call themselves end here, well before the stack does.
  static let depthLimit = 400
  /// Lists, tuples and dictionaries within each other, more than any JSON that is read has.
  ///
  /// Much deeper ones would be released by a recursion that outgrows the stack.
  static let nestingLimit = 1_000

  let now: Date
  private var steps = 0
  private var depth = 0
  /// What the statements write to; nested captures stack up.
  private var output = ""
  /// What the innermost filter block has captured.
  private var captured: [TemplateValue] = []
  /// What values refer to, to be emptied at the end.
  private var references: [any TemplateReference] = []

  init(now: Date) { self.now = now }

  /// What statements do to the loop around them.
  enum Flow { case onward, breakLoop, continueLoop }

  /// Runs a template to its text.
  func render(
    _ statements: [TemplateStatement], _ scope: TemplateScope
  ) throws(TemplateFault) -> String {
    defer { for reference in references { reference.empty() } }
    _ = try run(statements, scope)
    return output
  }

  /// Holds what a value will refer to until the rendering ends.
  func keep<Reference: TemplateReference>(_ reference: Reference) -> Reference {
    references.append(reference)
    return reference
  }

  // MARK: Limits

  /// Counts steps.
  func charge(_ count: Int, _ line: Int) throws(TemplateFault) {
    steps += count
    guard steps <= Self.stepLimit else {
      throw TemplateFault(
        line: line, reason: "the template runs for more than \(Self.stepLimit) steps")
    }
  }

  /// Counts looking at a text scalar by scalar.
  func chargeReading(_ text: String, _ line: Int) throws(TemplateFault) {
    try charge(text.utf8.count / 16, line)
  }

  /// Checks and counts the making of a text.
  func text(_ text: String, _ line: Int) throws(TemplateFault) -> TemplateValue {
    try checkText(text.utf8.count, line)
    return .string(text)
  }

  /// Runs a comparison of values with what is left of the steps as its budget.
  func comparing<Result>(
    _ line: Int, _ body: (inout Int) -> Result
  ) throws(TemplateFault) -> Result {
    let left = max(Self.stepLimit - steps, 0)
    var budget = left + 1
    let result = body(&budget)
    try charge(left + 1 - budget, line)
    return result
  }

  /// Python's `==`.
  func isEqual(
    _ left: TemplateValue, _ right: TemplateValue, _ line: Int
  ) throws(TemplateFault) -> Bool {
    try comparing(line) { left.isEqual(to: right, budget: &$0) }
  }

  /// Python's `<`; nil where the two have no order.
  func isLess(
    _ left: TemplateValue, _ right: TemplateValue, _ line: Int
  ) throws(TemplateFault) -> Bool? {
    try comparing(line) { left.isLess(than: right, budget: &$0) }
  }

  /// Checks and counts the making of a text of a size, before it is made.
  func checkText(_ count: Int, _ line: Int) throws(TemplateFault) {
    guard count <= Self.textLimit else {
      throw TemplateFault(line: line, reason: "a text grows beyond \(Self.textLimit >> 20) MiB")
    }
    try charge(1 + count / 32, line)
  }

  /// Appends a piece, checked and counted, to a text that is being made.
  func append(_ piece: String, to text: inout String, _ line: Int) throws(TemplateFault) {
    let size = text.utf8.count + piece.utf8.count
    try checkText(size <= Self.textLimit ? piece.utf8.count : size, line)
    text += piece
  }

  /// Checks and counts the making of a list of a size, before it is made.
  func checkList(_ count: Int, _ line: Int) throws(TemplateFault) {
    guard count <= Self.listLimit else {
      throw TemplateFault(line: line, reason: "a list grows beyond \(Self.listLimit) elements")
    }
    try charge(1 + count, line)
  }

  private func enter(_ line: Int) throws(TemplateFault) {
    depth += 1
    guard depth <= Self.depthLimit else {
      throw TemplateFault(line: line, reason: "calls nest more than \(Self.depthLimit) deep")
    }
  }

  /// What `{{ value }}` prints.
  func string(of value: TemplateValue, _ line: Int) throws(TemplateFault) -> String {
    if case .string(let text) = value { return text }
    var writer = PythonText(limit: Self.textLimit)
    do throws(PythonText.Overflow) {
      try writer.writeString(of: value)
    } catch {
      throw TemplateFault(line: line, reason: "the value is too large or too deep to print")
    }
    try charge(writer.text.utf8.count / 16, line)
    return writer.text
  }

  // MARK: Statements

  private func write(_ text: String, _ line: Int) throws(TemplateFault) {
    try append(text, to: &output, line)
  }

  /// Runs statements and gives what they wrote instead of writing it.
  private func capture(
    _ statements: [TemplateStatement], _ scope: TemplateScope
  ) throws(TemplateFault) -> String {
    let saved = output
    output = ""
    defer { output = saved }
    _ = try run(statements, scope)
    return output
  }

  @discardableResult
  func run(
    _ statements: [TemplateStatement], _ scope: TemplateScope
  ) throws(TemplateFault) -> Flow {
    for statement in statements {
      try charge(1, statement.line)
      let flow = try run(statement, scope)
      if flow != .onward { return flow }
    }
    return .onward
  }

  private func run(
    _ statement: TemplateStatement, _ scope: TemplateScope
  ) throws(TemplateFault) -> Flow {
    let line = statement.line
    switch statement.kind {
    case .text(let text): try write(text, line)
    case .output(let expression):
      let value = try evaluate(expression, scope)
      try write(try string(of: value, line), line)
    case .condition(let branches, let otherwise):
      for branch in branches where try evaluate(branch.test, scope).isTrue {
        return try nested(branch.body, scope, line)
      }
      return try nested(otherwise, scope, line)
    case .loop(let loop):
      let items = try elements(of: try evaluate(loop.iterable, scope), line)
      try run(loop, over: items, scope, line, depth: 0)
    case .set(let target, let expression):
      try assign(try evaluate(expression, scope), to: target, scope, line)
    case .setBlock(let target, let filter, let body):
      let text = try captured(body, scope, filter, line)
      try assign(text, to: target, scope, line)
    case .macro(let macro): scope.set(macro.name, .macro(keep(TemplateClosure(macro, scope))))
    case .call(let call, let caller):
      let value = try evaluateCall(call, scope, caller: keep(TemplateClosure(caller, scope)))
      try write(try string(of: value, line), line)
    case .filterBlock(let filter, let body):
      try write(try string(of: try captured(body, scope, filter, line), line), line)
    case .with(let bindings, let body):
      let inner = TemplateScope(parent: scope)
      for (target, expression) in bindings {
        try assign(try evaluate(expression, scope), to: target, inner, line)
      }
      return try nested(body, inner, line)
    case .group(let body): return try nested(body, TemplateScope(parent: scope), line)
    case .breakLoop: return .breakLoop
    case .continueLoop: return .continueLoop
    }
    return .onward
  }

  private func nested(
    _ body: [TemplateStatement], _ scope: TemplateScope, _ line: Int
  ) throws(TemplateFault) -> Flow {
    try enter(line)
    defer { depth -= 1 }
    return try run(body, scope)
  }

  private func captured(
    _ body: [TemplateStatement], _ scope: TemplateScope, _ filter: TemplateExpression, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    try enter(line)
    defer { depth -= 1 }
    captured.append(.string(try capture(body, TemplateScope(parent: scope))))
    defer { captured.removeLast() }
    return try evaluate(filter, scope)
  }

  /// What the innermost filter block has captured.
  var capturedValue: TemplateValue { captured.last ?? .string("") }

  private func run(
    _ loop: TemplateLoop, over items: [TemplateValue], _ scope: TemplateScope, _ line: Int,
    depth loopDepth: Int
  ) throws(TemplateFault) {
    try enter(line)
    defer { depth -= 1 }
    var items = items
    if let filter = loop.filter {
      var kept: [TemplateValue] = []
      for item in items {
        try charge(1, line)
        let inner = TemplateScope(parent: scope)
        try assign(item, to: loop.target, inner, line)
        if try evaluate(filter, inner).isTrue { kept.append(item) }
      }
      items = kept
    }
    guard !items.isEmpty else {
      try run(loop.otherwise, TemplateScope(parent: scope))
      return
    }
    let state = keep(TemplateLoopState(loop, scope, items, depth: loopDepth))
    for (index, item) in items.enumerated() {
      try charge(1, line)
      state.index = index
      let inner = TemplateScope(parent: scope)
      inner.set("loop", .loop(state))
      try assign(item, to: loop.target, inner, line)
      if try run(loop.body, inner) == .breakLoop { break }
    }
  }

  /// `loop(items)` in a recursive loop: the loop's text over other items.
  func recurse(
    _ state: TemplateLoopState, _ items: TemplateValue, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    guard state.statement.isRecursive else {
      throw TemplateFault(line: line, reason: "the loop is not marked 'recursive'")
    }
    let saved = output
    output = ""
    defer { output = saved }
    try run(
      state.statement, over: try elements(of: items, line), state.scope, line,
      depth: state.depth + 1)
    return .string(output)
  }

  private func assign(
    _ value: TemplateValue, to target: TemplateTarget, _ scope: TemplateScope, _ line: Int
  ) throws(TemplateFault) {
    switch target {
    case .name(let name): scope.set(name, value)
    case .attribute(let name, let attribute):
      guard case .namespace(let namespace)? = scope.value(name) else {
        throw TemplateFault(
          line: line, reason: "'\(name)' is not a namespace: only those take members")
      }
      namespace.members[attribute] = value
    case .tuple(let targets):
      let items = try elements(of: value, line)
      guard items.count == targets.count else {
        throw TemplateFault(
          line: line, reason: "\(items.count) values for \(targets.count) names")
      }
      for (target, item) in zip(targets, items) { try assign(item, to: target, scope, line) }
    }
  }

  /// The elements to iterate over.
  func elements(of value: TemplateValue, _ line: Int) throws(TemplateFault) -> [TemplateValue] {
    switch value {
    case .string(let text), .markup(let text): try checkList(text.utf8.count, line)
    case .dictionary(let members): try checkList(members.count, line)
    default: break
    }
    guard let elements = value.elements else {
      throw TemplateFault(line: line, reason: "a \(value.typeName) can't be iterated over")
    }
    try charge(elements.count / 8, line)
    return elements
  }

  // MARK: Macros

  /// Calls a macro.
  func call(
    _ closure: TemplateClosure, _ arguments: TemplateCall, caller: TemplateClosure?, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    try enter(line)
    defer { depth -= 1 }
    let macro = closure.macro
    let scope = TemplateScope(parent: closure.scope)
    // Each parameter is looked for among the named arguments.
    try charge(macro.parameters.count * (1 + arguments.named.count / 16), line)
    var named = arguments.named
    for (index, parameter) in macro.parameters.enumerated() {
      if index < arguments.positional.count {
        scope.set(parameter.name, arguments.positional[index])
      } else if let place = named.firstIndex(where: { $0.name == parameter.name }) {
        scope.set(parameter.name, named.remove(at: place).value)
      } else if let fallback = parameter.fallback {
        scope.set(parameter.name, try evaluate(fallback, scope))
      } else {
        scope.set(parameter.name, .undefined("parameter '\(parameter.name)' was not provided"))
      }
    }
    scope.set("varargs", .tuple(Array(arguments.positional.dropFirst(macro.parameters.count))))
    var others = TemplateDictionary()
    for (name, value) in named { others[name] = value }
    scope.set("kwargs", .dictionary(others))
    if let caller {
      scope.set("caller", .macro(caller))
    } else if closure.scope.value("caller") == nil {
      scope.set("caller", .undefined("'caller' is undefined"))
    }
    return .string(try capture(macro.body, scope))
  }

  /// Evaluates with the depth counted.
  func deepened<Result>(
    _ line: Int, _ body: () throws(TemplateFault) -> Result
  ) throws(TemplateFault) -> Result {
    try enter(line)
    defer { depth -= 1 }
    return try body()
  }
}

/// A call's arguments, evaluated.
struct TemplateCall {
  var positional: [TemplateValue] = []
  var named: [(name: String, value: TemplateValue)] = []

  /// An argument by place or name; nil where it is not given.
  func argument(_ place: Int, _ name: String) -> TemplateValue? {
    place < positional.count ? positional[place] : named.first { $0.name == name }?.value
  }
}
