// A case: log-probabilities, rewards and masks as numbers, and the settings to run them under. The
// layout is that of `golden/objectives/case.json`, over which TRL was run:
//
//   num_generations   G; completion i belongs to group i / G
//   policy_logps      [B][T]; rows may differ in length
//   old_logps, ref_logps, sampling_logps, entropies
//                     as policy_logps, each optional
//   mask              [B][T] of 0 and 1, optional
//   terminated        [B], false marks a truncated completion, optional
//   rewards           [B], or {name: [B]}; null is unscorable
//   reward_weights    {name: w} or [w], optional
//   steps             process supervision: [B] lists of {"end": tokens, "score": r}, or {name: …}
//   configs           settings to run, one result each; without it those of the command line, once

import Rollouts

/// What is wrong with a case, in a sentence that names the place.
public struct CaseError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The sentence.
  public var description: String

  /// Makes an error.
  public init(_ description: String) { self.description = description }
}

/// The numbers of a case.
public struct ObjectiveCase: Sendable {
  /// Completions in a group.
  public var groupSize: Int
  /// log π, one row per completion.
  public var policy: [[Double]]
  /// log π_old.
  public var old: [[Double]]?
  /// log π_ref.
  public var reference: [[Double]]?
  /// log π_sampler.
  public var sampler: [[Double]]?
  /// Entropies in nats.
  public var entropies: [[Double]]?
  /// Which tokens count.
  public var mask: [[Bool]]
  /// Which completions ran into the limit on their length.
  public var isTruncated: [Bool]
  /// The names of the reward functions.
  public var rewardNames: [String]
  /// The rewards of each function, one per completion.
  public var rewards: [[Double?]]
  /// The weight of each reward function.
  public var rewardWeights: [Double]
  /// The steps of each function, one list per completion; empty without process supervision.
  public var steps: [[[StepReward]]]
  /// Settings other than the objective's that stand beside the numbers, such as
  /// `max_completion_length`.
  public var members: JSONObject
  /// The settings to run; nil to run those given elsewhere, once.
  public var configs: [JSONObject]?

  /// Reads a case.
  ///
  /// - Throws: `CaseError` naming the member and the row that are missing or misshapen.
  public init(_ json: JSONValue) throws(CaseError) {
    guard let object = json.object else { throw CaseError("a case is a JSON object") }
    let reader = CaseReader(object)
    guard let policy = try reader.rows("policy_logps") else {
      throw CaseError("the case has no policy_logps")
    }
    self.policy = policy
    let lengths = policy.map(\.count)
    groupSize = try reader.integer("num_generations") ?? policy.count
    old = try reader.rows("old_logps", lengths: lengths)
    reference = try reader.rows("ref_logps", lengths: lengths)
    sampler = try reader.rows("sampling_logps", lengths: lengths)
    entropies = try reader.rows("entropies", lengths: lengths)
    mask =
      try reader.masks(lengths: lengths) ?? lengths.map { Array(repeating: true, count: $0) }
    isTruncated =
      try reader.flags("terminated", count: policy.count)?.map { !$0 }
      ?? Array(repeating: false, count: policy.count)
    (rewardNames, rewards) = try reader.rewards(count: policy.count)
    rewardWeights = try Self.weights(object["reward_weights"], names: rewardNames)
    steps = try reader.steps(names: rewardNames, lengths: lengths)
    members = object
    configs = try reader.configs()
    guard groupSize > 0, policy.count.isMultiple(of: groupSize) else {
      throw CaseError(
        "num_generations is \(groupSize), but there are \(policy.count) completions: "
          + "their number must be a multiple of it")
    }
  }

  /// The weights of reward functions, from `{name: w}`, `[w]` or nothing (all 1).
  static func weights(_ value: JSONValue?, names: [String]) throws(CaseError) -> [Double] {
    switch value {
    case nil, .null?: return names.map { _ in 1 }
    case .object(let object)?:
      for key in object.keys where !names.contains(key) {
        throw CaseError(
          "reward_weights names \(key), but the rewards are \(names.joined(separator: ", "))")
      }
      var weights: [Double] = []
      for name in names {
        guard let value = object[name] else {
          weights.append(1)
          continue
        }
        guard let weight = value.double else {
          throw CaseError("the weight of reward \(name) is not a number")
        }
        weights.append(weight)
      }
      return weights
    case .array(let values)?:
      let weights = values.compactMap(\.double)
      guard weights.count == values.count, weights.count == names.count else {
        throw CaseError(
          "reward_weights has \(values.count) entries for \(names.count) rewards: one number each")
      }
      return weights
    default: throw CaseError("reward_weights is neither an object nor a list")
    }
  }
}
