// One spelling for answers that differ in LaTeX's spelling alone (after Hendrycks et al. 2021,
// "Measuring mathematical problem solving with the MATH dataset", whose rules compare strings).
import Foundation
import RewardKit

/// The normal form of a LaTeX answer.
struct LatexNormalForm: Equatable {
  let text: String

  init(_ answer: String) {
    var text = answer.trimmed()
    for (opening, closing) in [("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]")]
    where text.hasPrefix(opening) && text.hasSuffix(closing) && text.count > 2 * opening.count {
      text = text.dropFirst(opening.count).dropLast(closing.count).trimmed()
    }
    // \leftarrow and \rightarrow must survive \left and \right.
    text = text.replacing("\\leftarrow", with: "\u{1}").replacing("\\rightarrow", with: "\u{2}")
    for word in ["\\left", "\\right", "\\displaystyle", "\\!", "\\,", "\\;", "\\:", "\\quad", "~"] {
      text = text.replacing(word, with: "")
    }
    text = text.replacing("\u{1}", with: "\\leftarrow").replacing("\u{2}", with: "\\rightarrow")
    let spellings = [
      ("\\tfrac", "\\frac"), ("\\dfrac", "\\frac"), ("\\cfrac", "\\frac"), ("^{\\circ}", ""),
      ("^\\circ", ""), ("\u{B0}", ""), ("\\degree", ""), ("\\$", ""), ("\\%", ""), ("%", ""),
      ("{,}", ""), ("\\ ", " "), ("\\cdot", "*"), ("\\times", "*"), ("\\div", "/"),
      ("\\mathrm", "\\text"), ("\\textbf", "\\text"), ("\\mbox", "\\text"), ("\\mathbf", "\\text"),
      ("\\textit", "\\text"), ("\\operatorname", "\\text"), ("\\le ", "\\leq "),
      ("\\ge ", "\\geq "), ("\\neq", "\\ne"), ("\u{2212}", "-"), ("\u{3C0}", "\\pi"),
      ("\u{221E}", "\\infty"), ("\u{221A}", "\\sqrt"),
    ]
    for (spelling, normal) in spellings { text = text.replacing(spelling, with: normal) }
    text = Self.withoutTextCommands(text)
    text = Self.rightOfName(text)
    text = text.filter { !$0.isWhitespace && $0 != "$" }
    text = Self.bracedArguments(text)
    while text.hasSuffix(".") { text.removeLast() }
    if text.hasPrefix(".") { text = "0" + text }
    self.text = Self.withoutThousands(text)
  }

  /// `5\text{ cm}` is 5, `\text{Evelyn}` is Evelyn.
  private static func withoutTextCommands(_ text: String) -> String {
    var result = ""
    var rest = text[...]
    while let range = rest.firstRange(of: "\\text") {
      result += rest[..<range.lowerBound]
      rest = rest[range.upperBound...]
      let inner = rest.drop { $0 == " " }
      guard inner.first == "{", let close = inner.firstIndex(of: "}") else { continue }
      let content = inner[inner.index(after: inner.startIndex)..<close]
      // After a number stand units.
      let isUnit = result.trimmed().last.map { $0.isNumber || $0 == "}" || $0 == ")" } ?? false
      if !isUnit { result += content.trimmed() }
      rest = inner[inner.index(after: close)...]
      // A unit's exponent goes with it.
      if isUnit, rest.hasPrefix("^") { rest = rest.dropFirst(rest.hasPrefix("^{") ? 4 : 2) }
    }
    return result + rest
  }

  /// `x = 5` is 5, and `x \in [1, 2]` is [1, 2].
  private static func rightOfName(_ text: String) -> String {
    for sign in ["=", "\\in "] {
      let sides = text.places(of: sign)
      guard sides.count == 1 else { continue }
      let left = text[..<sides[0].lowerBound].trimmed()
      if left.count <= 3 || left.hasSuffix("(x)"), left.first?.isLetter == true {
        return text[sides[0].upperBound...].trimmed()
      }
    }
    return text
  }

