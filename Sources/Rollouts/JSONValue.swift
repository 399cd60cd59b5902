/// A JSON value whose integers stay integers and whose objects keep their order.
///
/// The currency for dataset columns, reward parameters and chat messages: whatever a user's file
/// holds reaches a reward unchanged.
public enum JSONValue: Sendable, Hashable {
  case null
  case bool(Bool)
  case integer(Int64)
  /// An integer that 64 bits don't hold; never one that they do.
  case largeInteger(LargeInteger)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object(JSONObject)
}

extension JSONValue {
  /// The text of a string value, otherwise nil.
  public var string: String? {
    if case .string(let text) = self { return text }
    return nil
  }

  /// The value of an integer or a floating-point number, otherwise nil; a large integer is rounded.
  public var double: Double? {
    switch self {
    case .integer(let value): return Double(value)
    case .largeInteger(let value): return value.double
    case .number(let value): return value
    default: return nil
    }
  }

  /// The value of an integer, or of a number without a fraction, otherwise nil.
  public var integer: Int? {
    switch self {
    case .integer(let value): return Int(exactly: value)
    case .number(let value): return Int(exactly: value)
    default: return nil
    }
  }

  /// The value of a boolean, otherwise nil.
  public var bool: Bool? {
    if case .bool(let value) = self { return value }
    return nil
  }

  /// The elements of an array, otherwise nil.
  public var array: [JSONValue]? {
    if case .array(let values) = self { return values }
    return nil
  }

  /// The members of an object, otherwise nil.
  public var object: JSONObject? {
    if case .object(let members) = self { return members }
    return nil
  }

  /// Whether this is JSON's null.
  public var isNull: Bool { self == .null }

  /// The member of an object by key, nil where this is not an object or lacks it.
  public subscript(key: String) -> JSONValue? { object?[key] }
}

/// A JSON object: members in the order in which they were written.
public struct JSONObject: Sendable, Hashable, ExpressibleByDictionaryLiteral {
  /// The keys in order, without repeats.
  public private(set) var keys: [String] = []
  private var members: [String: JSONValue] = [:]

  /// Makes an empty object.
  public init() {}

  /// Makes an object of pairs; a repeated key keeps its first place and its last value.
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    for (key, value) in elements { self[key] = value }
  }

  /// Makes an object of pairs; a repeated key keeps its first place and its last value.
  public init(_ pairs: some Sequence<(String, JSONValue)>) {
    for (key, value) in pairs { self[key] = value }
  }

  /// Makes an object of a dictionary, keys in alphabetical order.
  public init(sorting dictionary: [String: JSONValue]) {
    for key in dictionary.keys.sorted() { self[key] = dictionary[key] }
  }

  /// The member of a key; setting nil removes it.
  public subscript(key: String) -> JSONValue? {
    get { members[key] }
    set {
      if let newValue {
        if members.updateValue(newValue, forKey: key) == nil { keys.append(key) }
      } else if members.removeValue(forKey: key) != nil {
        keys.removeAll { $0 == key }
      }
    }
  }

  /// How many members there are.
  public var count: Int { keys.count }
  /// Whether there are no members.
  public var isEmpty: Bool { keys.isEmpty }
  /// The members without their order.
  public var dictionary: [String: JSONValue] { members }
}

extension JSONObject: Sequence {
  /// Iterates over the members in order.
  public func makeIterator() -> AnyIterator<(key: String, value: JSONValue)> {
    var index = 0
    return AnyIterator {
      guard index < keys.count else { return nil }
      defer { index += 1 }
      return (keys[index], members[keys[index]] ?? .null)
    }
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral,
  ExpressibleByDictionaryLiteral
{
  /// Makes a string.
  public init(stringLiteral value: String) { self = .string(value) }
  /// Makes an integer.
  public init(integerLiteral value: Int64) { self = .integer(value) }
  /// Makes a number.
  public init(floatLiteral value: Double) { self = .number(value) }
  /// Makes a boolean.
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  /// Makes an array.
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  /// Makes an object.
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(JSONObject(elements))
  }
}
