/// Facts side by side on one line; where the line is too narrow, the least important are left out.
///
/// A line that wraps inside a word is read twice, and a live line that wraps can't be redrawn.
struct FieldLine: Sendable {
  /// A fact, and how long it stays: the greatest rank is left out first, 0 never is.
  struct Field: Sendable {
    var text: String
    var rank: Int
  }

  private(set) var fields: [Field] = []
  private static let gap = "  "

  /// Appends a fact at the right.
  mutating func append(_ text: String, rank: Int = 0) {
    fields.append(Field(text: text, rank: rank))
  }

  /// The facts that fit, in their order; the last resort is an ellipsis.
  /// - Parameter width: Columns; nil where nothing is left out.
  func text(width: Int?) -> String {
    guard let width else { return Self.joined(fields) }
    var shown = fields
    while TextLayout.width(of: Self.joined(shown)) > width,
      let last = shown.indices.filter({ shown[$0].rank > 0 })
        .max(by: { (shown[$0].rank, $0) < (shown[$1].rank, $1) })
    {
      shown.remove(at: last)
    }
    return TextLayout.truncate(Self.joined(shown), to: width)
  }

  private static func joined(_ fields: [Field]) -> String {
    fields.map(\.text).joined(separator: gap)
  }
}
