import Testing

@testable import Training
@testable import TrajectoryStore

@Suite("Problems by solve rate")
struct PrioritizedProblemsTests {
  /// Ten problems: 0–3 always solved, 4–7 never, 8 half of the time, 9 not asked yet.
  private static func outcomes(_ steps: ClosedRange<Int>) -> [ProblemOutcome] {
    steps.flatMap { _ in
      (0..<9).map {
        ProblemOutcome(problem: 100 + $0, scored: 8, solved: $0 < 4 ? 8 : $0 == 8 ? 4 : 0)
      }
    }
  }

  private func chooser(
    entries: [Int] = Array(0..<10), seed: UInt64 = 1,
    history: @escaping PrioritizedProblems.History = outcomes
  ) -> PrioritizedProblems {
    PrioritizedProblems(
      of: entries, indices: (0..<10).map { 100 + $0 }, seed: seed, history: history)
  }

  private func request(_ step: Int, _ count: Int, taken: [Int] = []) -> ProblemRequest {
    ProblemRequest(step: step, ordinal: 0, taken: taken, count: count)
  }

  @Test("those solved about half of the time, or never asked, are drawn most")
  func weights() throws {
    var counts = [Int](repeating: 0, count: 10)
    for seed in 0..<400 {
      var problems = chooser(seed: UInt64(seed))
      for problem in try problems.problems(for: request(6, 2)) { counts[problem] += 1 }
    }
    // After 40 completions, p is 41/42 or 1/42 and the weight 0.093; that of 8 and 9 is 1. Drawing two of
    // them all, 8 and 9 are each among them with a probability of about 0.676 (by 200,000 draws);
    // 400 draws have a standard deviation of 0.023.
    #expect(abs(Double(counts[8]) / 400 - 0.676) < 0.1)
    #expect(abs(Double(counts[9]) / 400 - 0.676) < 0.1)
    #expect(counts[0..<8].allSatisfy { $0 > 0 }, "none is given up for ever: \(counts)")
  }

  @Test("a step draws no problem twice while there are others")
  func repeats() throws {
    var problems = chooser()
    let first = try problems.problems(for: request(3, 6))
    let second = try problems.problems(for: request(3, 4, taken: first))
    #expect(Set(first + second) == Set(0..<10))
    let all = try problems.problems(for: request(4, 25))
    #expect(Set(all) == Set(0..<10) && all.count == 25)
  }

  @Test("a resumed run draws what the uninterrupted one did")
  func resumes() throws {
    var whole = chooser()
    var drawn: [[Int]] = []
    for step in 1...6 { drawn.append(try whole.problems(for: request(step, 3))) }
    for step in 2...6 {
      var resumed = chooser()
      #expect(try resumed.problems(for: request(step, 3)) == drawn[step - 1])
    }
    #expect(Set(drawn).count > 1)
  }

  @Test("each step of the log is read once, and none that isn't before the step")
  func reading() throws {
    var read: [ClosedRange<Int>] = []
    var problems = chooser(history: { steps in
      read.append(steps)
      return Self.outcomes(steps)
    })
    for step in [1, 2, 2, 5] { _ = try problems.problems(for: request(step, 2)) }
    #expect(read == [1...1, 2...4])
  }

  @Test("a problem that stands twice in an epoch counts twice")
  func copies() throws {
    var counts = [0, 0]
    for seed in 0..<600 {
      var problems = chooser(entries: [0, 1, 1], seed: UInt64(seed), history: { _ in [] })
      counts[try problems.problems(for: request(1, 1))[0]] += 1
    }
    // 2/3 ± 0.019.
    #expect(abs(Double(counts[1]) / 600 - 2.0 / 3) < 0.08)
  }
}
