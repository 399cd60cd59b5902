/// Colours and weights at a terminal that has them; plain text elsewhere.
struct Style: Sendable {
  /// Whether text is styled: by marks that the channel to a terminal turns into its sequences.
  var isEnabled: Bool

  /// Text without any style.
  static let plain = Style(isEnabled: false)

  func bold(_ text: String) -> String { wrap(text, "1") }
  func dim(_ text: String) -> String { wrap(text, "2") }
  func red(_ text: String) -> String { wrap(text, "31") }
  func green(_ text: String) -> String { wrap(text, "32") }
  func yellow(_ text: String) -> String { wrap(text, "33") }
  func blue(_ text: String) -> String { wrap(text, "34") }

  /// Text on a background of the 256-colour palette, black or white on top, whichever reads.
  func background(_ text: String, palette index: UInt8) -> String {
    wrap(text, "30;48;5;\(index)")
  }

  private func wrap(_ text: String, _ code: String) -> String {
    guard isEnabled, !text.isEmpty else { return text }
    let (begin, end) = (VisibleText.styleBegin, VisibleText.styleEnd)
    return "\(begin)\(code)\(end)\(text)\(begin)0\(end)"
  }
}
