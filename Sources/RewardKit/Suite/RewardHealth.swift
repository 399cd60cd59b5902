import Rollouts

/// Watches the rewards of a run for the ways in which training on them comes to nothing.
///
/// A warning is given once, and again only after its condition has ceased. Steps without a single score end the
/// run when they have been `steps` in a row with `groups` groups, unless every reward may fail always
/// (`failure_limit` 1).
struct RewardHealth {
  /// Steps that a condition must last, and the fewest completions in them.
  private static let steps = 5
  private static let completions = 32
  /// The fewest groups without a score that end a run.
  private static let groups = 16
  /// The share of the total's variance above which a reward drowns the others.
  private static let dominance = 0.95

  private struct Step {
    /// For each reward: how many values, their least, greatest and sum.
    var values: [(count: Int, least: Double, greatest: Double, sum: Double)]
    /// For each reward: the sum over groups of the weighted values' squared deviations.
    var scatter: [Double]
    var groups = 0
    var tiedGroups = 0
    var completions = 0
  }

  private let rewards: [RewardDescription]
  private var window: [Step] = []
  private var active: Set<String> = []
  private var warnings: [String] = []
  /// Steps in a row, and groups in them, in which nothing was scored.
  private var unscored = (steps: 0, groups: 0, completions: 0)
  /// Why the run must end; nil where it need not.
  private(set) var fault: String?

  init(rewards: [RewardDescription]) { self.rewards = rewards }

  /// The warnings since the last call.
  mutating func takeWarnings() -> [String] {
    defer { warnings = [] }
    return warnings
  }

  /// Takes in the completions of one step.
  mutating func observe(_ scored: [ScoredCompletion], groups: [Int]) {
    guard !scored.isEmpty, groups.count == scored.count else { return }
    checkScored(scored, groups)
    window.append(summary(of: scored, groups))
    if window.count > Self.steps { window.removeFirst() }
    guard window.count == Self.steps else { return }
    checkSilence()
    checkConstants()
    checkTies()
    checkDominance()
    checkFormWithoutAnswers()
  }

  private func summary(of scored: [ScoredCompletion], _ groups: [Int]) -> Step {
    var step = Step(
      values: rewards.indices.map { reward in
        let values = scored.compactMap { $0.outcomes[reward].value }
        return (
          values.count, values.min() ?? 0, values.max() ?? 0, values.reduce(0, +)
        )
      },
      scatter: [Double](repeating: 0, count: rewards.count))
    step.completions = scored.count
    for (_, indices) in Dictionary(grouping: scored.indices, by: { groups[$0] })
      .sorted(by: { $0.key < $1.key })
    {
      let totals = indices.compactMap { scored[$0].total }
      guard totals.count > 1 else { continue }
      step.groups += 1
      if totals.allSatisfy({ $0 == totals[0] }) { step.tiedGroups += 1 }
      for reward in rewards.indices {
        let values = indices.compactMap { scored[$0].outcomes[reward].value }
        let mean = values.reduce(0, +) / Double(max(1, values.count))
        let weight = rewards[reward].weight
        step.scatter[reward] += values.reduce(0) {
          $0 + weight * weight * ($1 - mean) * ($1 - mean)
        }
      }
    }
    return step
  }

  private mutating func raise(_ key: String, _ holds: Bool, _ sentence: @autoclosure () -> String) {
    guard holds else {
      active.remove(key)
      return
    }
    if active.insert(key).inserted { warnings.append(sentence()) }
  }

  /// Warns at once where nothing of a step was scored, and tells the run to end where that goes on.
  private mutating func checkScored(_ scored: [ScoredCompletion], _ groups: [Int]) {
    guard scored.allSatisfy({ $0.total == nil }) else {
      unscored = (0, 0, 0)
      active.remove("unscored")
      return
    }
    unscored.steps += 1
    unscored.groups += Set(groups).count
    unscored.completions += scored.count
    let reasons = rewards.indices.map {
      "\"\(rewards[$0].name)\" says: \(Self.reason(of: $0, in: scored))"
    }
    let why = reasons.joined(separator: "; ")
    raise(
      "unscored", true,
      "none of the step's \(scored.count) completions got a reward, so that nothing is learnt from them. \(why). "
        + "A score that is absent is not 0. Does the reward read the right columns? (grpo reward test)"
    )
    if unscored.steps >= Self.steps, unscored.groups >= Self.groups,
      rewards.contains(where: { $0.specification.failureLimit < 1 })
    {
      fault =
        "none of the \(unscored.completions) completions of the last \(unscored.steps) steps got a reward: "
        + "the run learns nothing and is stopped. \(why). Try the rewards with `grpo reward test`; "
        + "failure_limit 1 lets such a run go on"
    }
  }

