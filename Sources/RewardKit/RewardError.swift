/// Why the rewards of a run can't be used, or can't be used any longer.
///
/// A completion that could not be scored is no error: it is data, a `Scoring`.
public struct RewardError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Which boundary was crossed.
  public enum Kind: Sendable, Equatable {
    /// The settings are wrong, or a plugin isn't there or doesn't start: exit code 2.
    case configuration
    /// A reward failed too often, or failed where `on_error` is `stop`: exit code 1.
    case stopped
    /// Interrupted: exit code 130.
    case interrupted
  }

  /// Which boundary was crossed.
  public var kind: Kind
  /// Every fault that was found, each a sentence with its remedy.
  public var faults: [String]

  /// Makes an error of its faults.
  public init(_ kind: Kind, _ faults: [String]) {
    self.kind = kind
    self.faults = faults
  }

  /// Makes an error of one fault.
  public init(_ kind: Kind, _ fault: String) { self.init(kind, [fault]) }

  /// The faults, a line each.
  public var description: String { faults.joined(separator: "\n") }
}
