/// A family of problems made by rule, with answers that are certain.
///
/// The rows depend on the settings and the seed alone, in every version of the program: what ships
/// under `Datasets/` can be made again, byte for byte.
package protocol ProceduralTask: Sendable {
  /// The task's name in commands and folders.
  static var name: String { get }
  /// What is asked, in a sentence.
  static var summary: String { get }
  /// How many levels of difficulty there are, from 1.
  static var levels: ClosedRange<Int> { get }
  /// The task at a level of difficulty.
  init(level: Int)
  /// Draws a problem.
  func draw(_ random: inout SeededRandom) -> ProceduralProblem
  /// Whether `answer` is right for a row's columns, worked out another way than by `draw`.
  func isCorrect(_ answer: String, for problem: ProceduralProblem) -> Bool
}

/// A problem made by rule.
package struct ProceduralProblem: Sendable, Hashable {
  /// What the policy is asked.
  package var prompt: String
  /// The right answer; of several right ones, an example.
  package var answer: String
  /// The completion of its SFT example.
  package var completion: String
  /// Other columns, for the reward.
  package var columns: JSONObject
  /// What makes two problems the same, `3+4` and `4+3` for instance.
  package var identity: String
  /// How hard it is, for a curriculum.
  package var difficulty: Int

  /// Makes a problem whose completion is its answer and whose identity is its prompt.
  package init(
    prompt: String, answer: String, completion: String? = nil, columns: JSONObject = [:],
    identity: String? = nil, difficulty: Int
  ) {
    self.prompt = prompt
    self.answer = answer
    self.completion = completion ?? answer
    self.columns = columns
    self.identity = identity ?? prompt
    self.difficulty = difficulty
  }

  /// The row of a data set.
  package var row: JSONObject {
    var row: JSONObject = [
      "prompt": .string(prompt), "answer": .string(answer), "completion": .string(completion),
    ]
    for (key, value) in columns { row[key] = value }
    row["difficulty"] = .integer(Int64(difficulty))
    return row
  }
}

/// Problems in two parts without a problem in common.
package struct ProceduralDataset: Sendable {
  /// To learn from.
  package var train: [ProceduralProblem]
  /// To be measured with.
  package var evaluation: [ProceduralProblem]

  /// Draws problems, all different by their identity.
  ///
  /// The evaluation part is drawn first: it stays the same however many rows are trained on.
  /// - Throws: `ProceduralTaskError` where the task hasn't that many different problems.
  package init(
    _ task: some ProceduralTask, train trainCount: Int, evaluation evaluationCount: Int, seed: Int
  ) throws(ProceduralTaskError) {
    var random = SeededRandom(seed: UInt64(bitPattern: Int64(seed)))
    var problems: [ProceduralProblem] = []
    var seen: Set<String> = []
    let wanted = trainCount + evaluationCount
    // Where most draws repeat what was drawn, the problems are nearly used up; and so they are where
    // many draws in a row do, of which a small level needs few.
    var attemptsLeft = 1000 + 50 * wanted
    var repeats = 0
    while problems.count < wanted {
      guard attemptsLeft > 0, repeats <= 1000 + 20 * problems.count else {
        throw ProceduralTaskError(
          task: type(of: task).name, found: problems.count, wanted: wanted)
      }
      attemptsLeft -= 1
      let problem = task.draw(&random)
      repeats += 1
      if seen.insert(problem.identity).inserted {
        problems.append(problem)
        repeats = 0
      }
    }
    evaluation = Array(problems.prefix(evaluationCount))
    train = Array(problems.dropFirst(evaluationCount))
  }

  /// Rows as JSON lines.
  package static func jsonLines(_ problems: [ProceduralProblem]) -> String {
    problems.map { JSONValue.object($0.row).jsonText + "\n" }.joined()
  }
}

extension Dataset {
  /// A data set of problems made by rule; its hash is that of their JSON lines.
  package init(name: String, _ problems: [ProceduralProblem]) {
    let rows = problems.enumerated().map { index, problem in
      var columns = problem.row
      columns["prompt"] = nil
      return Problem(index: index, prompt: .text(problem.prompt), columns: columns)
    }
    self.init(
      name: name, problems: rows,
      contentHash: SHA256.digest(of: ProceduralDataset.jsonLines(problems)).hexadecimal)
  }
}

/// A task that can't give what was asked of it.
package struct ProceduralTaskError: Error, Sendable, CustomStringConvertible {
  /// Whose problems they are.
  package var task: String
  /// How many were found.
  package var found: Int
  /// How many were asked for.
  package var wanted: Int

  /// What, and what to ask instead.
  package var description: String {
    "\(task) at this level has hardly more than \(found) different problems, and \(wanted) were "
      + "asked for; ask for fewer or for a higher level"
  }
}

/// Random numbers that are the same in every version of the program: SplitMix64 (Steele, Lea and
/// Flood 2014), and bounded draws by rejection.
package struct SeededRandom: Sendable {
  private var state: UInt64

  /// Begins the sequence of a seed.
  package init(seed: UInt64) { state = seed }

  /// The next 64 bits.
  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// A number of a range, each equally likely.
  package mutating func integer(in range: ClosedRange<Int>) -> Int {
    let count = UInt64(range.upperBound - range.lowerBound) + 1
    // Draws in the last, incomplete run of `count` are drawn again.
    let limit = UInt64.max - UInt64.max % count
    var draw = next()
    while draw >= limit { draw = next() }
    return range.lowerBound + Int(draw % count)
  }

  /// An element of a list that isn't empty, each equally likely.
  package mutating func element<Element>(of list: [Element]) -> Element {
    list[integer(in: 0...list.count - 1)]
  }

  /// The list in another order, each equally likely (Fisher and Yates).
  package mutating func shuffled<Element>(_ list: [Element]) -> [Element] {
    var list = list
    for index in stride(from: list.count - 1, to: 0, by: -1) {
      list.swapAt(index, integer(in: 0...index))
    }
    return list
  }
}
