// The value of a closed expression in LaTeX's normal form: 2\sqrt{3}+\frac{\pi}{4}, 3^{2}, 10!
import Foundation

/// Evaluates closed expressions; refuses anything with an unknown in it.
enum LatexArithmetic {
  /// The value, nil where the text is no closed expression or not finite.
  ///
  /// Linear; depth is bounded.
  static func value(of text: String) -> Double? {
    guard text.utf8.count <= 512 else { return nil }
    var parser = Parser(text: Array(text.unicodeScalars))
    guard let value = parser.sum(depth: 0), parser.at == parser.text.count, value.isFinite else {
      return nil
    }
    return value
  }

  private struct Parser {
    let text: [Unicode.Scalar]
    var at = 0

    func next(_ word: String) -> Bool { text[at...].starts(with: word.unicodeScalars) }

    mutating func take(_ word: String) -> Bool {
      guard next(word) else { return false }
      at += word.unicodeScalars.count
      return true
    }

    mutating func sum(depth: Int) -> Double? {
      guard depth < 32, var value = product(depth: depth) else { return nil }
      while true {
        if take("+") {
          guard let term = product(depth: depth) else { return nil }
          value += term
        } else if take("-") {
          guard let term = product(depth: depth) else { return nil }
          value -= term
        } else {
          return value
        }
      }
    }

    mutating func product(depth: Int) -> Double? {
      var sign = 1.0
      while next("-") || next("+") { sign = take("-") ? -sign : (take("+") ? sign : sign) }
      guard var value = power(depth: depth) else { return nil }
      value *= sign
      while at < text.count {
        if take("*") {
          guard let factor = power(depth: depth) else { return nil }
          value *= factor
        } else if take("/") {
          guard let divisor = power(depth: depth), divisor != 0 else { return nil }
          value /= divisor
        } else if next("\\frac") || next("\\sqrt") || next("\\pi") || next("(") {
          // Juxtaposition is multiplication, but 2\frac{1}{2} is a mixed number.
          let isMixed = next("\\frac") && value == value.rounded() && isDigitBefore
          guard let factor = power(depth: depth) else { return nil }
          value = isMixed ? value + (value < 0 ? -factor : factor) : value * factor
        } else {
          return value
        }
      }
      return value
    }

    var isDigitBefore: Bool { at > 0 && ("0"..."9").contains(text[at - 1]) }

    mutating func power(depth: Int) -> Double? {
      guard let base = atom(depth: depth) else { return nil }
      if take("^") {
        guard let exponent = argument(depth: depth) else { return nil }
        return pow(base, exponent)
      }
      if take("!") {
        guard base >= 0, base <= 100, base == base.rounded() else { return nil }
        return (1...max(1, Int(base))).reduce(1.0) { $0 * Double($1) }
      }
      return base
    }

    mutating func argument(depth: Int) -> Double? {
      if take("{") {
        guard let value = sum(depth: depth + 1), take("}") else { return nil }
        return value
      }
      guard at < text.count, ("0"..."9").contains(text[at]) else { return nil }
      defer { at += 1 }
      return Double(text[at].value - 48)
    }

    mutating func atom(depth: Int) -> Double? {
      if take("\\frac") {
        guard let above = argument(depth: depth), let below = argument(depth: depth), below != 0
        else { return nil }
        return above / below
      }
      if take("\\sqrt") {
        var root = 2.0
        if take("[") {
          guard let value = sum(depth: depth + 1), take("]"), value != 0 else { return nil }
          root = value
        }
        guard let value = argument(depth: depth), value >= 0 else { return nil }
        return root == 2 ? value.squareRoot() : pow(value, 1 / root)
      }
      if take("\\pi") { return Double.pi }
      for (opening, closing) in [("(", ")"), ("{", "}")] where take(opening) {
        guard let value = sum(depth: depth + 1), take(closing) else { return nil }
        return value
      }
      let start = at
      while at < text.count, ("0"..."9").contains(text[at]) || text[at] == "." { at += 1 }
      guard at > start else { return nil }
      return Double(String(String.UnicodeScalarView(text[start..<at])))
    }
  }
}
