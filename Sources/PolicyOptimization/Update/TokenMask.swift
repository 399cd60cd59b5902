/// Which tokens of a completion count.
public struct TokenMask: Sendable, Hashable {
  private enum Storage: Sendable, Hashable {
    case all(Bool)
    case each([Bool])
  }

  private let storage: Storage
  /// How many tokens count.
  public let count: Int

  /// Every one of `length` tokens counts.
  public static func all(_ length: Int) -> TokenMask {
    TokenMask(storage: .all(true), count: length)
  }

  /// No token counts.
  public static let none = TokenMask(storage: .all(false), count: 0)

  /// The tokens that are true count.
  public init(_ tokens: [Bool]) {
    count = tokens.count { $0 }
    storage = count == tokens.count ? .all(true) : .each(tokens)
  }

  private init(storage: Storage, count: Int) {
    self.storage = storage
    self.count = count
  }

  /// Whether a token counts.
  public subscript(token: Int) -> Bool {
    switch storage {
    case .all(let counts): counts
    case .each(let tokens): tokens[token]
    }
  }
}
