import Rollouts

/// A value while a template runs, with Python's notions of truth, equality and spelling.
enum TemplateValue {
  /// A name or member that is not there; the text says which.
  case undefined(String)
  case none
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  /// A text that counts as HTML: what `safe` and `escape` give, markupsafe's `Markup`.
  case markup(String)
  case list(TemplateList)
  case tuple(TemplateList)
  case dictionary(TemplateDictionary)
  case namespace(TemplateNamespace)
  case loop(TemplateLoopState)
  case macro(TemplateClosure)
  case function(String)
  /// A method with the value it belongs to.
  indirect case method(TemplateValue, String)
  case cycler(TemplateCycler)
  case joiner(TemplateCycler)
}

/// The elements of a list or tuple, and how deep they nest.
struct TemplateList: RandomAccessCollection {
  let items: [TemplateValue]
  /// One more than the depth of the deepest element.
  let depth: Int

  init(_ items: [TemplateValue]) {
    self.items = items
    depth = items.reduce(0) { Swift.max($0, $1.depth) } + 1
  }

  var startIndex: Int { 0 }
  var endIndex: Int { items.count }
  subscript(index: Int) -> TemplateValue { items[index] }
}

/// An object that values refer to and that may come to hold values which refer to it.
///
/// While a template runs, its evaluator holds all of them; at the end it empties each. So no cycle
/// outlives the rendering, and no chain of them, however long, is released by recursion.
protocol TemplateReference: AnyObject {
  /// Lets go of the values.
  func empty()
}

/// Attributes that a template may assign to.
final class TemplateNamespace: TemplateReference {
  var members: TemplateDictionary
  init(_ members: TemplateDictionary) { self.members = members }
  func empty() { members = TemplateDictionary() }
}

/// The values of `cycler(…)`, or the separator of `joiner(…)`, and how often it was asked.
final class TemplateCycler: TemplateReference {
  private(set) var values: [TemplateValue]
  var position = 0
  init(_ values: [TemplateValue]) { self.values = values }
  func empty() { values = [] }
}

/// What `loop` stands for inside a `for`.
final class TemplateLoopState: TemplateReference {
  let statement: TemplateLoop
  let scope: TemplateScope
  private(set) var items: [TemplateValue]
  let depth: Int
  var index = 0
  var lastChanged: [TemplateValue]?

  init(_ statement: TemplateLoop, _ scope: TemplateScope, _ items: [TemplateValue], depth: Int) {
    self.statement = statement
    self.scope = scope
    self.items = items
    self.depth = depth
  }

  func empty() {
    items = []
    lastChanged = nil
    scope.empty()
  }
}

/// A macro with the scope it was defined in.
final class TemplateClosure: TemplateReference {
  let macro: TemplateMacro
  let scope: TemplateScope
  init(_ macro: TemplateMacro, _ scope: TemplateScope) {
    self.macro = macro
    self.scope = scope
  }

  func empty() { scope.empty() }
}

/// The names that a stretch of the template defines, and where to look further.
final class TemplateScope {
  private var values: [String: TemplateValue] = [:]
  private let parent: TemplateScope?
  private var isEmptied = false

  init(parent: TemplateScope?) { self.parent = parent }

  func value(_ name: String) -> TemplateValue? {
    var scope: TemplateScope? = self
    while let current = scope {
      if let value = current.values[name] { return value }
      scope = current.parent
    }
    return nil
  }

  func set(_ name: String, _ value: TemplateValue) { values[name] = value }

  /// Lets go of the values, and of those of the scopes around it.
  func empty() {
    var scope: TemplateScope? = self
    while let current = scope, !current.isEmptied {
      current.values = [:]
      current.isEmptied = true
      scope = current.parent
    }
  }
}

/// A dictionary in the order of insertion; keys are texts, numbers, booleans or none.
struct TemplateDictionary {
  /// A key; texts are compared scalar by scalar, numbers by value, as Python does.
  enum Key: Hashable {
    case none
    case number(Double)
    case integer(Int)
    case text([UInt8])
    case tuple([Key])

