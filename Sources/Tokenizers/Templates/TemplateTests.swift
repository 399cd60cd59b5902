/// The tests after `is`.
enum TemplateTests {
  typealias Test = @Sendable (TemplateValue, TemplateCall, inout Int) -> Bool?

  /// Each gives nil where its arguments don't fit, and takes what it compares off a budget.
  static let all: [String: Test] = {
    var all: [String: Test] = [
      "defined": { value, _, _ in !value.isUndefined },
      "undefined": { value, _, _ in value.isUndefined },
      "none": { value, _, _ in value.isNone },
      "boolean": { value, _, _ in if case .bool = value { true } else { false } },
      "true": { value, _, _ in if case .bool(true) = value { true } else { false } },
      "false": { value, _, _ in if case .bool(false) = value { true } else { false } },
      "integer": { value, _, _ in if case .integer = value { true } else { false } },
      "float": { value, _, _ in if case .number = value { true } else { false } },
      "number": { value, _, _ in value.double != nil },
      "string": { value, _, _ in if case .string = value.unmarked { true } else { false } },
      "mapping": { value, _, _ in if case .dictionary = value { true } else { false } },
      "iterable": { value, _, _ in value.isIterable },
      "sequence": { value, _, _ in
        switch value {
        case .list, .tuple, .string, .markup, .dictionary, .undefined: true
        default: false
        }
      },
      "callable": { value, _, _ in
        switch value {
        case .macro, .function, .method, .loop, .joiner: true
        default: false
        }
      },
      "even": { value, _, _ in value.int.map { $0 % 2 == 0 } },
      "odd": { value, _, _ in value.int.map { $0 % 2 != 0 } },
      "divisibleby": { value, call, _ in
        guard let number = value.int, let divisor = call.positional.first?.int, divisor != 0 else {
          return nil
        }
        return number.remainderReportingOverflow(dividingBy: divisor).partialValue == 0
      },
      "upper": { value, _, budget in
        text(value, &budget).map { PythonString.isCased($0, upper: true) }
      },
      "lower": { value, _, budget in
        text(value, &budget).map { PythonString.isCased($0, upper: false) }
      },
      "sameas": { value, call, budget in
        call.positional.first.map { isSame(value, $0, &budget) }
      },
      "escaped": { value, _, _ in value.isMarkup },
      "filter": { value, _, budget in
        text(value, &budget).map { TemplateFilters.all[$0] != nil }
      },
      "test": { value, _, budget in text(value, &budget).map { names.contains($0) } },
      "eq": { value, call, budget in
        call.positional.first.map { value.isEqual(to: $0, budget: &budget) }
      },
      "ne": { value, call, budget in
        call.positional.first.map { !value.isEqual(to: $0, budget: &budget) }
      },
      "lt": { value, call, budget in
        call.positional.first.flatMap { value.isLess(than: $0, budget: &budget) }
      },
      "gt": { value, call, budget in
        call.positional.first.flatMap { $0.isLess(than: value, budget: &budget) }
      },
      "le": { value, call, budget in
        call.positional.first.flatMap { other in
          value.isLess(than: other, budget: &budget)
            .map { $0 || value.isEqual(to: other, budget: &budget) }
        }
      },
      "ge": { value, call, budget in
        call.positional.first.flatMap { other in
          other.isLess(than: value, budget: &budget)
            .map { $0 || value.isEqual(to: other, budget: &budget) }
        }
      },
      "in": { value, call, budget in
        switch call.positional.first?.unmarked {
        case .string(let whole)?:
          guard let part = text(value) else { return nil }
          budget -= (whole.utf8.count + part.utf8.count) / 64
          return budget > 0 ? PythonString.find(part, in: whole) != nil : nil
        case .dictionary(let members)?:
          budget -= value.keyCost
          return budget > 0 ? members.value(value) != nil : nil
        case let container?:
          return container.elements.map {
            $0.contains { $0.isEqual(to: value, budget: &budget) }
          }
        case nil: return nil
        }
      },
    ]
    for (other, name) in [
      ("==", "eq"), ("equalto", "eq"), ("!=", "ne"), ("<", "lt"), ("lessthan", "lt"), (">", "gt"),
      ("greaterthan", "gt"), ("<=", "le"), (">=", "ge"),
    ] {
      all[other] = all[name]
    }
    return all
  }()

  private static let names: Set<String> = [
    "defined", "undefined", "none", "boolean", "true", "false", "integer", "float", "number",
    "string", "mapping", "iterable", "sequence", "callable", "even", "odd", "divisibleby", "upper",
    "lower", "sameas", "escaped", "filter", "test", "eq", "==", "equalto", "ne", "!=", "lt", "<",
    "lessthan", "gt", ">", "greaterthan", "le", "<=", "ge", ">=", "in",
  ]

  /// A text, with its scalars taken off the budget; nil for other values.
  private static func text(_ value: TemplateValue, _ budget: inout Int) -> String? {
    guard let text = text(value) else { return nil }
    budget -= text.utf8.count / 16
    return budget > 0 ? text : nil
  }

  private static func text(_ value: TemplateValue) -> String? {
    if case .string(let text) = value.unmarked { return text }
    return nil
  }

  private static func isSame(
    _ left: TemplateValue, _ right: TemplateValue, _ budget: inout Int
  ) -> Bool {
    switch (left, right) {
    case (.bool(let left), .bool(let right)): left == right
    case (.none, .none), (.undefined, .undefined): true
    case (.integer, .integer), (.string, .string), (.number, .number):
      left.isEqual(to: right, budget: &budget)
    case (.namespace(let left), .namespace(let right)): left === right
    default: false
    }
  }
}

extension TemplateEvaluator {
  /// Applies a test.
  func applyTest(
    _ name: String, to value: TemplateValue, _ call: TemplateCall, _ line: Int
  ) throws(TemplateFault) -> Bool {
    guard let test = TemplateTests.all[name] else {
      throw TemplateFault(line: line, reason: "unknown test '\(name)'")
    }
    guard let result = try comparing(line, { test(value, call, &$0) }) else {
      if case .undefined(let hint) = value {
        throw TemplateFault(line: line, reason: Self.sentence(hint))
      }
      throw TemplateFault(
        line: line, reason: "the test '\(name)' does not apply to a \(value.typeName)")
    }
    return result
  }
}
