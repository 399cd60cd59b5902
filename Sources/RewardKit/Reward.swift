@_exported import Rollouts

/// A judge of completions, one at a time.
///
/// The value that `score` returns is the reward; it must be finite and at most 1e100 in magnitude. Throw
/// `Unscorable` where a completion can't be judged (it is then left out of its group's mean), and any
/// other error where judging failed (its effect is the reward's `on_error` setting). Never answer 0 for
/// either.
public protocol Reward: Sendable {
  /// Judges one completion of a problem.
  func score(_ completion: Completion, for problem: Problem) throws -> Score
}

/// A judge that must see all completions of a problem together, to compare them.
public protocol GroupReward: Sendable {
  /// Judges the completions of one problem; one score each, in their order.
  func score(_ completions: [Completion], for problem: Problem) throws -> [Score]
}

/// A judge that must see every completion of a step together.
public protocol StepReward: Sendable {
  /// Judges the completions of a step; one outcome each, in their order.
  ///
  /// - Parameters:
  ///   - requests: Groups in order, and the completions of each in order.
  ///   - state: Where training stands; nil outside of a run.
  func score(_ requests: [RewardRequest], at state: TrainerState?) throws -> [Scoring]
}

/// A completion can't be judged: no answer is known, or the question doesn't apply.
public struct Unscorable: Error, Sendable, Equatable, CustomStringConvertible {
  /// Why, as a clause.
  public var reason: String

  /// Makes the statement.
  public init(_ reason: String) { self.reason = reason }

  /// The reason.
  public var description: String { reason }
}

extension Reward {
  /// Judges one completion, and turns what it throws, and a number that is none, into data.
  ///
  /// - Parameter range: Where the score must lie, if that is declared.
  public func scoring(
    of completion: Completion, for problem: Problem, within range: ClosedRange<Double>? = nil
  ) -> Scoring {
    do {
      return try score(completion, for: problem).checked(against: completion, within: range)
    } catch let unscorable as Unscorable {
      return .unscorable(reason: unscorable.reason)
    } catch {
      return .failed(error: "\(error)")
    }
  }
}

extension Score {
  /// The greatest magnitude of a score: sums of the squares of as many as there may be stay finite.
  package static let greatest = 1e100

  /// The score as an outcome, failed where it breaks the contract of a score.
  ///
  /// The value, the parts and the steps' scores are finite; the steps' ends ascend strictly, from
  /// at least 1 to at most the number of Unicode scalars of the completion's text. A declared range
  /// holds, but for rounding: 1e-9 of its greater bound.
  package func checked(
    against completion: Completion, within range: ClosedRange<Double>? = nil
  ) -> Scoring {
    guard value.isFinite else {
      return .failed(error: "the score is \(value), which is not a number: say unscorable instead")
    }
    guard value.magnitude <= Self.greatest else {
      return .failed(
        error:
          "the score is \(value): scores beyond ±\(Self.greatest) have no spread that can be computed"
      )
    }
    if let range {
      let rounding = 1e-9 * max(range.lowerBound.magnitude, range.upperBound.magnitude)
      guard value >= range.lowerBound - rounding, value <= range.upperBound + rounding else {
        return .failed(
          error: "the score is \(value), outside of the range \(range.lowerBound) to "
            + "\(range.upperBound) that the reward declares")
      }
    }
    for (name, part) in parts.sorted(by: { $0.key < $1.key }) where !part.isFinite {
      return .failed(error: "the part \"\(name)\" of the score is \(part), which is not a number")
    }
    guard !steps.isEmpty else { return .scored(self) }
    let length = completion.text.unicodeScalars.count
    var previous = 0
    for (index, step) in steps.enumerated() {
      guard step.score.isFinite else {
        return .failed(error: "the score of step \(index) is not a number")
      }
      guard step.end > previous, step.end <= length else {
        return .failed(
          error: "step \(index) ends at \(step.end): ends must ascend from 1 to the completion's "
            + "\(length) Unicode scalars, and the one before is \(previous)")
      }
      previous = step.end
    }
    return .scored(self)
  }
}