  /// `\frac12` and `\sqrt3` get their braces.
  private static func bracedArguments(_ text: String) -> String {
    var result = ""
    var rest = text[...]
    func takeArgument() {
      guard let first = rest.first, first != "{", first != "[", first != "\\" else { return }
      result += "{\(first)}"
      rest.removeFirst()
    }
    while let range = rest.firstRange(of: "\\") {
      result += rest[..<range.lowerBound]
      rest = rest[range.lowerBound...]
      if rest.hasPrefix("\\frac") {
        result += "\\frac"
        rest = rest.dropFirst(5)
        if rest.first != "{" {
          takeArgument()
          takeArgument()
        } else if let close = rest.firstIndex(of: "}"),
          !rest[rest.index(after: rest.startIndex)..<close].contains("{")
        {
          result += rest[...close]
          rest = rest[rest.index(after: close)...]
          takeArgument()
        }
      } else if rest.hasPrefix("\\sqrt") {
        result += "\\sqrt"
        rest = rest.dropFirst(5)
        takeArgument()
      } else {
        result += "\\"
        rest = rest.dropFirst()
      }
    }
    return result + rest
  }

  /// `1,234` is 1234 where the whole text is one number; `1,2` is a list.
  private static func withoutThousands(_ text: String) -> String {
    guard text.contains(","),
      text.allSatisfy({ $0.isNumber || $0 == "," || $0 == "." || $0 == "-" }),
      let number = NumberReader(text).whole
    else { return text }
    return JSONValue.number(number.value).plainText
  }

  /// The elements of a tuple, interval, set or list with its brackets; nil for a single thing.
  var elements: (brackets: String, items: [LatexNormalForm])? {
    var inner = text[...]
    var brackets = ""
    if inner.hasPrefix("\\{"), inner.hasSuffix("\\}"), inner.count >= 4 {
      brackets = "{}"
      inner = inner.dropFirst(2).dropLast(2)
    } else if let first = inner.first, let last = inner.last, "([".contains(first),
      ")]".contains(last), inner.count >= 2
    {
      brackets = "\(first)\(last)"
      inner = inner.dropFirst().dropLast()
    }
    var items: [String] = [""]
    var depth = 0
    for character in inner {
      if "([{".contains(character) { depth += 1 }
      if ")]}".contains(character) { depth -= 1 }
      if depth < 0 { return nil }
      if character == ",", depth == 0 {
        items.append("")
      } else {
        items[items.count - 1].append(character)
      }
    }
    guard items.count > 1 else { return nil }
    return (brackets, items.map(LatexNormalForm.init))
  }

  /// Whether two answers are the same: as texts, as numbers, or element by element.
  func isEquivalent(to other: LatexNormalForm, depth: Int = 0) -> Bool {
    if text == other.text { return true }
    if let left = elements, let right = other.elements {
      guard depth < 4, left.brackets == right.brackets, left.items.count == right.items.count else {
        return false
      }
      let pairs = zip(left.items, right.items)
      if pairs.allSatisfy({ $0.isEquivalent(to: $1, depth: depth + 1) }) { return true }
      // A set, and a list without brackets, has no order.
      guard left.brackets == "{}" || left.brackets.isEmpty, left.items.count <= 32 else {
        return false
      }
      var unmatched = right.items
      return left.items.allSatisfy { item in
        guard
          let index = unmatched.firstIndex(where: { item.isEquivalent(to: $0, depth: depth + 1) })
        else { return false }
        unmatched.remove(at: index)
        return true
      }
    }
    guard let left = LatexArithmetic.value(of: text),
      let right = LatexArithmetic.value(of: other.text)
    else { return text.lowercased() == other.text.lowercased() }
    return abs(left - right) <= 1e-9 * max(1, abs(right))
  }
}
