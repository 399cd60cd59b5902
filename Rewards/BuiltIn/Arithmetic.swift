// A safe evaluator of arithmetic: + − * / and parentheses over whole numbers, in exact fractions.

/// An exact fraction in lowest terms, with a positive denominator.
struct Fraction: Equatable {
  let above: Int
  let below: Int

  init(_ whole: Int) {
    above = whole
    below = 1
  }

  /// Nil for a zero denominator and where the terms leave 64 bits.
  init?(_ above: Int, over below: Int) {
    guard below != 0, above != .min, below != .min else { return nil }
    var (a, b) = (abs(above), abs(below))
    while b != 0 { (a, b) = (b, a % b) }
    let divisor = below < 0 ? -a : a
    self.above = above / divisor
    self.below = below / divisor
  }

  /// The four operations, nil where they overflow or divide by zero.
  func combined(_ operation: Character, with other: Fraction) -> Fraction? {
    func product(_ a: Int, _ b: Int) -> Int? {
      let (value, overflow) = a.multipliedReportingOverflow(by: b)
      return overflow ? nil : value
    }
    switch operation {
    case "+", "-":
      guard let left = product(above, other.below), let right = product(other.above, below),
        let denominator = product(below, other.below)
      else { return nil }
      let (sum, overflow) =
        operation == "+"
        ? left.addingReportingOverflow(right) : left.subtractingReportingOverflow(right)
      return overflow ? nil : Fraction(sum, over: denominator)
    case "*":
      guard let a = product(above, other.above), let b = product(below, other.below) else {
        return nil
      }
      return Fraction(a, over: b)
    case "/":
      guard let a = product(above, other.below), let b = product(below, other.above) else {
        return nil
      }
      return Fraction(a, over: b)
    default: return nil
    }
  }
}

/// An expression's value and the whole numbers in it.
struct Arithmetic {
  /// The longest expression in characters, and the deepest nesting.
  static let lengthLimit = 1000
  static let depthLimit = 64

  let value: Fraction
  let numbers: [Int]

  /// Evaluates an expression; nil where it is none, too long, too deep, or out of bounds.
  init?(_ expression: some StringProtocol) {
    guard expression.utf8.count <= Self.lengthLimit else { return nil }
    var parser = Parser(
      text: expression.filter { !$0.isWhitespace }.map { Self.spellings[$0] ?? $0 })
    guard let value = parser.sum(depth: 0), parser.at == parser.text.count else { return nil }
    self.value = value
    numbers = parser.numbers
  }

  private static let spellings: [Character: Character] = [
    "×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "[": "(", "]": ")",
  ]

  private struct Parser {
    let text: [Character]
    var at = 0
    var numbers: [Int] = []

    mutating func sum(depth: Int) -> Fraction? {
      guard depth < Arithmetic.depthLimit else { return nil }
      return chain(of: "+-") { $0.product(depth: depth) }
    }

    mutating func product(depth: Int) -> Fraction? {
      chain(of: "*/") { $0.factor(depth: depth) }
    }

    mutating func chain(of operations: String, operand: (inout Parser) -> Fraction?) -> Fraction? {
      guard var value = operand(&self) else { return nil }
      while at < text.count, operations.contains(text[at]) {
        let operation = text[at]
        at += 1
        guard let next = operand(&self), let result = value.combined(operation, with: next) else {
          return nil
        }
        value = result
      }
      return value
    }

    mutating func factor(depth: Int) -> Fraction? {
      guard at < text.count else { return nil }
      if text[at] == "(" {
        at += 1
        guard let value = sum(depth: depth + 1), at < text.count, text[at] == ")" else {
          return nil
        }
        at += 1
        return value
      }
      let start = at
      while at < text.count, ("0"..."9").contains(text[at]) { at += 1 }
      guard at > start, let number = Int(String(text[start..<at])) else { return nil }
      numbers.append(number)
      return Fraction(number)
    }
  }
}
