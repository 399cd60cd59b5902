/// What is wrong with a chat template, or what it refused.
public struct TemplateError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The file, or the name, of the template.
  public var template: String
  /// The template's line, from 1.
  public var line: Int
  /// The fault, as a clause.
  public var reason: String

  /// Makes an error.
  public init(template: String, line: Int, reason: String) {
    self.template = template
    self.line = line
    self.reason = reason
  }

  /// The fault with its place.
  public var description: String { "\(template), line \(line): \(reason)" }
}

/// A fault without its template's name, which the outermost caller adds.
struct TemplateFault: Error {
  var line: Int
  var reason: String
}
