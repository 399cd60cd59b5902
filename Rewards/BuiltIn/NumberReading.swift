// Numbers as people and models write them: 1,234.50  −3  $18  50%  3/4  1 1/2  \frac{3}{4}  2.5e3
import RewardKit

/// A number found in a text.
struct WrittenNumber: Equatable {
  var value: Double
  /// Whether a percent sign followed.
  var isPercent = false
  /// Where it stands, in Unicode scalars of the text.
  var place: Range<Int>

  /// Whether two numbers are the same: whole numbers exactly, others within a relative tolerance.
  ///
  ///     |a − b| ≤ tolerance · max(1, |b|)
  func equals(_ other: Double, tolerance: Double) -> Bool {
    if value == other { return true }
    if value == value.rounded(), other == other.rounded() { return false }
    return abs(value - other) <= tolerance * max(1, abs(other))
  }
}

/// Reads numbers from the scalars of a text; linear in its length.
struct NumberReader {
  private let text: [Unicode.Scalar]

  init(_ text: some StringProtocol) {
    var plain = String(text)
    // LaTeX's decorations of numbers carry no meaning here; most texts have none.
    if plain.utf8.contains(where: { $0 == UInt8(ascii: "\\") || $0 == UInt8(ascii: "{") }) {
      for (decorated, bare) in [("\\$", "$"), ("\\%", "%"), ("{,}", ","), ("\\!", ""), ("\\,", "")]
      {
        plain = plain.replacing(decorated, with: bare)
      }
    }
    let minus: Unicode.Scalar = "\u{2212}"
    self.text = plain.unicodeScalars.map { $0 == minus ? "-" : $0 }
  }

  /// The one number that the whole text is, with currency, percent, a full stop and space around it.
  var whole: WrittenNumber? {
    let found = number(at: skipSpace(0))
    guard var number = found else { return nil }
    var end = skipSpace(number.place.upperBound)
    if end < text.count, text[end] == "." { end = skipSpace(end + 1) }
    guard end == text.count else { return nil }
    number.place = 0..<text.count
    return number
  }

  /// Every number, from left to right.
  var all: [WrittenNumber] {
    var numbers: [WrittenNumber] = []
    var at = 0
    while at < text.count {
      if canBegin(at), let number = number(at: at) {
        numbers.append(number)
        at = max(at + 1, number.place.upperBound)
      } else {
        at += 1
      }
    }
    return numbers
  }

  /// Whether between two numbers stands nothing but space and punctuation.
  func onlyPunctuation(between first: WrittenNumber, and second: WrittenNumber) -> Bool {
    guard first.place.upperBound <= second.place.lowerBound else { return false }
    return text[first.place.upperBound..<second.place.lowerBound]
      .allSatisfy {
        !$0.properties.isAlphabetic && !isDigit($0) && !"=+*/<>".unicodeScalars.contains($0)
      }
  }

