import Foundation

@testable import PolicyOptimization

/// SplitMix64: small, and the same numbers everywhere.
struct TestRandom: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 0xD1B5_4A32_D192_ED03 }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func uniform(_ range: ClosedRange<Double> = 0...1) -> Double {
    Double.random(in: range, using: &self)
  }

  /// A number of standard normal distribution (Box and Muller).
  mutating func normal() -> Double {
    (-2 * log(uniform(1e-300...1))).squareRoot() * cos(2 * .pi * uniform())
  }
}

/// The numbers of an update, drawn at random.
struct RandomCase {
  var completions: [CompletionInput]
  var policy: [[Double]]
  var entropies: [[Double]]
  var context: UpdateContext

  init(seed: UInt64, groups: Int = 3, groupSize: Int = 4, length: Int = 6, drift: Double = 0.3) {
    var random = TestRandom(seed)
    completions = []
    policy = []
    entropies = []
    for index in 0..<groups * groupSize {
      let count = Int.random(in: 1...length, using: &random)
      let logProbabilities = (0..<count).map { _ in -abs(random.normal()) * 2 - 0.01 }
      func near(_ spread: Double) -> [Double] {
        logProbabilities.map { $0 + spread * random.normal() }
      }
      policy.append(logProbabilities)
      entropies.append((0..<count).map { _ in abs(random.normal()) })
      let old = near(drift)
      completions.append(
        CompletionInput(
          group: index / groupSize, length: count, advantages: .uniform(random.normal()),
          oldLogProbabilities: old, samplerLogProbabilities: old.map { $0 + 0.1 * random.normal() },
          referenceLogProbabilities: near(0.5), entropies: entropies[index],
          isTruncated: random.uniform() < 0.2,
          mask: (0..<count).map { _ in random.uniform() < 0.9 }))
    }
    context = UpdateContext(maxCompletionLength: length + 2)
  }

  /// The loss and the gradients under some settings.
  func evaluated(_ settings: ObjectiveSettings, at policy: [[Double]]? = nil) throws
    -> (loss: Double, gradients: [[Double]], statistics: UpdateStatistics)
  {
    let policy = policy ?? self.policy
    let update = try PreparedUpdate(
      completions: completions, settings: settings, context: context)
    var loss = 0.0
    var gradients: [[Double]] = []
    var statistics = UpdateStatistics()
    for index in completions.indices {
      let evaluation = try update.evaluate(
        index, logProbabilities: policy[index], entropies: entropies[index])
      loss += evaluation.loss
      gradients.append(evaluation.logProbabilityGradient)
      statistics.add(evaluation.statistics)
    }
    return (loss, gradients, statistics)
  }
}

/// Whether two numbers agree to a tolerance times max(1, |expected|).
func isClose(_ value: Double, _ expected: Double, _ tolerance: Double = 1e-12) -> Bool {
  abs(value - expected) <= tolerance * max(1, abs(expected))
}

/// Whether two lists agree, number by number.
func isClose(_ values: [Double], _ expected: [Double], _ tolerance: Double = 1e-12) -> Bool {
  values.count == expected.count
    && zip(values, expected).allSatisfy { isClose($0, $1, tolerance) }
}
