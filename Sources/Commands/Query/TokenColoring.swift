import Foundation
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
    let lines = legend(in: context) + "\n"
    let limit = tokens.compactMap { quantity.value(of: $0).map(abs) }.filter(\.isFinite).max() ?? 1
    var text = ""
    for token in tokens {
      let shown = shownText(of: token)
      guard let value = quantity.value(of: token), value.isFinite else {
        text += shown
        continue
      }
      text += context.style.background(
        shown, palette: color(of: value, limit: max(limit, .leastNormalMagnitude)))
      if token.text?.hasSuffix("\n") == true { text += "\n" }
    }
    return lines + text
  }

  private func shownText(of token: ReportSection.TokenCell) -> String {
    guard let text = token.text else { return "\(token.id) " }
    return TextLayout.singleLine(text)
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
      let step = Int((min(1, max(0, share)) * 4).rounded())
      return palette(5, 5 - step, 5 - step)
    }
    func twoSided(_ share: Double) -> UInt8 {
      let step = Int((min(1, abs(share)) * 4).rounded())
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
        token.keptCount.map(String.init) ?? "")
    }
    for index in table.columns.indices.reversed()
    where table.rows.allSatisfy({ $0[index].isEmpty }) {
      table.columns.remove(at: index)
      for row in table.rows.indices { table.rows[row].remove(at: index) }
    }
    return table.text()
  }
}
