/// A setting that takes one of a few named values; its raw value is the name in a config.
public protocol SettingChoice: RawRepresentable, CaseIterable, Sendable, Hashable
where RawValue == String {
  /// What the choice computes, as one line of mathematics or words.
  var meaning: String { get }
}

extension SettingChoice {
  /// The names of all choices, in order.
  public static var names: [String] { allCases.map(\.rawValue) }
}
