import Rollouts

/// Takes values out of a config.json and notes every fault on the way.
///
/// A faulty value reads as one that is legal, so that reading goes on and all faults are found.
struct ConfigurationReader {
  let object: JSONObject
  /// What messages call the file.
  let path: String
  private(set) var faults: [ModelError.Fault] = []

  init(_ object: JSONObject, path: String) {
    self.object = object
    self.path = path
  }

  mutating func note(_ key: String, _ reason: String) {
    faults.append(ModelError.Fault(key, reason))
  }

  /// Whether a key has been noted, so that what depends on it can't be judged.
  func isFaulty(_ key: String) -> Bool { faults.contains { $0.subject == key } }

  /// The member of a key; null counts as absent, as for transformers.
  func value(_ key: String) -> JSONValue? {
    guard let value = object[key], !value.isNull else { return nil }
    return value
  }

  /// A whole number in a range, nil where the key is absent.
  mutating func optionalInteger(_ key: String, in range: ClosedRange<Int>) -> Int? {
    guard let value = value(key) else { return nil }
    guard let number = value.integer, range.contains(number) else {
      note(
        key,
        "expected a whole number from \(range.lowerBound) to \(range.upperBound), found "
          + Self.shown(value))
      return range.lowerBound
    }
    return number
  }

  /// A whole number in a range; without a default the key must be there.
  mutating func integer(_ key: String, in range: ClosedRange<Int>, default: Int? = nil) -> Int {
    if let number = optionalInteger(key, in: range) { return number }
    if let `default` { return `default` }
    note(key, "is missing")
    return range.lowerBound
  }

  /// A number above zero, nil where the key is absent.
  mutating func positiveNumber(_ key: String, below limit: Double) -> Double? {
    guard let value = value(key) else { return nil }
    guard let number = value.double, number >= 1e-30, number < limit else {
      note(key, "expected a number above 0 and below \(limit), found \(Self.shown(value))")
      return limit / 2
    }
    return number
  }

  /// A number in a range, nil where the key is absent.
  mutating func number(_ key: String, in range: ClosedRange<Double>) -> Double? {
    guard let value = value(key) else { return nil }
    guard let number = value.double, range.contains(number) else {
      note(
        key,
        "expected a number from \(range.lowerBound) to \(range.upperBound), found "
          + Self.shown(value))
      return range.lowerBound
    }
    return number
  }

  mutating func boolean(_ key: String, default: Bool) -> Bool {
    guard let value = value(key) else { return `default` }
    guard let truth = value.bool else {
      note(key, "expected true or false, found \(Self.shown(value))")
      return `default`
    }
    return truth
  }

  mutating func string(_ key: String) -> String? {
    guard let value = value(key) else { return nil }
    guard let text = value.string else {
      note(key, "expected a text in quotes, found \(Self.shown(value))")
      return nil
    }
    return text
  }

  /// A token, or a list of tokens, below the vocabulary's size; negative means none.
  mutating func tokens(_ key: String, vocabularySize: Int) -> [TokenID] {
    guard let value = value(key), !isFaulty("vocab_size") else { return [] }
    var tokens: [TokenID] = []
    for element in value.array ?? [value] {
      guard let number = element.integer, number < vocabularySize else {
        note(
          key,
          "expected tokens below vocab_size (\(vocabularySize)), found \(Self.shown(element))")
        continue
      }
      if number >= 0 { tokens.append(TokenID(number)) }
    }
    return tokens
  }

  /// A value as it may stand in a message.
  static func shown(_ value: JSONValue) -> String {
    switch value {
    case .string(let text): quoted(text)
    case .array(let elements): "a list of \(elements.count)"
    case .object: "an object"
    default: value.jsonText
    }
  }
}