  private func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }
  private func isDigit(at index: Int) -> Bool { index < text.count && isDigit(text[index]) }

  private func skipSpace(_ start: Int) -> Int {
    var at = start
    while at < text.count, text[at].properties.isWhitespace { at += 1 }
    return at
  }

  /// A number doesn't begin inside a word or another number.
  private func canBegin(_ at: Int) -> Bool {
    let scalar = text[at]
    guard isDigit(scalar) || "-+$€£¥.\\".unicodeScalars.contains(scalar) else { return false }
    guard at > 0 else { return true }
    let before = text[at - 1]
    if scalar == "\\" || "$€£¥".unicodeScalars.contains(scalar) { return true }
    if scalar == "-" || scalar == "+" {
      return !(before.properties.isAlphabetic || isDigit(before) || before == ")")
    }
    return
      !(before.properties.isAlphabetic || isDigit(before) || before == "_"
      || before == "." && at > 1 && isDigit(text[at - 2]))
  }

  private func number(at start: Int) -> WrittenNumber? {
    var at = start
    var sign = 1.0
    func takeSign() {
      if at < text.count, text[at] == "-" || text[at] == "+" {
        if text[at] == "-" { sign = -sign }
        at += 1
      }
    }
    takeSign()
    if at < text.count, "$€£¥".unicodeScalars.contains(text[at]) {
      at = skipSpace(at + 1)
      takeSign()
    }
    guard let (magnitude, end) = latexFraction(at) ?? plain(at), magnitude.isFinite else {
      return nil
    }
    var number = WrittenNumber(value: sign * magnitude, place: start..<end)
    let next = end < text.count && text[end] == "$" ? end + 1 : end
    if next < text.count, text[next] == "%" {
      number.isPercent = true
      number.place = start..<(next + 1)
    } else {
      number.place = start..<next
    }
    return number
  }

  /// `\frac{a}{b}`, `\dfrac{a}{b}`, `\tfrac{a}{b}`, `\frac12`.
  private func latexFraction(_ start: Int) -> (Double, Int)? {
    guard start < text.count, text[start] == "\\" else { return nil }
    for name in ["\\frac", "\\dfrac", "\\tfrac"] {
      let scalars = Array(name.unicodeScalars)
      guard text[start...].starts(with: scalars) else { continue }
      guard let (above, middle) = argument(start + scalars.count),
        let (below, end) = argument(middle), below != 0
      else { return nil }
      return (above / below, end)
    }
    return nil
  }

  private func argument(_ start: Int) -> (Double, Int)? {
    let at = skipSpace(start)
    if isDigit(at: at) { return (Double(text[at].value - 48), at + 1) }
    guard at < text.count, text[at] == "{" else { return nil }
    var inner = skipSpace(at + 1)
    let isNegative = inner < text.count && text[inner] == "-"
    if isNegative { inner += 1 }
    guard let (value, end) = decimal(inner) else { return nil }
    let close = skipSpace(end)
    guard close < text.count, text[close] == "}" else { return nil }
    return (isNegative ? -value : value, close + 1)
  }

  /// A decimal, a fraction a/b, or a mixed number a b/c.
  private func plain(_ start: Int) -> (Double, Int)? {
    guard let (value, end) = decimal(start) else { return nil }
    if let (fraction, end) = slash(value, end) { return (fraction, end) }
    let next = skipSpace(end)
    if value == value.rounded(), next > end, next - end < 3, isDigit(at: next),
      let (above, middle) = decimal(next), let (fraction, last) = slash(above, middle),
      fraction < 1
    {
      return (value + fraction, last)
    }
    return (value, end)
  }

  private func slash(_ above: Double, _ at: Int) -> (Double, Int)? {
    guard at < text.count, text[at] == "/", let (below, end) = decimal(at + 1), below != 0 else {
      return nil
    }
    return (above / below, end)
  }

  /// Digits with commas between thousands, a fraction, an exponent.
  private func decimal(_ start: Int) -> (Double, Int)? {
    var at = start
    var digits = ""
    while isDigit(at: at) {
      digits.unicodeScalars.append(text[at])
      at += 1
    }
    // A comma belongs to the number where exactly three digits follow each.
    if (1...3).contains(digits.count) {
      while at < text.count, text[at] == ",", (1...3).allSatisfy({ isDigit(at: at + $0) }),
        !isDigit(at: at + 4)
      {
        for offset in 1...3 { digits.unicodeScalars.append(text[at + offset]) }
        at += 4
      }
    }
    if at < text.count, text[at] == ".", isDigit(at: at + 1) {
      digits += "."
      at += 1
      while isDigit(at: at) {
        digits.unicodeScalars.append(text[at])
        at += 1
      }
    }
    guard at > start, !digits.isEmpty else { return nil }
    if at < text.count, text[at] == "e" || text[at] == "E" {
      var end = at + 1
      if end < text.count, text[end] == "-" || text[end] == "+" { end += 1 }
      if isDigit(at: end) {
        let exponentStart = at
        while isDigit(at: end) { end += 1 }
        digits += String(String.UnicodeScalarView(text[exponentStart..<end]))
        at = end
      }
    }
    if digits.hasPrefix(".") { digits = "0" + digits }
    return Double(digits).map { ($0, at) }
  }
}
