import Foundation

extension TemplateEvaluator {
  /// The value of an expression.
  func evaluate(
    _ expression: TemplateExpression, _ scope: TemplateScope
  ) throws(TemplateFault) -> TemplateValue {
    let line = expression.line
    try charge(1, line)
    let value = try deepened(line) { () throws(TemplateFault) -> TemplateValue in
      try evaluateKind(expression, scope, line)
    }
    // Whatever a larger value is made of has come by here.
    guard value.depth <= Self.nestingLimit else {
      throw TemplateFault(
        line: line, reason: "lists and dictionaries nest more than \(Self.nestingLimit) deep")
    }
    return value
  }

  private func evaluateKind(
    _ expression: TemplateExpression, _ scope: TemplateScope, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    switch expression.kind {
    case .literal(let literal): return Self.value(of: literal)
    case .name(let name):
      try charge(name.utf8.count / 32, line)
      return name == "self" ? .undefined(name) : lookUp(name, scope)
    case .list(let items): return .list(try evaluate(all: items, scope))
    case .tuple(let items): return .tuple(try evaluate(all: items, scope))
    case .dictionary(let members):
      var dictionary = TemplateDictionary()
      for member in members {
        let key = try evaluate(member.key, scope)
        try charge(key.keyCost, line)
        guard dictionary.set(key, try evaluate(member.value, scope)) else {
          throw TemplateFault(line: line, reason: "a \(key.typeName) can't be a key")
        }
      }
      return .dictionary(dictionary)
    case .attribute(let base, let name):
      return try attribute(name, of: try evaluate(base, scope), line)
    case .item(let base, let key):
      return try item(try evaluate(key, scope), of: try evaluate(base, scope), line)
    case .slice(let base, let slice):
      return try evaluate(slice, of: try evaluate(base, scope), scope, line)
    case .call: return try evaluateCall(expression, scope, caller: nil)
    case .captured: return capturedValue
    case .filter(let base, let name, let arguments):
      let value = try evaluate(base, scope)
      let call = try evaluate(arguments, scope, line)
      return try applyFilter(name, to: value, call, line)
    case .test(let base, let name, let arguments, let isNegated):
      let value = try evaluate(base, scope)
      let call = try evaluate(arguments, scope, line)
      return .bool(try applyTest(name, to: value, call, line) != isNegated)
    default: return try evaluateOperator(expression, scope, line)
    }
  }

  private static func value(of literal: TemplateLiteral) -> TemplateValue {
    switch literal {
    case .none: .none
    case .bool(let value): .bool(value)
    case .integer(let value): .integer(value)
    case .number(let value): .number(value)
    case .string(let text): .string(text)
    }
  }

  private func lookUp(_ name: String, _ scope: TemplateScope) -> TemplateValue {
    if let value = scope.value(name) { return value }
    return TemplateGlobals.names.contains(name)
      ? .function(name) : .undefined("'\(name)' is undefined")
  }

  private func evaluate(
    all items: [TemplateExpression], _ scope: TemplateScope
  ) throws(TemplateFault) -> [TemplateValue] {
    var values: [TemplateValue] = []
    values.reserveCapacity(items.count)
    for item in items { values.append(try evaluate(item, scope)) }
    return values
  }

  private func evaluate(
    _ arguments: TemplateArguments, _ scope: TemplateScope, _ line: Int
  ) throws(TemplateFault) -> TemplateCall {
    var call = TemplateCall(positional: try evaluate(all: arguments.positional, scope))
    if let spread = arguments.spread {
      let elements = try elements(of: try evaluate(spread, scope), line)
      try checkList(elements.count, line)
      call.positional += elements
    }
    for (name, value) in arguments.named { call.named.append((name, try evaluate(value, scope))) }
    if let spread = arguments.namedSpread {
      guard case .dictionary(let members) = try evaluate(spread, scope) else {
        throw TemplateFault(line: line, reason: "expected a dictionary after **")
      }
      try checkList(members.count, line)
      for entry in members.entries {
        call.named.append((try string(of: entry.key, line), entry.value))
      }
    }
    return call
  }

