import Rollouts

/// Sums over completions from which a reward's mean, spread, correlations and share follow.
///
/// With w the reward's weight, v its value, R the total and means over the completions of a group
/// that have both:
///
///     share = Σ_groups Σ_i w (v_i − v̄)(R_i − R̄)  ÷  Σ_groups Σ_i (R_i − R̄)²
///
/// The shares of all rewards sum to 1 where R = Σ w v: share is the part of the spread within
/// groups, which is what the advantage is made of, that comes from this reward.
struct RewardSums {
  var scored = 0
  var unscorable = 0
  var failed = 0
  var sum = 0.0
  var sumOfSquares = 0.0
  var minimum: Double?
  var maximum: Double?
  var advantageShare = 0.0
  var advantageTotal = 0.0

  mutating func add(_ scoring: Scoring) {
    switch scoring {
    case .scored(let score):
      scored += 1
      sum += score.value
      sumOfSquares += score.value * score.value
      minimum = min(minimum ?? score.value, score.value)
      maximum = max(maximum ?? score.value, score.value)
    case .unscorable: unscorable += 1
    case .failed: failed += 1
    }
  }

  /// Adds a group's part of the spread: values and totals of the completions that have both.
  mutating func add(group pairs: [(value: Double, total: Double)], weight: Double) {
    guard pairs.count > 1 else { return }
    let count = Double(pairs.count)
    let valueMean = pairs.reduce(0) { $0 + $1.value } / count
    let totalMean = pairs.reduce(0) { $0 + $1.total } / count
    for pair in pairs {
      advantageShare += weight * (pair.value - valueMean) * (pair.total - totalMean)
      advantageTotal += (pair.total - totalMean) * (pair.total - totalMean)
    }
  }
}

/// Sums over the completions that two rewards both scored.
struct RewardPairSums {
  var count = 0
  var firstSum = 0.0
  var secondSum = 0.0
  var firstSumOfSquares = 0.0
  var secondSumOfSquares = 0.0
  var sumOfProducts = 0.0

  mutating func add(_ first: Double, _ second: Double) {
    count += 1
    firstSum += first
    secondSum += second
    firstSumOfSquares += first * first
    secondSumOfSquares += second * second
    sumOfProducts += first * second
  }

  mutating func add(_ other: RewardPairSums) {
    count += other.count
    firstSum += other.firstSum
    secondSum += other.secondSum
    firstSumOfSquares += other.firstSumOfSquares
    secondSumOfSquares += other.secondSumOfSquares
    sumOfProducts += other.sumOfProducts
  }

  /// Pearson's correlation; nil where either doesn't vary.
  var correlation: Double? {
    let n = Double(count)
    let firstSpread = n * firstSumOfSquares - firstSum * firstSum
    let secondSpread = n * secondSumOfSquares - secondSum * secondSum
    // Below the rounding of the sums there is no spread to speak of.
    let noise = 1e-12
    guard firstSpread > noise * n * firstSumOfSquares,
      secondSpread > noise * n * secondSumOfSquares
    else { return nil }
    let product = n * sumOfProducts - firstSum * secondSum
    return max(-1, min(1, product / (firstSpread * secondSpread).squareRoot()))
  }
}

/// The sums of all rewards over a step's kept groups.
struct RewardSummaries {
  var rewards: [Int64: RewardSums] = [:]
  var pairs: [Pair: RewardPairSums] = [:]

  struct Pair: Hashable {
    var first: Int64
    var second: Int64
  }

  mutating func add(
    _ group: GroupRecord, rewardsByName: [String: (id: Int64, weight: Double)]
  ) {
    var pairsOfTotals: [Int64: [(value: Double, total: Double)]] = [:]
    for completion in group.completions {
      var values: [(id: Int64, value: Double)] = []
      for score in completion.scores {
        guard let reward = rewardsByName[score.reward] else { continue }
        rewards[reward.id, default: RewardSums()].add(score.scoring)
        guard case .scored(let scored) = score.scoring else { continue }
        if let total = completion.reward {
          pairsOfTotals[reward.id, default: []].append((scored.value, total))
        }
        values.append((reward.id, scored.value))
      }
      values.sort { $0.id < $1.id }
      for (place, first) in values.enumerated() {
        for second in values[(place + 1)...] {
          pairs[Pair(first: first.id, second: second.id), default: RewardPairSums()]
            .add(first.value, second.value)
        }
      }
    }
    for (id, weight) in rewardsByName.values {
      guard let group = pairsOfTotals[id] else { continue }
      rewards[id, default: RewardSums()].add(group: group, weight: weight)
    }
  }
}
