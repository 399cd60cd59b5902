import Rollouts

/// The summaries of a number over completions, in one pass over their values.
struct Spread {
  var count = 0
  var mean: Double?
  /// Dividing by the count.
  var standardDeviation: Double?
  var minimum: Double?
  var maximum: Double?

  init(_ values: [Double]) {
    guard !values.isEmpty else { return }
    count = values.count
    let mean = values.reduce(0, +) / Double(count)
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    self.mean = mean
    standardDeviation = (squares / Double(count)).squareRoot()
    minimum = values.min()
    maximum = values.max()
  }

  /// Whether there is nothing to learn: fewer than two values, or all equal up to rounding.
  var isTied: Bool {
    guard let minimum, let maximum else { return true }
    return maximum - minimum <= 1e-9 * max(minimum.magnitude, maximum.magnitude)
  }
}

/// A completion's summaries over its tokens.
struct TokenSummary {
  var logProbabilityMean: Double?
  var logProbabilityMinimum: Double?
  var entropyMean: Double?

  init(_ record: CompletionRecord) {
    if let values = record.samplerLogProbabilities, !values.isEmpty {
      logProbabilityMean = Self.mean(values)
      logProbabilityMinimum = values.min().map(Double.init)
    }
    if let values = record.entropies, !values.isEmpty { entropyMean = Self.mean(values) }
  }

  static func mean(_ values: [Float]) -> Double {
    var sum = 0.0
    for value in values { sum += Double(value) }
    return sum / Double(values.count)
  }
}

/// A step's summaries over its kept groups.
struct StepSummary {
  var groups = 0
  var droppedGroups = 0
  var tiedGroups = 0
  var completions = 0
  var tokens = 0
  var truncated = 0
  var unscored = 0
  var reward = Spread([])
  var length = Spread([])
  var logProbabilityMean: Double?
  var entropyMean: Double?

  init(_ step: StepRecord) {
    var rewards: [Double] = []
    var lengths: [Double] = []
    var logProbabilities = RunningMean()
    var entropies = RunningMean()
    for group in step.groups {
      if group.isDropped {
        droppedGroups += 1
        continue
      }
      groups += 1
      if Spread(group.completions.compactMap(\.reward)).isTied { tiedGroups += 1 }
      for record in group.completions {
        completions += 1
        tokens += record.completion.sampledCount
        lengths.append(Double(record.completion.sampledCount))
        if record.completion.finish == .length { truncated += 1 }
        if let reward = record.reward { rewards.append(reward) } else { unscored += 1 }
        for value in record.samplerLogProbabilities ?? [] { logProbabilities.add(value) }
        for value in record.entropies ?? [] { entropies.add(value) }
      }
    }
    reward = Spread(rewards)
    length = Spread(lengths)
    logProbabilityMean = logProbabilities.mean
    entropyMean = entropies.mean
  }

  private struct RunningMean {
    var sum = 0.0
    var count = 0
    mutating func add(_ value: Float) {
      sum += Double(value)
      count += 1
    }
    var mean: Double? { count == 0 ? nil : sum / Double(count) }
  }
}
