/// What a step asks for when it draws problems.
struct ProblemRequest {
  /// The step.
  var step: Int
  /// How many problems the run drew before, in this step and those before it.
  var ordinal: Int
  /// The problems that this step drew already.
  var taken: [Int]
  /// How many are wanted.
  var count: Int
}

/// Decides which problems a step asks: the same ones whenever it is asked again.
protocol ProblemChooser {
  /// Indices of problems, `count` of them.
  mutating func problems(for request: ProblemRequest) throws -> [Int]
}

extension ProblemOrder: ProblemChooser {
  mutating func problems(for request: ProblemRequest) -> [Int] {
    (0..<request.count).map { problem(at: request.ordinal + $0) }
  }
}
