/// A template's expression with the line it starts on.
struct TemplateExpression: Sendable {
  indirect enum Kind: Sendable {
    case literal(TemplateLiteral)
    case name(String)
    case list([TemplateExpression])
    case tuple([TemplateExpression])
    case dictionary([(key: TemplateExpression, value: TemplateExpression)])
    case attribute(TemplateExpression, String)
    case item(TemplateExpression, TemplateExpression)
    case slice(TemplateExpression, TemplateSlice)
    case call(TemplateExpression, TemplateArguments)
    case filter(TemplateExpression, String, TemplateArguments)
    case test(TemplateExpression, String, TemplateArguments, isNegated: Bool)
    case not(TemplateExpression)
    case and(TemplateExpression, TemplateExpression)
    case or(TemplateExpression, TemplateExpression)
    case sign(TemplateExpression, isNegative: Bool)
    case arithmetic(TemplateArithmetic, TemplateExpression, TemplateExpression)
    case concatenation([TemplateExpression])
    case comparison(TemplateExpression, [(TemplateComparison, TemplateExpression)])
    case conditional(TemplateExpression, then: TemplateExpression, otherwise: TemplateExpression?)
    /// What a filter block filters.
    case captured
  }

  var line: Int
  var kind: Kind
}

/// A constant in a template.
enum TemplateLiteral: Sendable {
  case none
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
}

/// The bounds of `[start:stop:step]`.
struct TemplateSlice: Sendable {
  var start: TemplateExpression?
  var stop: TemplateExpression?
  var step: TemplateExpression?
}

/// What stands between a call's parentheses.
struct TemplateArguments: Sendable {
  var positional: [TemplateExpression] = []
  var named: [(name: String, value: TemplateExpression)] = []
  /// What stands after `*`.
  var spread: TemplateExpression?
  /// What stands after `**`.
  var namedSpread: TemplateExpression?
}

enum TemplateArithmetic: String, Sendable {
  case add = "+"
  case subtract = "-"
  case multiply = "*"
  case divide = "/"
  case floorDivide = "//"
  case modulo = "%"
  case power = "**"
}

enum TemplateComparison: String, Sendable {
  case equal = "=="
  case notEqual = "!="
  case less = "<"
  case lessOrEqual = "<="
  case greater = ">"
  case greaterOrEqual = ">="
  case isIn = "in"
  case isNotIn = "not in"
}

/// What a `set` or a `for` assigns to.
indirect enum TemplateTarget: Sendable {
  case name(String)
  case attribute(String, String)
  case tuple([TemplateTarget])
}

/// A macro, or the body of a `call` block.
struct TemplateMacro: Sendable {
  var name: String
  var parameters: [(name: String, fallback: TemplateExpression?)]
  var body: [TemplateStatement]
  var line: Int
}

/// A statement with the line it starts on.
struct TemplateStatement: Sendable {
  indirect enum Kind: Sendable {
    case text(String)
    case output(TemplateExpression)
    case condition([(test: TemplateExpression, body: [TemplateStatement])], [TemplateStatement])
    case loop(TemplateLoop)
    case set(TemplateTarget, TemplateExpression)
    case setBlock(TemplateTarget, filter: TemplateExpression, [TemplateStatement])
    case macro(TemplateMacro)
    case call(TemplateExpression, TemplateMacro)
    case filterBlock(TemplateExpression, [TemplateStatement])
    case with([(TemplateTarget, TemplateExpression)], [TemplateStatement])
    /// A stretch whose only effect is its scope (`generation`, `block`).
    case group([TemplateStatement])
    case breakLoop
    case continueLoop
  }

  var line: Int
  var kind: Kind
}

/// A `for` statement.
struct TemplateLoop: Sendable {
  var target: TemplateTarget
  var iterable: TemplateExpression
  var filter: TemplateExpression?
  var body: [TemplateStatement]
  var otherwise: [TemplateStatement]
  var isRecursive: Bool
}
