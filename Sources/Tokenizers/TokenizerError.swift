/// What is wrong with a tokenizer's files, where, and what to do about it.
public struct TokenizerError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The file or folder at fault.
  public var file: String
  /// Where in the file: a member's path ("model.vocab") or a line.
  public var place: String?
  /// The fault and what was expected, as a clause.
  public var reason: String
  /// What the user can do, as a clause.
  public var remedy: String?

  /// Makes an error.
  public init(file: String, place: String? = nil, reason: String, remedy: String? = nil) {
    self.file = file
    self.place = place
    self.reason = reason
    self.remedy = remedy
  }

  /// The fault in one sentence.
  public var description: String {
    var text = file
    if let place { text += ", \(place)" }
    text += ": \(reason)"
    if let remedy { text += "; \(remedy)" }
    return text
  }
}