  // MARK: Operators

  private func evaluateOperator(
    _ expression: TemplateExpression, _ scope: TemplateScope, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    switch expression.kind {
    case .not(let operand): return .bool(!(try evaluate(operand, scope).isTrue))
    case .and(let left, let right):
      let value = try evaluate(left, scope)
      return value.isTrue ? try evaluate(right, scope) : value
    case .or(let left, let right):
      let value = try evaluate(left, scope)
      return value.isTrue ? value : try evaluate(right, scope)
    case .sign(let operand, let isNegative):
      let value = try evaluate(operand, scope)
      if let integer = value.int {
        guard isNegative else { return .integer(integer) }
        let (result, overflow) = 0.subtractingReportingOverflow(integer)
        if overflow { throw TemplateFault(line: line, reason: "the number is too large") }
        return .integer(result)
      }
      guard let number = value.double else {
        throw TemplateFault(line: line, reason: "a \(value.typeName) has no sign")
      }
      return .number(isNegative ? -number : number)
    case .arithmetic(let operation, let left, let right):
      return try arithmetic(
        operation, try evaluate(left, scope), try evaluate(right, scope), line)
    case .concatenation(let items):
      var text = ""
      for item in items {
        try append(try string(of: try evaluate(item, scope), line), to: &text, line)
      }
      return .string(text)
    case .comparison(let first, let rest):
      var left = try evaluate(first, scope)
      for (comparison, expression) in rest {
        let right = try evaluate(expression, scope)
        guard try compare(comparison, left, right, line) else { return .bool(false) }
        left = right
      }
      return .bool(true)
    case .conditional(let test, let then, let otherwise):
      if try evaluate(test, scope).isTrue { return try evaluate(then, scope) }
      guard let otherwise else {
        return .undefined("the inline if-expression evaluated to false and has no else part")
      }
      return try evaluate(otherwise, scope)
    default: return .none
    }
  }

  private func compare(
    _ comparison: TemplateComparison, _ left: TemplateValue, _ right: TemplateValue, _ line: Int
  ) throws(TemplateFault) -> Bool {
    switch comparison {
    case .equal: return try isEqual(left, right, line)
    case .notEqual: return !(try isEqual(left, right, line))
    case .isIn: return try contains(right, left, line)
    case .isNotIn: return !(try contains(right, left, line))
    case .less, .greaterOrEqual:
      guard let precedes = try isLess(left, right, line) else {
        throw unordered(left, right, line)
      }
      if comparison == .less { return precedes }
      if try isLess(right, left, line) == true { return true }
      return try isEqual(left, right, line)
    case .greater, .lessOrEqual:
      guard let follows = try isLess(right, left, line) else {
        throw unordered(left, right, line)
      }
      if comparison == .greater { return follows }
      if try isLess(left, right, line) == true { return true }
      return try isEqual(left, right, line)
    }
  }

  private func unordered(
    _ left: TemplateValue, _ right: TemplateValue, _ line: Int
  ) -> TemplateFault {
    TemplateFault(
      line: line, reason: "a \(left.typeName) and a \(right.typeName) have no order")
  }

  /// Python's `in`.
  func contains(
    _ container: TemplateValue, _ element: TemplateValue, _ line: Int
  ) throws(TemplateFault) -> Bool {
    switch container.unmarked {
    case .string(let text):
      guard case .string(let part) = element.unmarked else {
        throw TemplateFault(line: line, reason: "a text can't hold a \(element.typeName)")
      }
      try charge(1 + (text.utf8.count + part.utf8.count) / 64, line)
      return PythonString.find(part, in: text) != nil
    case .dictionary(let members):
      try charge(element.keyCost, line)
      return members.value(element) != nil
    default:
      let elements = try elements(of: container, line)
      return try comparing(line) { budget in
        elements.contains { $0.isEqual(to: element, budget: &budget) }
      }
    }
  }

