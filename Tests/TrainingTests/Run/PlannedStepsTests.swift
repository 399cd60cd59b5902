import Foundation
import Rollouts
import Testing
import TrajectoryStore

@testable import Training

@Suite("Plans, steps and settings of a resumed run")
struct PlannedStepsTests {
  @Test("a step has the plan that was made last among those that begin before it")
  func plans() {
    var planned = PlannedSteps(6)
    planned.change(to: 9, after: 4)
    #expect((1...9).map { planned[$0] } == [6, 6, 6, 6, 9, 9, 9, 9, 9])
    // Resumed once more, from an earlier checkpoint.
    planned.change(to: 8, after: 2)
    #expect((1...6).map { planned[$0] } == [6, 6, 8, 8, 8, 8])
    #expect(planned.latest == 8)
  }

  @Test("what may change is a setting, and what learns is not among it")
  func changeable() {
    for name in ResumedSettings.changeable {
      #expect(SettingDeclaration.named(name) != nil, "\(name)")
    }
    for name in ["learning_rate", "beta", "seed", "temperature", "num_generations", "reward"] {
      #expect(!ResumedSettings.changeable.contains(name))
    }
  }

  // MARK: Steps

  private func step(_ change: (inout GroupRecord) -> Void) -> StepRecord {
    var group = GroupRecord(
      problem: Problem(index: 0, prompt: .text("a")), promptTokens: [1, 2], draw: 0,
      completions: [
        CompletionRecord(
          sample: 0, completion: Completion(text: "b", tokens: [3, 4], finish: .stop),
          samplerLogProbabilities: [-1, -2], entropies: [0, 0], keptSets: [nil, .only([4, 5])])
      ])
    change(&group)
    return StepRecord(step: 7, policyStep: 0, groups: [group])
  }

  @Test("a step that a model can take passes")
  func fits() throws {
    try step { _ in }.check(vocabularySize: 6)
    // All but some tokens, as `min_new_tokens` leaves them; an end token may lie beyond the vocabulary.
    try step { $0.completions[0].keptSets = [.except([0, 5]), .except([9])] }
      .check(vocabularySize: 6)
  }

  static let faults: [(String, @Sendable (inout GroupRecord) -> Void)] = [
    ("token 6 of the prompt", { $0.promptTokens = [1, 6] }),
    ("no tokens", { $0.promptTokens = [] }),
    ("token -1", { $0.completions[0].completion.tokens = [3, -1] }),
    ("1 log-probabilities of 2", { $0.completions[0].samplerLogProbabilities = [-1] }),
    ("3 entropies", { $0.completions[0].entropies = [0, 0, 0] }),
    ("kept at token 1", { $0.completions[0].keptSets = [nil, .only([5])] }),
    ("kept at token 1", { $0.completions[0].keptSets = [nil, .only([4, 6])] }),
    ("kept at token 1", { $0.completions[0].keptSets = [nil, .only([5, 4])] }),
    ("kept at token 1", { $0.completions[0].keptSets = [nil, .only([])] }),
    ("kept at token 0", { $0.completions[0].keptSets = [.except([3]), nil] }),
    ("kept at token 0", { $0.completions[0].keptSets = [.except([5, 0]), nil] }),
    ("kept at token 0", { $0.completions[0].keptSets = [.except([0, -4]), nil] }),
    ("drawn as the", { $0.draw = -1 }),
    ("has that number", { $0.completions[0].sample = .max }),
    ("3 advantages", { $0.completions[0].advantage = .tokens([1, 2, 3]) }),
  ]

  @Test("one that it can't is refused, with its place", arguments: faults.indices)
  func unfit(index: Int) throws {
    let (reason, change) = Self.faults[index]
    let error = #expect(throws: UnfitStep.self) { try step(change).check(vocabularySize: 6) }
    let text = try #require(error).description
    #expect(text.contains(reason) && text.contains("step 7, draw "), "\(text)")
  }

  @Test("names of an evaluation's numbers")
  func metrics() {
    for name in ["eval_reward", "eval_pass@4", "eval_maj@16"] {
      #expect(EvaluationReport.isMetric(name))
    }
    for name in ["reward", "eval_rewards", "eval_pass@", "eval_pass@x"] {
      #expect(!EvaluationReport.isMetric(name))
    }
  }
}
