// Dynamic sampling (DAPO, arXiv 2503.14476 eq. 11): groups whose rewards have no spread teach
// nothing; they are dropped and others are drawn until the batch is full, with a limit on the
// drawing:
//
//   keep a group  iff  two of its rewards differ by more than rounding (RewardStatistics.swift)
//
// Spread, not 0 < correct < G, so that it holds for continuous rewards and for several.

/// Which groups of a draw are kept, and when to stop drawing.
public struct DynamicSampling: Sendable, Hashable {
  /// The greatest number of draws for one step; at least 1.
  public var maximumDraws: Int

  /// Makes a policy with a limit.
  public init(maximumDraws: Int) { self.maximumDraws = max(maximumDraws, 1) }

  /// What to do after a draw.
  public enum Decision: Sendable, Hashable {
    /// Draw this many more prompts.
    case draw(prompts: Int)
    /// The batch is full.
    case full
    /// The limit is reached; the step goes on with fewer groups.
    case exhausted(missing: Int)
  }

  /// Whether a group's rewards differ by more than rounding.
  ///
  /// - Parameters:
  ///   - rewards: the rewards of each completion by function, nil where unscorable.
  ///   - weights: the weight of each function.
  public static func hasSpread(_ rewards: [[Double?]], weights: [Double]) -> Bool {
    let totals: [RewardStatistics.Sample] = rewards.compactMap { completion in
      var total: RewardStatistics.Sample?
      for case (let weight, let reward?) in zip(weights, completion) {
        total = .init(
          (total?.value ?? 0) + weight * reward,
          magnitude: (total?.magnitude ?? 0) + abs(weight * reward))
      }
      return total
    }
    return !RewardStatistics(totals).isConstant
  }

  /// What to do once some groups are kept.
  ///
  /// - Parameters:
  ///   - kept: groups with spread so far.
  ///   - wanted: groups that a step needs.
  ///   - draws: how often was drawn, from 1.
  public func decision(kept: Int, wanted: Int, draws: Int) -> Decision {
    if kept >= wanted { return .full }
    return draws >= maximumDraws
      ? .exhausted(missing: wanted - kept) : .draw(prompts: wanted - kept)
  }
}