  // MARK: Members

  /// `value.name`: a method or attribute first, then an item.
  func attribute(
    _ name: String, of value: TemplateValue, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    try charge(name.utf8.count / 32, line)
    switch value {
    case .undefined(let hint): throw TemplateFault(line: line, reason: Self.sentence(hint))
    case .namespace(let namespace):
      return namespace.members[name] ?? .undefined("the namespace has no member '\(name)'")
    case .loop(let state): return loopAttribute(name, state, value)
    case .dictionary(let members):
      if TemplateMethods.dictionary.contains(name) { return .method(value, name) }
      return members[name] ?? .undefined("the dictionary has no member '\(name)'")
    case .string where TemplateMethods.string.contains(name),
      .markup where TemplateMethods.string.contains(name):
      return .method(value, name)
    case .list where TemplateMethods.list.contains(name),
      .tuple where TemplateMethods.list.contains(name):
      return .method(value, name)
    case .cycler where name == "next" || name == "reset" || name == "current":
      return .method(value, name)
    case .macro(let closure) where name == "name": return .string(closure.macro.name)
    default: return .undefined("a \(value.typeName) has no attribute '\(name)'")
    }
  }

  static func sentence(_ hint: String) -> String { hint.isEmpty ? "a value is undefined" : hint }

  private func loopAttribute(
    _ name: String, _ state: TemplateLoopState, _ value: TemplateValue
  ) -> TemplateValue {
    let count = state.items.count
    let index = state.index
    switch name {
    case "index": return .integer(index + 1)
    case "index0": return .integer(index)
    case "revindex": return .integer(count - index)
    case "revindex0": return .integer(count - index - 1)
    case "first": return .bool(index == 0)
    case "last": return .bool(index == count - 1)
    case "length": return .integer(count)
    case "depth": return .integer(state.depth + 1)
    case "depth0": return .integer(state.depth)
    case "previtem":
      return index > 0 ? state.items[index - 1] : .undefined("there is no previous item")
    case "nextitem":
      return index + 1 < count ? state.items[index + 1] : .undefined("there is no next item")
    case "cycle", "changed": return .method(value, name)
    default: return .undefined("the loop has no attribute '\(name)'")
    }
  }

  /// `value[key]`: an item first, then an attribute.
  func item(
    _ key: TemplateValue, of value: TemplateValue, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    switch value {
    case .undefined(let hint): throw TemplateFault(line: line, reason: Self.sentence(hint))
    case .dictionary(let members):
      try charge(key.keyCost, line)
      if let item = members.value(key) { return item }
    case .list(let items), .tuple(let items):
      if let index = key.int {
        let place = index < 0 ? index + items.count : index
        guard items.indices.contains(place) else {
          return .undefined("the list has no element \(index)")
        }
        return items[place]
      }
    case .string(let text), .markup(let text):
      if let index = key.int {
        let scalars = text.unicodeScalars
        try charge(1 + text.utf8.count / 64, line)
        let place = index < 0 ? index + scalars.count : index
        guard place >= 0, place < scalars.count else {
          return .undefined("the text has no character \(index)")
        }
        return value.retext(String(scalars[scalars.index(scalars.startIndex, offsetBy: place)]))
      }
    default: break
    }
    guard case .string(let name) = key.unmarked else {
      return .undefined("a \(value.typeName) has no such element")
    }
    if case .dictionary = value, !TemplateMethods.dictionary.contains(name) {
      return .undefined("the dictionary has no member '\(name)'")
    }
    return try attribute(name, of: value, line)
  }

