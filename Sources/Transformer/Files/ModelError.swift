/// Why a model can't be used: where the fault lies, what was expected, and what to do about it.
///
/// Everything that is wrong with one file is reported at once. Text that comes from the file is
/// shortened and its control characters are escaped, so that a message is safe to print.
public struct ModelError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What kind of trouble it is, for callers that treat kinds differently.
  public enum Kind: Sendable, Equatable {
    /// The folder or a file in it is not there, or the system refuses to read it.
    case missing
    /// A Hugging Face hub name whose model is not on this machine; `remedy` has the command.
    case hubName
    /// A sound model of a kind that is not supported.
    case unsupported
    /// A file that contradicts itself, its format, or its neighbours.
    case invalid
  }

  /// One thing that is wrong.
  public struct Fault: Sendable, Equatable {
    /// The key, tensor or file that it is about; nil where it is about the whole.
    public var subject: String?
    /// What was found and what was expected, as a clause.
    public var reason: String

    /// Makes a fault.
    public init(_ subject: String?, _ reason: String) {
      self.subject = subject
      self.reason = reason
    }
  }

  /// What kind of trouble it is.
  public var kind: Kind
  /// The folder or file.
  public var path: String
  /// Everything that is wrong with it, in the order of the file; never empty.
  public var faults: [Fault]
  /// What to do, as a clause without a full stop.
  public var remedy: String?

  /// Makes an error with one fault.
  public init(
    _ kind: Kind, path: String, subject: String? = nil, _ reason: String, remedy: String? = nil
  ) {
    self.init(kind, path: path, faults: [Fault(subject, reason)], remedy: remedy)
  }

  /// Makes an error with all the faults of a file.
  public init(_ kind: Kind, path: String, faults: [Fault], remedy: String? = nil) {
    self.kind = kind
    self.path = path
    self.faults = faults
    self.remedy = remedy
  }

  /// How many faults a description shows; the rest are counted.
  static let shownFaults = 12

  /// One sentence for one fault; a list for several.
  public var description: String {
    let remedy = remedy.map { "; \($0)" } ?? ""
    if faults.count == 1, let fault = faults.first { return "\(path): \(text(of: fault))\(remedy)" }
    var lines = ["\(path): \(faults.count) faults\(remedy)"]
    lines += faults.prefix(Self.shownFaults).map { "  - \(text(of: $0))" }
    if faults.count > Self.shownFaults {
      lines.append("  - … and \(faults.count - Self.shownFaults) more")
    }
    return lines.joined(separator: "\n")
  }

  private func text(of fault: Fault) -> String {
    fault.subject.map { "\($0): \(fault.reason)" } ?? fault.reason
  }
}

/// Text from a file as it may stand in a message: in quotes, shortened, control characters escaped.
func quoted(_ text: String) -> String {
  let limit = 96
  var result = "'"
  for (count, scalar) in text.unicodeScalars.enumerated() {
    if count == limit {
      result += "…"
      break
    }
    result +=
      scalar.properties.generalCategory == .control ? scalar.escaped(asASCII: true) : "\(scalar)"
  }
  return result + "'"
}
