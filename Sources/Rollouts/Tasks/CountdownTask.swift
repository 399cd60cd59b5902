/// Make a number out of numbers: `nums` and a `target`, as in TinyZero's data.
package struct CountdownTask: ProceduralTask {
  package static let name = "countdown"
  package static let summary = "reach a target with given numbers and + - * /, each used once"
  package static let levels = 1...5

  /// How many numbers are given.
  package var count: Int
  /// The largest given number.
  package var largest: Int

  /// Makes a task with `count` numbers from 1 to `largest`.
  package init(count: Int, largest: Int) {
    self.count = min(max(count, 2), 6)
    self.largest = max(2, largest)
  }

  /// Level 1 gives two small numbers, level 3 three up to 50, level 5 five up to 99.
  package init(level: Int) {
    let count = [2, 3, 3, 4, 5][min(max(level, 1), 5) - 1]
    self.init(count: count, largest: [10, 10, 50, 99, 99][min(max(level, 1), 5) - 1])
  }

  package func draw(_ random: inout SeededRandom) -> ProceduralProblem {
    let numbers = (0..<count).map { _ in random.integer(in: 1...largest) }
    // Combine in a drawn order: the expression is then an answer, and the target reachable.
    var (text, value) = ("\(numbers[0])", numbers[0])
    var isSum = false
    for number in numbers.dropFirst() {
      let inner = isSum ? "(\(text))" : text
      switch random.integer(in: 0...3) {
      case 1 where value > number:
        (text, value, isSum) = ("\(text)-\(number)", value - number, true)
      case 2 where value * number <= 1000:
        (text, value, isSum) = ("\(inner)*\(number)", value * number, false)
      case 3 where value.isMultiple(of: number) && number > 1:
        (text, value, isSum) = ("\(inner)/\(number)", value / number, false)
      default: (text, value, isSum) = ("\(text)+\(number)", value + number, true)
      }
    }
    let shown = random.shuffled(numbers)
    let list = shown.map(String.init).joined(separator: ", ")
    return ProceduralProblem(
      prompt: "Using the numbers \(list), make \(value). Use each number once with + - * / and "
        + "parentheses, and answer with the expression alone.\n",
      answer: text,
      columns: [
        "target": .integer(Int64(value)),
        "nums": .array(shown.map { .integer(Int64($0)) }),
      ],
      identity: shown.sorted().map(String.init).joined(separator: " ") + " = \(value)",
      difficulty: count)
  }

  /// Evaluates the expression from left to right with precedence, in whole numbers.
  package func isCorrect(_ answer: String, for problem: ProceduralProblem) -> Bool {
    var evaluation = WholeNumberExpression(answer)
    guard let result = evaluation.evaluate(), result == problem.columns["target"]?.integer else {
      return false
    }
    let given = problem.columns["nums"]?.array?.compactMap(\.integer) ?? []
    return evaluation.numbers.sorted() == given.sorted()
  }
}

/// A sum of products with parentheses, evaluated where every division leaves no rest.
private struct WholeNumberExpression {
  private var rest: Substring
  /// The numbers in the expression.
  private(set) var numbers: [Int] = []

  init(_ text: String) { rest = text[...] }

  mutating func evaluate() -> Int? {
    let value = sum(depth: 0)
    return rest.isEmpty ? value : nil
  }

  private mutating func sum(depth: Int) -> Int? {
    guard var value = product(depth: depth) else { return nil }
    while let sign = rest.first, sign == "+" || sign == "-" {
      rest.removeFirst()
      guard let next = product(depth: depth) else { return nil }
      let (result, overflow) =
        sign == "+" ? value.addingReportingOverflow(next) : value.subtractingReportingOverflow(next)
      if overflow { return nil }
      value = result
    }
    return value
  }

  private mutating func product(depth: Int) -> Int? {
    guard var value = factor(depth: depth) else { return nil }
    while let sign = rest.first, sign == "*" || sign == "/" {
      rest.removeFirst()
      guard let next = factor(depth: depth) else { return nil }
      if sign == "*" {
        let (result, overflow) = value.multipliedReportingOverflow(by: next)
        if overflow { return nil }
        value = result
      } else {
        let (quotient, overflow) = value.dividedReportingOverflow(by: next)
        guard !overflow, quotient * next == value else { return nil }
        value = quotient
      }
    }
    return value
  }

  private mutating func factor(depth: Int) -> Int? {
    if rest.first == "(" {
      guard depth < 64 else { return nil }
      rest.removeFirst()
      guard let value = sum(depth: depth + 1), rest.popFirst() == ")" else { return nil }
      return value
    }
    let digits = rest.prefix { $0.isASCII && $0.isNumber }
    guard let value = Int(digits), value < 1_000_000 else { return nil }
    rest = rest.dropFirst(digits.count)
    numbers.append(value)
    return value
  }
}