  private func evaluate(
    _ slice: TemplateSlice, of value: TemplateValue, _ scope: TemplateScope, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    func bound(_ expression: TemplateExpression?) throws(TemplateFault) -> Int? {
      guard let expression else { return nil }
      let bound = try evaluate(expression, scope)
      if bound.isNone { return nil }
      guard let int = bound.int else {
        throw TemplateFault(line: line, reason: "a slice needs integers, not a \(bound.typeName)")
      }
      return int
    }
    let start = try bound(slice.start)
    let stop = try bound(slice.stop)
    let step = try bound(slice.step) ?? 1
    guard step != 0 else { throw TemplateFault(line: line, reason: "a slice's step can't be zero") }
    switch value {
    case .list(let items):
      let slice = PythonSlice(of: items.count, start, stop, step)
      try checkList(slice.count, line)
      return .list(slice.indices.map { items[$0] })
    case .tuple(let items):
      let slice = PythonSlice(of: items.count, start, stop, step)
      try checkList(slice.count, line)
      return .tuple(slice.indices.map { items[$0] })
    case .string(let text), .markup(let text):
      try chargeReading(text, line)
      let scalars = text.unicodeScalars
      let slice = PythonSlice(of: scalars.count, start, stop, step)
      guard slice.count > 0 else { return value.retext("") }
      var place = scalars.index(scalars.startIndex, offsetBy: slice.first)
      if slice.step == 1 {
        let end = scalars.index(place, offsetBy: slice.count)
        return value.marking(try self.text(String(scalars[place..<end]), line))
      }
      var result = String.UnicodeScalarView()
      result.append(scalars[place])
      for _ in 1..<slice.count {
        place = scalars.index(place, offsetBy: slice.step)
        result.append(scalars[place])
      }
      return value.marking(try self.text(String(result), line))
    case .undefined(let hint): throw TemplateFault(line: line, reason: Self.sentence(hint))
    default: throw TemplateFault(line: line, reason: "a \(value.typeName) can't be sliced")
    }
  }

  // MARK: Calls

  func evaluateCall(
    _ expression: TemplateExpression, _ scope: TemplateScope, caller: TemplateClosure?
  ) throws(TemplateFault) -> TemplateValue {
    guard case .call(let callee, let arguments) = expression.kind else { return .none }
    let line = expression.line
    let function = try evaluate(callee, scope)
    let call = try evaluate(arguments, scope, line)
    switch function {
    case .macro(let closure): return try self.call(closure, call, caller: caller, line)
    case .function(let name): return try callGlobal(name, call, line)
    case .method(let receiver, let name): return try callMethod(name, of: receiver, call, line)
    case .loop(let state):
      return try recurse(state, call.argument(0, "iterable") ?? .undefined(""), line)
    case .joiner(let joiner):
      joiner.position += 1
      return joiner.position == 1 ? .string("") : joiner.values.first ?? .string(", ")
    case .undefined(let hint): throw TemplateFault(line: line, reason: Self.sentence(hint))
    default: throw TemplateFault(line: line, reason: "a \(function.typeName) can't be called")
    }
  }
}

/// What Python's `[start:stop:step]` takes of a sequence.
struct PythonSlice {
  let first: Int
  let step: Int
  let count: Int

  /// Makes the slice of a sequence of so many elements; the step isn't zero.
  init(of length: Int, _ start: Int?, _ stop: Int?, _ step: Int) {
    // A step beyond both ends takes the first index only, whatever its size.
    let step = min(max(step, -length - 1), length + 1)
    let (low, high) = step > 0 ? (0, length) : (-1, length - 1)
    func clamped(_ bound: Int) -> Int {
      let place = bound < 0 ? (bound < -length ? -1 : bound + length) : bound
      return min(max(place, low), high)
    }
    first = start.map(clamped) ?? (step > 0 ? low : high)
    let end = stop.map(clamped) ?? (step > 0 ? high : low)
    self.step = step
    let span = step > 0 ? end - first : first - end
    count = span > 0 ? (span - 1) / abs(step) + 1 : 0
  }

  /// The indices in order.
  var indices: some Sequence<Int> {
    (0..<count).lazy.map { first + $0 * step }
  }
}
