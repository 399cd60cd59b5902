// What papers and peers do, as settings. A preset sets the arithmetic only: advantage, ratio, clip,
// KL, normaliser, masks, iterations and reference refresh. Learning rate, group and lengths are the
// source's, told for information.

/// The conventions of a paper or a peer.
public enum Preset: String, CaseIterable, Sendable, Hashable {
  case deepseekMath = "deepseekmath"
  case deepseekR1 = "deepseek-r1"
  case trl
  case verl
  case openRLHF = "openrlhf"
  case nemo
  case drGRPO = "dr-grpo"
  case dapo
  case gspo
  case cispo
  case rloo
  case reinforcePlusPlus = "reinforce++"
  case nanochat

  /// What is known of a preset.
  public struct Description: Sendable {
    /// The name of the method or the program.
    public var title: String
    /// Where its conventions are written down.
    public var source: String
    /// What it is about, in words.
    public var words: String
    /// The source's learning rate, group, lengths and the like, in the order to show them.
    public var information: [(name: String, value: String)]
    /// Where ours differs from the source, and where the source is silent.
    public var notes: [String]
  }

  /// The settings, starting from our defaults.
  public var settings: ObjectiveSettings {
    var settings = ObjectiveSettings()
    apply(to: &settings)
    return settings
  }

  /// The preset of a name; underscores are read as hyphens.
  public init?(named name: String) {
    self.init(rawValue: name.lowercased().replacing("_", with: "-"))
  }

  /// The names of all presets.
  public static var names: [String] { allCases.map(\.rawValue) }

  /// The settings that differ from our defaults, by name.
  public var changes: [(key: ObjectiveKey, value: String)] {
    let settings = settings
    return ObjectiveKey.all.compactMap { key in
      let value = key.value(in: settings)
      return value == key.defaultValue ? nil : (key, value.settingText)
    }
  }
}

extension ObjectiveSettings {
  /// Our defaults: TRL 1.16's, with plain k3 and double-precision constants.
  public static let `default` = ObjectiveSettings()
}
