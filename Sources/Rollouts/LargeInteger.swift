/// An integer beyond 64 bits, kept by its digits, so that it leaves grpo as it came.
public struct LargeInteger: Sendable, Hashable, CustomStringConvertible {
  /// The most digits that are read: as many as Python's `int` takes from a text by default.
  public static let digitLimit = 4300

  /// The digits, after a minus sign where it is negative, without leading zeros.
  public let description: String

  /// Takes an integer as JSON writes it; nil where the text is none, or has too many digits.
  public init?(_ text: some StringProtocol) {
    let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
    guard let first = digits.utf8.first, digits.utf8.count <= Self.digitLimit,
      first != UInt8(ascii: "0"), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) })
    else { return nil }
    description = String(text)
  }

  /// The nearest double; nil where it is beyond every double.
  public var double: Double? {
    guard let value = Double(description), value.isFinite else { return nil }
    return value
  }
}
