import Rollouts

/// Parameters of the model, by name, that learn at a rate or a weight decay of their own.
public struct ParameterGroup: Sendable, Hashable {
  /// A parameter's name, where `*` stands for any characters and `?` for one.
  public var match: String
  /// The group's learning rate at the top of the schedule; nil: the run's.
  public var learningRate: Double?
  /// The group's weight decay; nil: the run's.
  public var weightDecay: Double?

  /// Makes a group.
  public init(match: String, learningRate: Double? = nil, weightDecay: Double? = nil) {
    self.match = match
    self.learningRate = learningRate
    self.weightDecay = weightDecay
  }

  /// Whether the group has the parameter of this name; of several groups the first counts.
  public func contains(_ name: String) -> Bool {
    Self.matches(Array(name.utf8)[...], Array(match.utf8)[...])
  }

  /// Matches by remembering the last `*`: time is the product of the lengths at worst.
  private static func matches(_ text: ArraySlice<UInt8>, _ pattern: ArraySlice<UInt8>) -> Bool {
    var (t, p) = (text.startIndex, pattern.startIndex)
    var retry: (text: Int, pattern: Int)?
    while t < text.endIndex {
      if p < pattern.endIndex, pattern[p] == UInt8(ascii: "*") {
        retry = (t, p)
        p += 1
      } else if p < pattern.endIndex, pattern[p] == UInt8(ascii: "?") || pattern[p] == text[t] {
        (t, p) = (t + 1, p + 1)
      } else if let last = retry {
        retry = (last.text + 1, last.pattern)
        (t, p) = (last.text + 1, last.pattern + 1)
      } else {
        return false
      }
    }
    return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
  }
}

extension ParameterGroup {
  /// Reads `{match: "…", learning_rate: …, weight_decay: …}`.
  /// - Throws: `SettingFault` naming the member.
  init(json: JSONValue) throws(SettingFault) {
    guard let members = json.object else {
      throw SettingFault("must be a list of objects {match, learning_rate, weight_decay}")
    }
    let known = ["match", "learning_rate", "weight_decay"]
    for key in members.keys where !known.contains(key) {
      let nearest = Spelling.nearest(to: key, among: known)
      throw SettingFault(
        "has an unknown member '\(key)'" + (nearest.map { "; did you mean '\($0)'?" } ?? ""))
    }
    guard let match = members["match"]?.string, !match.isEmpty else {
      throw SettingFault("needs 'match', a pattern of parameter names such as \"*.bias\"")
    }
    self.init(
      match: match, learningRate: try Self.rate("learning_rate", of: members),
      weightDecay: try Self.rate("weight_decay", of: members))
    if learningRate == nil, weightDecay == nil {
      throw SettingFault("says neither learning_rate nor weight_decay for '\(match)'")
    }
  }

  private static func rate(_ key: String, of members: JSONObject) throws(SettingFault) -> Double? {
    guard let value = members[key], !value.isNull else { return nil }
    guard let number = value.double, number >= 0, number.isFinite else {
      throw SettingFault("has a \(key) that isn't a number of 0 or more: \(value.jsonText)")
    }
    return number
  }

  /// The group as it stands in a config.
  var json: JSONValue {
    var members: JSONObject = ["match": .string(match)]
    members["learning_rate"] = learningRate.map(JSONValue.number)
    members["weight_decay"] = weightDecay.map(JSONValue.number)
    return .object(members)
  }
}
