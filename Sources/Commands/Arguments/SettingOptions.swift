import Rollouts
import Training

extension OptionSpecification {
  /// The option of a setting.
  init(_ setting: SettingDeclaration) {
    self.init(
      setting.optionName, setting.kind.argumentKind, valueName: setting.kind.valueName,
      defaultDescription: setting.defaultText ?? setting.absent, unit: setting.unit,
      help: setting.help, repeats: setting.kind.repeats, section: setting.section,
      peerNames: setting.peers)
  }

  /// The option that names config files.
  static let config = OptionSpecification(
    "config", .path, valueName: "FILE",
    help: "JSON5 file of settings; later files win, options too",
    repeats: true)
}

extension SettingKind {
  /// What the parser can check of an option's words; the rest is checked with the configuration.
  fileprivate var argumentKind: ArgumentKind {
    switch self {
    case .boolean: .boolean
    case .integer(let range): .integer(range)
    case .number(let range): .number(range)
    case .choice(let names): .choice(names)
    case .path: .path
    case .text, .bytes, .list, .values: .text
    }
  }

  fileprivate var valueName: String? {
    switch self {
    case .bytes: "SIZE"
    case .list(separator: .some): "A,B,…"
    default: nil
    }
  }

  fileprivate var repeats: Bool {
    switch self {
    case .list, .values: true
    default: false
    }
  }
}

extension ParsedArguments {
  /// The settings of a run: options of this command line, config files, preset, embedded job.
  ///
  /// For commands whose options are `SettingDeclaration.all` and `.config`, and whose specification
  /// says `reportsFaultsItself`.
  /// - Throws: `UsageError` with the faults of the words and of all settings at once.
  func resolveConfiguration(
    preset: (String) -> JSONObject? = { _ in nil }, embeddedJob: JSONObject = [:]
  ) throws(UsageError) -> ResolvedConfiguration {
    var words: [String: [String]] = [:]
    for setting in SettingDeclaration.all { words[setting.name] = given[setting.optionName] }
    do throws(ConfigurationError) {
      let resolved = try ResolvedConfiguration.resolve(
        options: words, files: strings("config"), preset: preset, embeddedJob: embeddedJob)
      guard faults.isEmpty else { throw ConfigurationError(faults: []) }
      return resolved
    } catch {
      throw UsageError(faults + error.faults)
    }
  }
}
