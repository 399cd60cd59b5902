import BuiltInRewards
import PolicyOptimization
import RewardKit
import Rollouts
import Training

extension OptionSpecification {
  /// The option of a setting.
  init(_ setting: SettingDeclaration) {
    self.init(
      setting.optionName, setting.kind.argumentKind, valueName: setting.kind.valueName,
      defaultDescription: setting.defaultText ?? setting.absent, unit: setting.unit,
      help: setting.help, repeats: setting.kind.addsUp, section: setting.section,
      peerNames: setting.peers)
    acceptsNone = setting.acceptsNone
    suggestions = Self.suggestions[setting.name] ?? []
  }

  /// What shells offer for settings whose values are names, among others.
  private static let suggestions = [
    "like": Preset.names, "reward": RewardCatalogue.shipped.names,
  ]

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
    case .text, .bytes, .list, .object, .values: .text
    }
  }

  fileprivate var valueName: String? {
    switch self {
    case .bytes: "SIZE"
    case .object: "JSON"
    case .list(separator: .some): "A,B,…"
    default: nil
    }
  }
}

extension ParsedArguments {
  /// What `resolve` makes of these words, or the faults of the words and of the settings at once.
  ///
  /// For commands whose specification says `reportsFaultsItself`.
  /// - Throws: `UsageError`.
  func reportingAllFaults<Result>(_ resolve: () throws -> Result) throws(UsageError) -> Result {
    let result: Result
    do { result = try resolve() } catch let error as ConfigurationError {
      throw UsageError(faults + error.faults)
    } catch {
      throw UsageError(faults + ["\(error)"])
    }
    guard faults.isEmpty else { throw UsageError(faults) }
    return result
  }
}
