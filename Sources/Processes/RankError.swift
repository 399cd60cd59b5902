/// Why ranks can't work together, in a sentence.
public struct RankError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What went wrong.
  public enum Kind: Sendable, Equatable {
    /// No MPI library was found, or none that has what is needed.
    case library
    /// The launcher is not that of the library, or disagrees with it.
    case launcher
    /// A call of the library failed.
    case message
    /// Ranks differ in what must be the same, or one of them can't begin.
    case disagreement
  }

  /// What went wrong.
  public var kind: Kind
  /// What, where and what to do.
  public var description: String

  /// An error with its sentence.
  public init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description
  }
}
