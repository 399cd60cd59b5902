/// Something wrong, or odd, about settings, found before any work.
public struct SettingFault: Sendable, Hashable, CustomStringConvertible {
  /// Whether the settings can be run.
  public enum Severity: String, Sendable, Hashable {
    case error
    case warning
  }

  /// Whether the settings can be run.
  public var severity: Severity
  /// The settings concerned, the one to change first.
  public var keys: [String]
  /// A sentence naming the values and the remedy.
  public var description: String

  static func error(_ keys: String..., text: String) -> SettingFault {
    SettingFault(severity: .error, keys: keys, description: text)
  }

  static func warning(_ keys: String..., text: String) -> SettingFault {
    SettingFault(severity: .warning, keys: keys, description: text)
  }
}

/// What validation must know beside the settings.
public struct ObjectiveSituation: Sendable {
  /// Completions in a group; nil where unknown or unequal.
  public var groupSize: Int?
  /// Whether a reference model or its log-probabilities are there.
  public var hasReference: Bool
  /// The limit on a completion's length.
  public var maxCompletionLength: Int
  /// Optimiser updates made of one rollout, without iterations.
  public var updatesPerRollout: Int
  /// The preset that the settings started from.
  public var preset: Preset?
  /// The settings that the user named.
  public var given: Set<String>

  /// Describes a situation.
  public init(
    groupSize: Int?, hasReference: Bool, maxCompletionLength: Int, updatesPerRollout: Int = 1,
    preset: Preset? = nil, given: Set<String> = []
  ) {
    self.groupSize = groupSize
    self.hasReference = hasReference
    self.maxCompletionLength = maxCompletionLength
    self.updatesPerRollout = updatesPerRollout
    self.preset = preset
    self.given = given
  }
}
