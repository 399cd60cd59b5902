import Foundation
import Rollouts
import TrajectoryStore

/// A completion's tokens, coloured by a number of theirs where there are colours.
struct TokenColoring: Sendable {
  /// What the colour stands for.
  enum Quantity: String, CaseIterable, Sendable {
    case logprob, ratio, advantage, entropy

    func value(of token: ReportSection.TokenCell) -> Double? {
      switch self {
      case .logprob: token.logProbability
      case .ratio: token.ratio
      case .advantage: token.advantage
      case .entropy: token.entropy
      }
    }
  }

  var quantity: Quantity

  /// The tokens as text with coloured backgrounds, or as rows of numbers without colours.
  func text(of tokens: [ReportSection.TokenCell], in context: CommandContext) -> String {
    guard context.style.isEnabled else { return table(of: tokens) }
    let largest =
      tokens.compactMap { quantity.value(of: $0).map(abs) }.filter(\.isFinite).max() ?? 1
    let limit = max(largest, .leastNormalMagnitude)
    let room = max(20, min(context.width, 100) - 2)
    var lines = ["  "]
    var column = 0
    for (place, token) in tokens.enumerated() {
      let isTorn = column + Self.widthOfWord(at: place, in: tokens) > room
      if isTorn, column > 0 {
        lines.append("  ")
        column = 0
      }
      for piece in Self.pieces(of: token) {
        lines[lines.count - 1] += colored(piece, token, limit: limit, context.style)
        column += TextLayout.width(of: piece)
        if piece.hasSuffix(Self.lineBreak) {
          lines.append("  ")
          column = 0
        }
      }
    }
    return legend(in: context) + "\n" + lines.joined(separator: "\n")
  }

  private static let lineBreak = TextLayout.singleLine("\n")

  /// A token's text, cut behind each line break of it.
  private static func pieces(of token: ReportSection.TokenCell) -> [String] {
    guard let text = token.text else { return ["\(token.id) "] }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    return lines.enumerated().map { index, line in
      TextLayout.singleLine(String(line)) + (index < lines.count - 1 ? lineBreak : "")
    }
  }

  /// The columns of a token and of those after it that go on with its word; 0 within a word.
  private static func widthOfWord(at place: Int, in tokens: [ReportSection.TokenCell]) -> Int {
    func begins(_ place: Int) -> Bool {
      tokens[place].text?.first?.isWhitespace ?? true
    }
    guard place == 0 || begins(place) else { return 0 }
    var width = 0
    var next = place
    repeat {
      width += TextLayout.width(of: pieces(of: tokens[next])[0])
      next += 1
      // A longer word is torn at the window's edge, wherever that is.
    } while next < tokens.count && next < place + 16 && !begins(next)
    return width
  }

  private func colored(
    _ text: String, _ token: ReportSection.TokenCell, limit: Double, _ style: Style
  ) -> String {
    if token.isObserved { return style.dim(text) }
    guard let value = quantity.value(of: token), value.isFinite else { return text }
    return style.background(text, palette: color(of: value, limit: limit))
  }

  private func legend(in context: CommandContext) -> String {
    let meaning =
      switch quantity {
      case .logprob: ("likely", "unlikely")
      case .ratio: ("less likely now", "more likely now")
      case .advantage: ("discouraged", "encouraged")
      case .entropy: ("certain", "uncertain")
      }
    let scale = (0...6).map { step -> String in
      let share = Double(step) / 6
      let value: Double =
        switch quantity {
        case .logprob: -6 * share
        case .ratio: exp(2 * share - 1)
        case .advantage: 2 * share - 1
        case .entropy: share
        }
      return context.style.background("  ", palette: color(of: value, limit: 1))
    }
    return "  \(quantity.rawValue): \(meaning.0) \(scale.joined()) \(meaning.1)\n"
  }

  /// White to red for what is one-sided; blue, white, red around the middle for what has one.
  private func color(of value: Double, limit: Double) -> UInt8 {
    // Of the 6×6×6 colour cube: 16 + 36 red + 6 green + blue.
    func palette(_ red: Int, _ green: Int, _ blue: Int) -> UInt8 {
      UInt8(16 + 36 * red + 6 * green + blue)
    }
    func oneSided(_ share: Double) -> UInt8 {
      let step = Int(clamping: (min(1, max(0, share)) * 4).rounded())
      return palette(5, 5 - step, 5 - step)
    }
    func twoSided(_ share: Double) -> UInt8 {
      let step = Int(clamping: (min(1, abs(share)) * 4).rounded())
      return share < 0 ? palette(5 - step, 5 - step, 5) : palette(5, 5 - step, 5 - step)
    }
    switch quantity {
    // A probability of e⁻⁶ is as red as it gets.
    case .logprob: return oneSided(-value / 6)
    case .entropy: return oneSided(value / limit)
    case .advantage: return twoSided(value / limit)
    // Twice or half as likely is as far as it gets.
    case .ratio: return value > 0 ? twoSided(log(value) / log(2)) : palette(1, 1, 5)
    }
  }

  private func table(of tokens: [ReportSection.TokenCell]) -> String {
    var table = Table([
      .number("position"), .number("id"), .text("token"), .number("logprob"), .number("entropy"),
      .number("ratio"), .number("advantage"), .number("kept"),
    ])
    func number(_ value: Double?) -> String { value.map { NumberFormat.fixed($0, 4) } ?? "" }
    for (position, token) in tokens.enumerated() {
      table.append(
        "\(position)", "\(token.id)", token.text ?? "", number(token.logProbability),
        number(token.entropy), number(token.ratio), number(token.advantage),
        token.keptCount.map(String.init) ?? token.excludedCount.map { "all but \($0)" } ?? "")
    }
    for index in table.columns.indices.reversed()
    where table.rows.allSatisfy({ $0[index].isEmpty }) {
      table.columns.remove(at: index)
      for row in table.rows.indices { table.rows[row].remove(at: index) }
    }
    return table.text()
  }
}
