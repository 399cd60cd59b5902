/// Everything that is wrong with a configuration, at once.
public struct ConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
  /// A sentence for each fault, with file and line or option.
  public var faults: [String]

  /// Makes an error.
  public init(faults: [String]) { self.faults = faults }

  /// The faults, a line each.
  public var description: String { faults.joined(separator: "\n") }
}

/// Where a setting's value came from.
public enum SettingOrigin: Sendable, Hashable {
  /// The command line.
  case option
  /// A config file and the line in it.
  case file(path: String, line: Int)
  /// The preset that `like` names.
  case preset(String)
  /// The run whose log is trained from, or scored, again.
  case recordedRun
  /// The embedded job, where no model is named.
  case embeddedJob
  /// The default.
  case defaultValue

  /// Whether a person wrote the value for this run.
  public var isExplicit: Bool {
    switch self {
    case .option, .file: true
    case .preset, .recordedRun, .embeddedJob, .defaultValue: false
    }
  }

  /// The origin in words: "run.json5, line 3".
  public var description: String {
    switch self {
    case .option: "option"
    case .file(let path, let line): "\(path), line \(line)"
    case .preset(let name): "preset \(name)"
    case .recordedRun: "recorded run"
    case .embeddedJob: "embedded job"
    case .defaultValue: "default"
    }
  }
}
