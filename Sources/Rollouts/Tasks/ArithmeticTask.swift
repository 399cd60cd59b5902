/// Additions, subtractions and products: `12+7=` → `19`.
package struct ArithmeticTask: ProceduralTask {
  package static let name = "arithmetic"
  package static let summary = "sums, differences and products of whole numbers, as in 12+7="
  package static let levels = 1...6

  /// What is done with the two numbers.
  package enum Operation: String, Sendable, CaseIterable {
    case addition = "+"
    case subtraction = "-"
    case multiplication = "*"
  }

  /// How many digits the numbers may have.
  package var digits: Int
  /// The operations, each equally likely.
  package var operations: [Operation]

  /// Whether numbers are filled up with zeros, `07+12=` → `019`, so that each digit has its place.
  package var isPadded: Bool

  /// Makes a task; numbers have from 1 to `digits` digits, each count equally likely, or where they are
  /// padded every number is.
  package init(digits: Int, operations: [Operation], isPadded: Bool = false) {
    self.digits = min(max(digits, 1), 9)
    self.isPadded = isPadded
    self.operations = operations.isEmpty ? [.addition] : operations
  }

  /// Level 1 adds single digits; odd levels add, even ones subtract too, up to three digits.
  package init(level: Int) {
    self.init(
      digits: (level + 1) / 2,
      operations: level.isMultiple(of: 2) ? [.addition, .subtraction] : [.addition])
  }

  package func draw(_ random: inout SeededRandom) -> ProceduralProblem {
    var (first, second) = (number(&random), number(&random))
    let operation = random.element(of: operations)
    if operation == .subtraction, first < second { swap(&first, &second) }
    let answer =
      switch operation {
      case .addition: first + second
      case .subtraction: first - second
      case .multiplication: first * second
      }
    let prompt = "\(shown(first))\(operation.rawValue)\(shown(second))="
    // A sum of padded numbers has one digit more, a product twice as many.
    let width = operation == .multiplication ? 2 * digits : digits + 1
    let ordered = "\(max(first, second))\(operation.rawValue)\(min(first, second))"
    return ProceduralProblem(
      prompt: prompt, answer: shown(answer, width: width), identity: ordered,
      difficulty: String(max(first, second)).count)
  }

  /// A number as the problem writes it.
  private func shown(_ number: Int, width: Int? = nil) -> String {
    let text = String(number)
    guard isPadded else { return text }
    return String(repeating: "0", count: max(0, (width ?? digits) - text.count)) + text
  }

  private func number(_ random: inout SeededRandom) -> Int {
    if isPadded {
      return random.integer(in: 0...(0..<digits).reduce(1) { power, _ in 10 * power } - 1)
    }
    let count = random.integer(in: 1...digits)
    var (low, high) = (0, 9)
    for _ in 1..<count { (low, high) = (max(1, low) * 10, high * 10 + 9) }
    return random.integer(in: low...high)
  }

  /// Solves the prompt the other way round: `a+b=c` where `c−b=a`, and so on.
  package func isCorrect(_ answer: String, for problem: ProceduralProblem) -> Bool {
    guard let result = Int(answer), let match = problem.prompt.wholeMatch(of: /(\d+)([-+*])(\d+)=/),
      let first = Int(match.1), let second = Int(match.3)
    else { return false }
    switch Operation(rawValue: String(match.2)) {
    case .addition: return result - second == first
    case .subtraction: return result + second == first
    case .multiplication:
      return first == 0 || second == 0
        ? result == 0 : result.isMultiple(of: first) && result / first == second
    case nil: return false
    }
  }
}

extension ArithmeticTask {
  /// The embedded job's data, and what ships as `Datasets/arithmetic`.
  package static let embedded = ArithmeticTask(
    digits: 2, operations: [.addition], isPadded: true)

  /// The rows of the embedded job.
  package static func embeddedDataset() throws(ProceduralTaskError) -> ProceduralDataset {
    try ProceduralDataset(embedded, train: 4500, evaluation: 500, seed: 1)
  }
}
