import Training

extension ArgumentKind {
  /// What is wrong with a value, as the end of a sentence; nil where it is right.
  func fault(in text: String) -> String? {
    switch self {
    case .flag: return "takes no value"
    case .text, .path: return nil
    case .boolean:
      return ArgumentKind.boolean(text) == nil ? "must be true or false, not '\(text)'" : nil
    case .integer(let range):
      guard let value = ArgumentKind.integer(text) else {
        return "must be a whole number, not '\(text)'"
      }
      return range.contains(value)
        ? nil : "must be \(SettingDeclaration.describe(range)), not \(text)"
    case .number(let range):
      guard let value = Double(text), value.isFinite else {
        return "must be a number, not '\(text)'"
      }
      return range.contains(value)
        ? nil : "must be \(SettingDeclaration.describe(range)), not \(text)"
    case .choice(let choices):
      guard !choices.contains(text) else { return nil }
      let list = choices.joined(separator: ", ")
      return "must be one of \(list), not '\(text)'"
    }
  }

  /// Reads true and false in the spellings that people use.
  static func boolean(_ text: String) -> Bool? {
    switch text.lowercased() {
    case "true", "yes", "on", "1": true
    case "false", "no", "off", "0": false
    default: nil
    }
  }

  /// Reads a whole number, with underscores or an exponent where it stays whole: `1_000`, `1e3`.
  static func integer(_ text: String) -> Int? {
    if let value = Int(text.filter { $0 != "_" }) { return value }
    guard text.contains(where: { "eE".contains($0) }), let value = Double(text) else { return nil }
    return Int(exactly: value)
  }

  /// The word that stands for a value in help, nil for a flag.
  var placeholder: String? {
    switch self {
    case .flag, .boolean: nil
    case .text: "TEXT"
    case .path: "PATH"
    case .integer: "N"
    case .number: "X"
    case .choice(let choices): choices.joined(separator: "|")
    }
  }
}
