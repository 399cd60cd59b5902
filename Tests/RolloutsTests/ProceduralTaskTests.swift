import Foundation
import Testing

@testable import Rollouts

@Suite("Problems made by rule")
struct ProceduralTaskTests {
  private static let tasks: [any ProceduralTask] = {
    let types: [any ProceduralTask.Type] = [
      ArithmeticTask.self, CountdownTask.self, CharacterCountTask.self, ReverseTextTask.self,
      SortTask.self,
    ]
    var tasks: [any ProceduralTask] = []
    for type in types {
      for level in type.levels { tasks.append(type.init(level: level)) }
    }
    tasks.append(ArithmeticTask(digits: 3, operations: ArithmeticTask.Operation.allCases))
    return tasks
  }()

  @Test("Every answer is right by a second way of working it out", arguments: tasks.indices)
  func answers(index: Int) {
    let task = Self.tasks[index]
    var random = SeededRandom(seed: UInt64(index))
    for _ in 0..<500 {
      let problem = task.draw(&random)
      #expect(task.isCorrect(problem.answer, for: problem), "\(problem)")
      #expect(!task.isCorrect(problem.answer + "1", for: problem), "\(problem)")
    }
  }

  @Test("Train and evaluation have no problem in common, in either order of its numbers")
  func disjoint() throws {
    let data = try ProceduralDataset(
      ArithmeticTask(digits: 2, operations: [.addition]), train: 2000, evaluation: 300, seed: 3)
    func unordered(_ problem: ProceduralProblem) -> Set<Substring> {
      Set(problem.prompt.dropLast().split(separator: "+"))
    }
    let held = Set(data.evaluation.map(unordered))
    #expect(data.train.allSatisfy { !held.contains(unordered($0)) })
  }

  @Test("The evaluation part doesn't depend on how much is trained on")
  func evaluationFirst() throws {
    let few = try ProceduralDataset(SortTask(level: 2), train: 10, evaluation: 50, seed: 5)
    let many = try ProceduralDataset(SortTask(level: 2), train: 1000, evaluation: 50, seed: 5)
    #expect(few.evaluation == many.evaluation)
  }

  @Test("A task without enough different problems says so")
  func exhausted() {
    let error = #expect(throws: ProceduralTaskError.self) {
      try ProceduralDataset(ArithmeticTask(level: 1), train: 6000, evaluation: 500, seed: 1)
    }
    #expect(
      error?.description.hasPrefix("arithmetic at this level has hardly more than 55") == true)
  }

  @Test("A level that is used up is known to be long before as many draws as rows")
  func exhaustedSoon() {
    let error = #expect(throws: ProceduralTaskError.self) {
      try ProceduralDataset(
        ArithmeticTask(level: 1), train: 1_000_000_000_000, evaluation: 0, seed: 1)
    }
    #expect(error?.found == 55)
  }

  @Test(
    "What ships under Datasets/arithmetic is what the generator makes", arguments: [true, false])
  func shipped(isTrain: Bool) throws {
    let package = URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let file = package.appendingPathComponent("Datasets/arithmetic")
      .appendingPathComponent(isTrain ? "train.jsonl" : "eval.jsonl")
    let data = try ArithmeticTask.embeddedDataset()
    let made = ProceduralDataset.jsonLines(isTrain ? data.train : data.evaluation)
    #expect(try String(contentsOf: file, encoding: .utf8) == made)
  }

  @Test("The embedded data set is the file's data set")
  func embedded() throws {
    let data = try ArithmeticTask.embeddedDataset()
    let dataset = Dataset(name: "arithmetic", data.evaluation)
    #expect(dataset.problems.count == 500)
    #expect(dataset.columns == ["answer", "completion", "difficulty"])
  }

  @Test("The sequence of random numbers is SplitMix64's")
  func sequence() {
    // The first outputs for seed 1234567, as in Vigna's splitmix64.c.
    var random = SeededRandom(seed: 1_234_567)
    #expect(random.next() == 6_457_827_717_110_365_317)
    #expect(random.next() == 3_203_168_211_198_807_973)
    #expect(random.next() == 9_817_491_932_198_370_423)
  }

  @Test("Bounded draws stay in range and reach both ends")
  func bounds() {
    var random = SeededRandom(seed: 0)
    let draws = (0..<1000).map { _ in random.integer(in: -2...2) }
    #expect(Set(draws) == [-2, -1, 0, 1, 2])
    #expect(random.shuffled(Array(0..<50)).sorted() == Array(0..<50))
  }
}
