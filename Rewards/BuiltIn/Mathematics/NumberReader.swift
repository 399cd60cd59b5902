// Numbers as people and models write them: 1,234.50  −3  $18  50%  3/4  1 1/2  \frac{3}{4}  2.5e3
import RewardKit

/// A number found in a text.
struct WrittenNumber: Equatable {
  var value: Rational
  /// Whether a percent sign followed.
  var isPercent = false
  /// Where it stands, in Unicode scalars of the text.
  var place: Range<Int>

  /// Whether two numbers are the same: exactly where either is whole, else within a tolerance.
  ///
  ///     a = b,  or neither is whole and |a − b| ≤ tolerance · |b|
  func equals(_ other: Rational, tolerance: Double) -> Bool {
    if value == other { return true }
    if value.isWhole || other.isWhole { return false }
    return (value - other).magnitude.double <= tolerance * other.magnitude.double
  }
}

/// Reads numbers from the scalars of a text; linear in its length.
struct NumberReader {
  private let text: [Unicode.Scalar]

  init(_ text: some StringProtocol) {
    var plain = MathSpelling.plain(String(text))
    // LaTeX's decorations of numbers carry no meaning here; most texts have none.
    if plain.utf8.contains(where: { $0 == UInt8(ascii: "\\") || $0 == UInt8(ascii: "{") }) {
      for (decorated, bare) in [("\\$", "$"), ("\\%", "%"), ("{,}", ","), ("\\!", ""), ("\\,", "")]
      {
        plain = plain.replacing(decorated, with: bare)
      }
    }
    self.text = Array(plain.unicodeScalars)
  }

  /// The one number that a whole text is, in any notation that is read; a sum is none.
  ///
  ///     1,234.50   −3   $18   18€   50%   3/4   2\frac{1}{2}   1.5\times10^3   2^{10}   x = 18
  static func whole(_ text: String, allowingUnits: Bool = false) -> WrittenNumber? {
    guard let reading = try? MathReading(text), !reading.isSum, let value = reading.values.first
    else { return nil }
    var algebra = Algebra()
    let stated: MathValue
    switch MathStatement(value, in: &algebra) {
    case .value(let value), .named(_, let value): stated = value
    default: return nil
    }
    guard case .scalar(let scalar) = stated, let number = scalar.value.rational else { return nil }
    let isPlain = scalar.unit == nil || scalar.unit == "°"
    guard allowingUnits || isPlain else { return nil }
    return WrittenNumber(
      value: number, isPercent: scalar.isPercent, place: 0..<text.unicodeScalars.count)
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

  /// Whether a number is the right side of an operation: 20 − 2.
  func isOperand(_ number: WrittenNumber) -> Bool {
    var at = number.place.lowerBound
    let isSigned = at < text.count && "-+".unicodeScalars.contains(text[at])
    func before() -> Unicode.Scalar? {
      while at > 0, text[at - 1].properties.isWhitespace { at -= 1 }
      return at > 0 ? text[at - 1] : nil
    }
    guard let sign = before() else { return false }
    if isSigned { return isDigit(sign) || sign == ")" }
    guard "+-*/".unicodeScalars.contains(sign) else { return false }
    at -= 1
    return before().map { isDigit($0) || $0 == ")" } ?? false
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
    // An exponent is part of a power.
    if before == "^" || (before == "{" && at > 1 && text[at - 2] == "^") { return false }
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
    var isNegative = false
    func takeSign() {
      if at < text.count, text[at] == "-" || text[at] == "+" {
        if text[at] == "-" { isNegative.toggle() }
        at += 1
      }
    }
    takeSign()
    if at < text.count, "$€£¥".unicodeScalars.contains(text[at]) {
      at = skipSpace(at + 1)
      takeSign()
    }
    guard let (magnitude, end) = latexFraction(at) ?? plain(at) else { return nil }
    var number = WrittenNumber(value: isNegative ? -magnitude : magnitude, place: start..<end)
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
  private func latexFraction(_ start: Int) -> (Rational, Int)? {
    guard start < text.count, text[start] == "\\" else { return nil }
    for name in ["\\frac", "\\dfrac", "\\tfrac"] {
      let scalars = Array(name.unicodeScalars)
      guard text[start...].starts(with: scalars) else { continue }
      guard let (above, middle) = argument(start + scalars.count),
        let (below, end) = argument(middle), let share = below.reciprocal
      else { return nil }
      return (above * share, end)
    }
    return nil
  }

  private func argument(_ start: Int) -> (Rational, Int)? {
    let at = skipSpace(start)
    if isDigit(at: at) { return (Rational(Int(text[at].value) - 48), at + 1) }
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
  private func plain(_ start: Int) -> (Rational, Int)? {
    guard let (value, end) = decimal(start) else { return nil }
    if let (fraction, end) = slash(value, end) { return (fraction, end) }
    let next = skipSpace(end)
    if value.isWhole, next > end, next - end < 3, isDigit(at: next),
      let (above, middle) = decimal(next), let (fraction, last) = slash(above, middle),
      fraction < .one
    {
      return (value + fraction, last)
    }
    return (value, end)
  }

  private func slash(_ above: Rational, _ at: Int) -> (Rational, Int)? {
    guard at < text.count, text[at] == "/", let (below, end) = decimal(at + 1),
      let share = below.reciprocal
    else { return nil }
    return (above * share, end)
  }

  /// Digits with commas between thousands, a fraction, an exponent.
  private func decimal(_ start: Int) -> (Rational, Int)? {
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
    let exponentless = digits.replacing("E", with: "e").replacing("+", with: "")
    guard let value = try? MathParser.literal(exponentless).value.rational else { return nil }
    return (value, at)
  }
}
