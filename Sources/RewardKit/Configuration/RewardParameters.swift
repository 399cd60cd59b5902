import Rollouts

/// A setting that a reward understands, as declared by the reward.
public struct RewardParameter: Sendable {
  /// What values the setting takes.
  public enum Kind: Sendable {
    case text
    case number(ClosedRange<Double>)
    case integer(ClosedRange<Int>)
    case flag
    /// A list of texts; one text stands for a list of one.
    case texts
    case choice([String])
    /// Any JSON value, checked by the reward itself.
    case value
  }

  /// The key in `parameters`.
  public var name: String
  /// What values it takes.
  public var kind: Kind
  /// The value where the user gives none; nil where the user must give one.
  public var standard: JSONValue?
  /// What it does, in a clause.
  public var summary: String

  /// Declares a setting.
  public init(_ name: String, _ kind: Kind, default standard: JSONValue?, _ summary: String) {
    self.name = name
    self.kind = kind
    self.standard = standard
    self.summary = summary
  }
}

/// The settings of a reward are wrong.
public struct RewardParameterError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Every fault, each a sentence.
  public var faults: [String]

  /// Makes an error.
  public init(_ faults: [String]) { self.faults = faults }

  /// The faults, a line each.
  public var description: String { faults.joined(separator: "\n") }
}

/// Settings of a reward, checked against what it declares and completed with the defaults.
public struct RewardParameters: Sendable {
  /// Every declared setting that has a value.
  public let values: JSONObject

  /// Checks settings against a declaration.
  /// - Throws: every unknown key (with the nearest known one), wrong type and missing setting.
  public init(_ given: JSONObject, declared: [RewardParameter]) throws(RewardParameterError) {
    var values = JSONObject()
    var faults: [String] = []
    for (key, _) in given where !declared.contains(where: { $0.name == key }) {
      let names = declared.map(\.name)
      let known = names.isEmpty ? "it takes none" : "known: \(names.joined(separator: ", "))"
      let hint = Spelling.nearest(to: key, among: names).map { "did you mean \"\($0)\"?" } ?? known
      faults.append("unknown parameter \"\(key)\" (\(hint))")
    }
    for parameter in declared {
      if let value = given[parameter.name], !(value.isNull && parameter.standard?.isNull == true) {
        if let expected = parameter.kind.expectation(broughtBy: value) {
          faults.append(
            "parameter \"\(parameter.name)\" is \(value.jsonText), expected \(expected)")
        }
        values[parameter.name] = value
      } else if let standard = parameter.standard {
        values[parameter.name] = standard
      } else {
        faults.append("parameter \"\(parameter.name)\" is missing: \(parameter.summary)")
      }
    }
    guard faults.isEmpty else { throw RewardParameterError(faults) }
    self.values = values
  }

  /// A declared text; empty where its default is null.
  public func text(_ name: String) -> String { values[name]?.string ?? "" }
  /// A declared text, nil where none was given and the default is null.
  public func optionalText(_ name: String) -> String? { values[name]?.string }
  /// A declared number.
  public func number(_ name: String) -> Double { values[name]?.double ?? 0 }
  /// A declared number, nil where none was given and the default is null.
  public func optionalNumber(_ name: String) -> Double? { values[name]?.double }
  /// A declared integer.
  public func integer(_ name: String) -> Int { values[name]?.integer ?? 0 }
  /// A declared flag.
  public func flag(_ name: String) -> Bool { values[name]?.bool ?? false }
  /// A declared list of texts.
  public func texts(_ name: String) -> [String] {
    if let one = values[name]?.string { return [one] }
    return values[name]?.array?.compactMap(\.string) ?? []
  }
  /// A declared value of any kind.
  public func value(_ name: String) -> JSONValue { values[name] ?? .null }
}

extension RewardParameter.Kind {
  /// What was expected where a value doesn't fit, otherwise nil.
  fileprivate func expectation(broughtBy value: JSONValue) -> String? {
    switch self {
    case .text: return value.string == nil ? "a text" : nil
    case .flag: return value.bool == nil ? "true or false" : nil
    case .value: return nil
    case .number(let range):
      guard let number = value.double, range.contains(number) else {
        return "a number \(Self.words(range.lowerBound, range.upperBound))"
      }
      return nil
    case .integer(let range):
      guard let number = value.integer, range.contains(number) else {
        return "a whole number \(Self.words(Double(range.lowerBound), Double(range.upperBound)))"
      }
      return nil
    case .texts:
      if value.string != nil { return nil }
      guard let list = value.array, list.allSatisfy({ $0.string != nil }) else {
        return "a text or a list of texts"
      }
      return nil
    case .choice(let choices):
      guard let text = value.string, choices.contains(text) else {
        return "one of \(choices.map { "\"\($0)\"" }.joined(separator: ", "))"
      }
      return nil
    }
  }

  private static func words(_ low: Double, _ high: Double) -> String {
    func text(_ bound: Double) -> String {
      bound == bound.rounded() && abs(bound) < 1e15 ? String(Int(clamping: bound)) : "\(bound)"
    }
    switch (low.isFinite && low > -1e15, high.isFinite && high < 1e15) {
    case (true, true): return "from \(text(low)) to \(text(high))"
    case (true, false): return "of at least \(text(low))"
    case (false, true): return "of at most \(text(high))"
    case (false, false): return "(any)"
    }
  }
}
