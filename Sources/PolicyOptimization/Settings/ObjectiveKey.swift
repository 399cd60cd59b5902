import Rollouts

/// One setting as a config sees it: a name, a description, and how to read and write it.
public struct ObjectiveKey: Sendable {
  /// What a value of the setting looks like.
  public enum Kind: Sendable, Hashable {
    case number
    /// A number or null.
    case optionalNumber
    case integer
    case boolean
    case choice([String])
    /// One of the names or null.
    case optionalChoice([String])

    /// The kind in words: "a number", "one of token, sequence".
    public var description: String {
      switch self {
      case .number: "a number"
      case .optionalNumber: "a number or null"
      case .integer: "an integer"
      case .boolean: "true or false"
      case .choice(let names): "one of \(names.joined(separator: ", "))"
      case .optionalChoice(let names): "null or one of \(names.joined(separator: ", "))"
      }
    }
  }

  /// The name in snake case, TRL's where TRL has the setting.
  public let name: String
  /// Other spellings that are read.
  public let aliases: [String]
  /// One line for `--help`.
  public let summary: String
  /// What its value looks like.
  public let kind: Kind

  private let read: @Sendable (ObjectiveSettings) -> JSONValue
  private let write: @Sendable (inout ObjectiveSettings, JSONValue) -> Bool

  /// The value in some settings.
  public func value(in settings: ObjectiveSettings) -> JSONValue { read(settings) }

  /// The value by default.
  public var defaultValue: JSONValue { read(ObjectiveSettings()) }

  /// Sets the value.
  ///
  /// - Throws: `SettingError` where the value is of the wrong kind.
  public func set(
    _ value: JSONValue, in settings: inout ObjectiveSettings
  ) throws(SettingError) {
    guard write(&settings, value) else {
      throw SettingError(key: name, found: value.jsonText, expected: kind.description)
    }
  }

  /// The key of a name or of one of its other spellings; kebab-case is read as snake case.
  public static func named(_ name: String) -> ObjectiveKey? {
    let wanted = name.replacing("-", with: "_")
    return all.first { $0.name == wanted || $0.aliases.contains(wanted) }
  }
}

/// A value that a setting can't take.
public struct SettingError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The setting.
  public var key: String
  /// The value as it was written.
  public var found: String
  /// What it should be.
  public var expected: String

  /// The fault in a sentence.
  public var description: String { "\(key) is \(found): expected \(expected)" }
}

// MARK: - Kinds of keys

extension ObjectiveKey {
  typealias Path<Value> = WritableKeyPath<ObjectiveSettings, Value> & Sendable

  static func number(
    _ name: String, _ path: any Path<Double>, aliases: [String] = [], _ summary: String
  ) -> ObjectiveKey {
    ObjectiveKey(
      name: name, aliases: aliases, summary: summary, kind: .number,
      read: { .number($0[keyPath: path]) },
      write: { settings, value in
        guard let number = value.double else { return false }
        settings[keyPath: path] = number
        return true
      })
  }

  static func optionalNumber(
    _ name: String, _ path: any Path<Double?>, aliases: [String] = [], _ summary: String
  ) -> ObjectiveKey {
    ObjectiveKey(
      name: name, aliases: aliases, summary: summary, kind: .optionalNumber,
      read: { $0[keyPath: path].map(JSONValue.number) ?? .null },
      write: { settings, value in
        if !value.isNull && value.double == nil { return false }
        settings[keyPath: path] = value.double
        return true
      })
  }

  static func integer(_ name: String, _ path: any Path<Int>, _ summary: String) -> ObjectiveKey {
    ObjectiveKey(
      name: name, aliases: [], summary: summary, kind: .integer,
      read: { .integer(Int64($0[keyPath: path])) },
      write: { settings, value in
        guard let integer = value.integer else { return false }
        settings[keyPath: path] = integer
        return true
      })
  }

  static func boolean(
    _ name: String, _ path: any Path<Bool>, aliases: [String] = [], _ summary: String
  ) -> ObjectiveKey {
    ObjectiveKey(
      name: name, aliases: aliases, summary: summary, kind: .boolean,
      read: { .bool($0[keyPath: path]) },
      write: { settings, value in
        guard let bool = value.bool else { return false }
        settings[keyPath: path] = bool
        return true
      })
  }

  static func choice<Choice: SettingChoice>(
    _ name: String, _ path: any Path<Choice>, aliases: [String] = [], _ summary: String
  ) -> ObjectiveKey {
    ObjectiveKey(
      name: name, aliases: aliases, summary: summary, kind: .choice(Choice.names),
      read: { .string($0[keyPath: path].rawValue) },
      write: { settings, value in
        guard let choice = value.string.flatMap(Choice.init(rawValue:)) else { return false }
        settings[keyPath: path] = choice
        return true
      })
  }

  static func optionalChoice<Choice: SettingChoice>(
    _ name: String, _ path: any Path<Choice?>, _ summary: String
  ) -> ObjectiveKey {
    ObjectiveKey(
      name: name, aliases: [], summary: summary, kind: .optionalChoice(Choice.names),
      read: { $0[keyPath: path].map { .string($0.rawValue) } ?? .null },
      write: { settings, value in
        if value.isNull {
          settings[keyPath: path] = nil
          return true
        }
        guard let choice = value.string.flatMap(Choice.init(rawValue:)) else { return false }
        settings[keyPath: path] = choice
        return true
      })
  }

  /// `scale_rewards` also takes TRL's older booleans: true is group, false is none.
  static let scaleRewards = ObjectiveKey(
    name: "scale_rewards", aliases: [],
    summary:
      "what a centred reward is divided by: the group's deviation, the step's, or nothing; true is group, false none",
    kind: .choice(RewardScale.names + ["true", "false"]),
    read: { .string($0.scaleRewards.rawValue) },
    write: { settings, value in
      if let bool = value.bool ?? value.string.flatMap(Bool.init) {
        settings.scaleRewards = bool ? .group : .none
        return true
      }
      guard let scale = value.string.flatMap(RewardScale.init(rawValue:)) else { return false }
      settings.scaleRewards = scale
      return true
    })
}