    init?(_ value: TemplateValue, depth: Int = 0) {
      switch value {
      case .none: self = .none
      case .bool(let value): self = .integer(value ? 1 : 0)
      case .integer(let value): self = .integer(value)
      case .number(let value): self = Int(exactly: value).map(Key.integer) ?? .number(value)
      case .string(let text), .markup(let text): self = .text(Array(text.utf8))
      case .tuple(let items):
        guard depth < 3, items.count <= 64 else { return nil }
        var keys: [Key] = []
        for item in items {
          guard let key = Key(item, depth: depth + 1) else { return nil }
          keys.append(key)
        }
        self = .tuple(keys)
      default: return nil
      }
    }
  }

  private(set) var entries: [(key: TemplateValue, value: TemplateValue)] = []
  /// One more than the depth of the deepest value it has held.
  private(set) var depth = 1
  private var places: [Key: Int] = [:]

  init() {}

  var count: Int { entries.count }

  /// Sets a key's value; false where the key can't be one.
  @discardableResult
  mutating func set(_ key: TemplateValue, _ value: TemplateValue) -> Bool {
    guard let place = Key(key) else { return false }
    depth = max(depth, key.depth + 1, value.depth + 1)
    if let index = places[place] {
      entries[index].value = value
    } else {
      places[place] = entries.count
      entries.append((key, value))
    }
    return true
  }

  func value(_ key: TemplateValue) -> TemplateValue? {
    Key(key).flatMap { places[$0] }.map { entries[$0].value }
  }

  subscript(name: String) -> TemplateValue? {
    get { value(.string(name)) }
    set { if let newValue { set(.string(name), newValue) } }
  }
}

extension TemplateValue {
  /// A list of elements.
  static func list(_ items: [TemplateValue]) -> TemplateValue { .list(TemplateList(items)) }
  /// A tuple of elements.
  static func tuple(_ items: [TemplateValue]) -> TemplateValue { .tuple(TemplateList(items)) }

  /// How deep lists, tuples and dictionaries nest; what is referred to doesn't count.
  var depth: Int {
    switch self {
    case .list(let items), .tuple(let items): items.depth
    case .dictionary(let members): members.depth
    case .method(let receiver, _): receiver.depth + 1
    default: 0
    }
  }

  /// What looking the value up in a dictionary costs in steps: its text is copied and hashed.
  var keyCost: Int {
    switch self {
    case .string(let text), .markup(let text): text.utf8.count / 32
    case .tuple(let items):
      // As far as a key is looked into: three levels of at most 64 elements.
      items.depth > 4 || items.count > 64 ? 0 : items.reduce(items.count) { $0 + $1.keyCost }
    default: 0
    }
  }

  /// A JSON value as a template sees it.
  init(_ json: JSONValue) {
    switch json {
    case .null: self = .none
    case .bool(let value): self = .bool(value)
    case .integer(let value): self = .integer(Int(value))
    case .largeInteger(let value): self = .number(value.double ?? .infinity)
    case .number(let value): self = .number(value)
    case .string(let text): self = .string(text)
    case .array(let elements): self = .list(elements.map { TemplateValue($0) })
    case .object(let members): self = .dictionary(TemplateDictionary(members))
    }
  }

  var isUndefined: Bool { if case .undefined = self { true } else { false } }
  var isNone: Bool { if case .none = self { true } else { false } }

  /// Python's truth of the value.
  var isTrue: Bool {
    switch self {
    case .undefined, .none: false
    case .bool(let value): value
    case .integer(let value): value != 0
    case .number(let value): value != 0
    case .string(let text), .markup(let text): !text.isEmpty
    case .list(let items), .tuple(let items): !items.isEmpty
    case .dictionary(let members): members.count > 0
    default: true
    }
  }

