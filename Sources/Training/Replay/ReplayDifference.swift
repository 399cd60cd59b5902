import Rollouts
import TrajectoryStore

/// The first thing that came out otherwise when a run was replayed.
public struct ReplayDifference: Sendable, Equatable, CustomStringConvertible {
  /// The step.
  public var step: Int
  /// Whose number it is, in words; empty for one of the step as a whole.
  public var place: String
  /// The completion's id in the log, where it is about one.
  public var completion: Int?
  /// The token of the completion, from 0, where it is about one.
  public var token: Int?
  /// What differs: "token", "log-probability".
  public var quantity: String
  /// What the log, or the checkpoint, has.
  public var recorded: String
  /// What came out this time.
  public var replayed: String

  /// The difference as a sentence.
  public var description: String {
    var places = ["step \(step)"]
    if !place.isEmpty { places.append(place) }
    if let completion { places.append("completion \(completion)") }
    if let token { places.append("token \(token)") }
    return "\(places.joined(separator: ", ")): \(quantity) is \(recorded) in the record and "
      + "\(replayed) when it is made again"
  }
}

extension CompletionRecord {
  /// A number of a completion that came out otherwise.
  struct Difference: Equatable {
    var quantity: String
    var token: Int?
    var recorded: String
    var replayed: String
  }

  /// Whether the log has dropped what it had of the tokens, as `grpo log prune` does.
  var isPruned: Bool { samplerLogProbabilities == nil }

  /// The first difference of what sampling made, in order of the tokens; every number by its bits.
  ///
  /// Of a pruned completion there are only tokens and text.
  func firstDifference(to again: CompletionRecord) -> Difference? {
    let count = min(completion.tokens.count, again.completion.tokens.count)
    for token in 0..<count {
      if let difference = difference(to: again, at: token) { return difference }
    }
    func whole<Value: Equatable>(_ quantity: String, _ value: (CompletionRecord) -> Value)
      -> Difference?
    {
      let (mine, other) = (value(self), value(again))
      guard mine != other else { return nil }
      return Difference(
        quantity: quantity, token: nil, recorded: "\(mine)", replayed: "\(other)")
    }
    return whole("the number of tokens") { $0.completion.tokens.count }
      ?? whole("the reason of the end") { $0.completion.finish.rawValue }
      ?? whole("the text") { JSONValue.string($0.completion.text).jsonText }
      ?? (isPruned
        ? nil
        : whole("the number of log-probabilities") { $0.samplerLogProbabilities?.count ?? 0 }
          ?? whole("the number of entropies") { $0.entropies?.count ?? 0 }
          ?? whole("the number of kept sets") { $0.keptSets?.count ?? 0 })
  }

  /// The first difference in what was made of the scores, by its bits but for the sign of zero, which the log
  /// doesn't keep: the total, then the advantage.
  func rewardDifference(to again: CompletionRecord) -> Difference? {
    func number(_ quantity: String, _ mine: Double?, _ other: Double?, token: Int? = nil)
      -> Difference?
    {
      guard mine != other else { return nil }
      return Difference(
        quantity: quantity, token: token, recorded: mine.map { "\($0)" } ?? "missing",
        replayed: other.map { "\($0)" } ?? "missing")
    }
    if let difference = number("the reward", reward, again.reward) { return difference }
    switch (advantage, again.advantage) {
    case (.tokens(let mine)?, .tokens(let other)?) where mine.count == other.count:
      for token in mine.indices {
        let difference = number("the advantage", mine[token], other[token], token: token)
        if let difference { return difference }
      }
      return nil
    default: return number("the advantage", advantage?.mean, again.advantage?.mean)
    }
  }

  private func difference(to again: CompletionRecord, at token: Int) -> Difference? {
    func number(_ quantity: String, _ values: (CompletionRecord) -> [Float]?) -> Difference? {
      let (mine, other) = (values(self)?.at(token), values(again)?.at(token))
      guard mine?.bitPattern != other?.bitPattern else { return nil }
      return Difference(
        quantity: quantity, token: token, recorded: mine.map { "\($0)" } ?? "missing",
        replayed: other.map { "\($0)" } ?? "missing")
    }
    let ids = (completion.tokens[token], again.completion.tokens[token])
    if ids.0 != ids.1 {
      return Difference(
        quantity: "the token", token: token, recorded: "\(ids.0)", replayed: "\(ids.1)")
    }
    if isPruned { return nil }
    if let difference = number("the log-probability", \.samplerLogProbabilities) {
      return difference
    }
    if let difference = number("the entropy", \.entropies) { return difference }
    let sets = (keptSets?.at(token) ?? nil, again.keptSets?.at(token) ?? nil)
    guard sets.0 != sets.1 else { return nil }
    func text(_ set: KeptSet?) -> String { set?.json.jsonText ?? "the whole vocabulary" }
    return Difference(
      quantity: "the kept set", token: token, recorded: text(sets.0), replayed: text(sets.1))
  }
}

extension Array {
  /// The element at a place, nil beyond the end.
  fileprivate func at(_ index: Int) -> Element? { indices.contains(index) ? self[index] : nil }
}