  /// The reason that a reward gives most often for having no score.
  private static func reason(of reward: Int, in scored: [ScoredCompletion]) -> String {
    let reasons = scored.compactMap { completion -> String? in
      switch completion.outcomes[reward].scoring {
      case .scored: nil
      case .unscorable(let reason), .failed(let reason): reason
      }
    }
    let counts = Dictionary(grouping: reasons, by: { $0 }).mapValues(\.count)
    let most = counts.max { ($0.value, $1.key) < ($1.value, $0.key) }
    return most.map { "\($0.key) (\($0.value) of \(scored.count))" } ?? "nothing"
  }

  /// A reward that scored nothing while others did.
  private mutating func checkSilence() {
    let all = window.reduce(0) { $0 + $1.completions }
    for (index, reward) in rewards.enumerated() {
      let count = window.reduce(0) { $0 + $1.values[index].count }
      raise(
        "silent \(index)",
        rewards.count > 1 && count == 0 && all >= Self.completions && unscored.steps == 0,
        "reward \"\(reward.name)\" scored none of the \(all) completions of the last \(Self.steps) steps: "
          + "the others alone are learnt from")
    }
  }

  private mutating func checkConstants() {
    for (index, reward) in rewards.enumerated() {
      let count = window.reduce(0) { $0 + $1.values[index].count }
      let used = window.map { $0.values[index] }.filter { $0.count > 0 }
      let least = used.map(\.least).min() ?? 0
      let greatest = used.map(\.greatest).max() ?? 0
      raise(
        "constant \(index)", count >= Self.completions && least == greatest,
        "reward \"\(reward.name)\" gave \(short(least)) to all \(count) completions of the last "
          + "\(Self.steps) steps: nothing can be learnt from it. Does it read the right column? "
          + "(grpo reward check)")
    }
  }

  private mutating func checkTies() {
    let groups = window.reduce(0) { $0 + $1.groups }
    let tied = window.reduce(0) { $0 + $1.tiedGroups }
    raise(
      "ties", groups > 0 && groups == tied,
      "in all \(groups) groups of the last \(Self.steps) steps every completion got the same "
        + "reward, so that every advantage is 0 and nothing is learnt: easier or harder problems, "
        + "more completions per group, or a reward with finer grades would help")
  }

  private mutating func checkDominance() {
    guard rewards.count(where: { $0.weight != 0 }) > 1 else { return }
    let scatter = rewards.indices.map { reward in
      window.reduce(0) { $0 + $1.scatter[reward] }
    }
    let total = scatter.reduce(0, +)
    for (index, reward) in rewards.enumerated() {
      let share = total > 0 ? scatter[index] / total : 0
      raise(
        "dominance \(index)", share > Self.dominance,
        "reward \"\(reward.name)\" makes \(short(share * 100))% of the differences within groups over "
          + "the last \(Self.steps) steps: the other rewards hardly count beside it. Lower its weight "
          + "(now \(short(reward.weight))) unless that is meant")
    }
  }

  private mutating func checkFormWithoutAnswers() {
    func mean(_ index: Int) -> Double? {
      let count = window.reduce(0) { $0 + $1.values[index].count }
      guard count >= Self.completions else { return nil }
      return window.reduce(0) { $0 + $1.values[index].sum } / Double(count)
    }
    /// A mean as a share of the reward's range.
    func share(_ index: Int) -> Double? {
      guard let mean = mean(index), let range = rewards[index].range,
        range.upperBound > range.lowerBound
      else { return nil }
      return (mean - range.lowerBound) / (range.upperBound - range.lowerBound)
    }
    for (form, formReward) in rewards.enumerated() where formReward.category == .form {
      for (answer, answerReward) in rewards.enumerated()
      where answerReward.category == .answer || answerReward.category == .program {
        let formShare = share(form) ?? 0
        let answerShare = share(answer) ?? 1
        raise(
          "form \(form) \(answer)", formShare >= 0.9 && answerShare <= 0.05,
          "the policy has learnt the form without the answers: over the last \(Self.steps) steps "
            + "\"\(formReward.name)\" is at \(short(formShare * 100))% of its range and "
            + "\"\(answerReward.name)\" at \(short(answerShare * 100))%")
      }
    }
  }
}

/// A number with at most three decimals.
private func short(_ value: Double) -> String {
  let rounded = (value * 1000).rounded() / 1000
  return rounded == rounded.rounded() && abs(rounded) < 1e15
    ? "\(Int(clamping: rounded))" : "\(rounded)"
}
