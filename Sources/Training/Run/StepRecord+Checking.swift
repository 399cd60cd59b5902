import Rollouts
import Tensors
import TrajectoryStore
import Transformer

/// A step of a log that a model can't take: the log is damaged, or another model's.
struct UnfitStep: Error, CustomStringConvertible {
  var place: String
  var reason: String

  var description: String {
    "\(place): \(reason); the log is damaged, or its tokens are another model's"
  }
}

extension TrajectoryReader {
  /// A step's rollout, which a model with that many tokens can take.
  /// - Throws: `StoreError`, or `UnfitStep` naming the first number that can't be.
  func step(_ number: Int, vocabularySize: Int) throws -> StepRecord? {
    let record = try step(number)
    try record?.check(vocabularySize: vocabularySize)
    return record
  }
}

extension StepRecord {
  /// What draws and samples are counted in: random numbers are keyed by them.
  fileprivate static let ordinals = 0..<(1 << 31)

  /// Checks that every prompt has tokens, that every token is one of the vocabulary, and that every array has an
  /// element per token.
  func check(vocabularySize: Int) throws(UnfitStep) {
    var draws: Set<Int> = []
    for group in groups {
      let place = "step \(step), draw \(group.draw)"
      func require(_ holds: Bool, _ reason: @autoclosure () -> String) throws(UnfitStep) {
        if !holds { throw UnfitStep(place: place, reason: reason()) }
      }
      try require(Self.ordinals.contains(group.draw), "no group is drawn as the \(group.draw)th")
      try require(draws.insert(group.draw).inserted, "there are two groups of that draw")
      try require(!group.promptTokens.isEmpty, "the prompt has no tokens")
      if let id = group.promptTokens.first(where: { !(0..<vocabularySize).contains(Int($0)) }) {
        throw UnfitStep(
          place: place, reason: "token \(id) of the prompt is none of the model's \(vocabularySize)"
        )
      }
      for completion in group.completions {
        if let reason = completion.fault(vocabularySize: vocabularySize) {
          throw UnfitStep(place: "\(place), sample \(completion.sample)", reason: reason)
        }
      }
    }
  }
}

extension CompletionRecord {
  /// What a model with that many tokens can't take; nil where all is well.
  fileprivate func fault(vocabularySize: Int) -> String? {
    let vocabulary = 0..<vocabularySize
    guard StepRecord.ordinals.contains(sample) else { return "no completion has that number" }
    if let id = completion.tokens.first(where: { !vocabulary.contains(Int($0)) }) {
      return "token \(id) is none of the model's \(vocabularySize)"
    }
    var tokenAdvantages: Int?
    if case .tokens(let values) = advantage { tokenAdvantages = values.count }
    let arrays: [(name: String, count: Int?)] = [
      ("log-probabilities", samplerLogProbabilities?.count),
      ("log-probabilities of the reference", referenceLogProbabilities?.count),
      ("entropies", entropies?.count), ("kept sets", keptSets?.count),
      ("advantages", tokenAdvantages),
    ]
    for (name, count) in arrays {
      guard let count, count != completion.tokens.count else { continue }
      return "there are \(count) \(name) of \(completion.tokens.count) tokens"
    }
    for (place, set) in (keptSets ?? []).enumerated() {
      guard let kept = set else { continue }
      guard kept.isPossible(vocabulary: vocabularySize), kept.contains(completion.tokens[place])
      else { return "the tokens kept at token \(place) can't have been" }
    }
    return nil
  }
}
