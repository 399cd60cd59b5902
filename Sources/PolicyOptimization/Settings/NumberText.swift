import Rollouts

extension Double {
  /// The number as people write it: 0, 0.2, 1e-6.
  var shortText: String {
    if let whole = Int(exactly: self), whole.magnitude < 1_000_000 { return String(whole) }
    return "\(self)".replacing("e-0", with: "e-")
  }
}

extension JSONValue {
  /// A setting's value as people write it.
  var settingText: String {
    switch self {
    case .string(let text): text
    case .number(let number): number.shortText
    default: jsonText
    }
  }
}