  /// What Python calls the value's type.
  var typeName: String {
    switch self {
    case .undefined: "Undefined"
    case .none: "None"
    case .bool: "bool"
    case .integer: "int"
    case .number: "float"
    case .string: "str"
    case .markup: "Markup"
    case .list: "list"
    case .tuple: "tuple"
    case .dictionary: "dict"
    case .namespace: "namespace"
    case .loop: "loop"
    case .macro: "macro"
    case .function, .method: "function"
    case .cycler: "cycler"
    case .joiner: "joiner"
    }
  }

  /// The value as a number, booleans as 0 and 1; nil for others.
  var double: Double? {
    switch self {
    case .bool(let value): value ? 1 : 0
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }

  /// The value as an integer, booleans as 0 and 1; nil for others.
  var int: Int? {
    switch self {
    case .bool(let value): value ? 1 : 0
    case .integer(let value): value
    default: nil
    }
  }

  /// Whether Python can iterate over the value.
  var isIterable: Bool {
    switch self {
    case .undefined, .list, .tuple, .dictionary, .string, .markup, .loop: true
    default: false
    }
  }

  /// The elements of what Python can iterate over; nil for others.
  var elements: [TemplateValue]? {
    switch self {
    case .undefined: []
    case .list(let items), .tuple(let items): items.items
    case .dictionary(let members): members.entries.map(\.key)
    case .string(let text), .markup(let text): text.unicodeScalars.map { .string(String($0)) }
    case .loop(let state): state.items
    default: nil
    }
  }

  /// Python's `==`.
  ///
  /// Values may share parts, and as trees be far larger than in memory: each part looked at is taken
  /// off the budget, and with none left nothing is equal.
  func isEqual(to other: TemplateValue, budget: inout Int, depth: Int = 0) -> Bool {
    budget -= 1
    guard budget > 0, depth < 200 else { return false }
    switch (unmarked, other.unmarked) {
    case (.undefined, .undefined), (.none, .none): return true
    case (.string(let left), .string(let right)):
      budget -= min(left.utf8.count, right.utf8.count) / 64
      return left.utf8.elementsEqual(right.utf8)
    case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)):
      guard left.count == right.count else { return false }
      for (left, right) in zip(left, right)
      where !left.isEqual(to: right, budget: &budget, depth: depth + 1) { return false }
      return true
    case (.dictionary(let left), .dictionary(let right)):
      guard left.count == right.count else { return false }
      for entry in left.entries {
        budget -= entry.key.keyCost
        guard budget > 0, let value = right.value(entry.key),
          value.isEqual(to: entry.value, budget: &budget, depth: depth + 1)
        else { return false }
      }
      return true
    case (.namespace(let left), .namespace(let right)): return left === right
    case (.macro(let left), .macro(let right)): return left === right
    default:
      if let left = int, let right = other.int { return left == right }
      if let left = double, let right = other.double { return left == right }
      return false
    }
  }

  /// Python's `<`; nil where the two have no order.
  func isLess(than other: TemplateValue, budget: inout Int, depth: Int = 0) -> Bool? {
    budget -= 1
    guard budget > 0, depth < 200 else { return nil }
    switch (unmarked, other.unmarked) {
    // UTF-8 orders as scalars do.
    case (.string(let left), .string(let right)):
      budget -= min(left.utf8.count, right.utf8.count) / 64
      return left.utf8.lexicographicallyPrecedes(right.utf8)
    case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)):
      for (left, right) in zip(left, right)
      where !left.isEqual(to: right, budget: &budget, depth: depth + 1) {
        return left.isLess(than: right, budget: &budget, depth: depth + 1)
      }
      return left.count < right.count
    default:
      if let left = int, let right = other.int { return left < right }
      guard let left = double, let right = other.double else { return nil }
      return left < right
    }
  }
}

extension TemplateDictionary {
  /// A JSON object's members in order.
  init(_ members: JSONObject) {
    for (key, value) in members { self[key] = TemplateValue(value) }
  }
}
