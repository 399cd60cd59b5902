import Foundation
import Testing

@testable import PolicyOptimization

/// Settings drawn at random from every choice.
private func randomSettings(_ random: inout TestRandom) -> ObjectiveSettings {
  func one<Choice: CaseIterable>(_ type: Choice.Type) -> Choice {
    Array(Choice.allCases).randomElement(using: &random) ?? Choice.allCases.first!
  }
  func chance(_ share: Double) -> Bool { random.uniform() < share }
  return ObjectiveSettings().with { s in
    s.lossType = one(LossType.self)
    if chance(0.4) { s.surrogateOverride = one(SurrogateKind.self) }
    if chance(0.4) { s.normalizerOverride = one(Normalizer.self) }
    s.importanceSamplingLevel = one(ImportanceSamplingLevel.self)
    if chance(0.5) { s.epsilonHigh = chance(0.5) ? 0.28 : 5 }
    if chance(0.3) { s.delta = 1.4 }
    s.cispoBounds = one(CISPOBounds.self)
    if chance(0.7) { s.beta = 0.3 }
    s.klEstimator = one(KLEstimator.self)
    s.klGradient = one(KLGradient.self)
    s.usesBiasCorrectionKL = s.klGradient == .estimator && chance(0.5)
    s.masksTruncatedCompletions = chance(0.3)
    if chance(0.3) { s.topEntropyQuantile = 0.4 }
    if chance(0.3) { s.offPolicyMaskThreshold = 0.02 }
    s.correctsSampler = chance(0.5)
    s.samplerCorrection = one(SamplerCorrection.self)
    s.samplerCorrectionMaximum = 1.3
    if chance(0.5) { s.samplerCorrectionMinimum = 0.8 }
    if chance(0.4) { s.entropyCoefficient = 0.05 }
  }
}

@Suite("Gradients of the objective")
struct GradientTests {
  // The differences are central with h = 1e-6 in double precision: truncation h²·f''' ≈ 1e-12·10 and
  // rounding ε·|f|/h ≈ 1e-16·10/1e-6 = 1e-9, so 1e-7 leaves room. Kinks (clip bounds) are hit with
  // probability 0.
  @Test("agree with central differences, stopped factors held fixed", arguments: UInt64(0)..<150)
  func centralDifferences(seed: UInt64) throws {
    var random = TestRandom(seed + 7_000)
    let settings = randomSettings(&random)
    let numbers = RandomCase(seed: seed, groups: 2, groupSize: 3, length: 5)
    let reference = ReferenceLoss(numbers: numbers, settings: settings)
    let result = try numbers.evaluated(settings)
    #expect(isClose(result.loss, reference.value(at: numbers.policy, stoppedAt: numbers.policy)))
    let h = 1e-6
    for i in numbers.policy.indices {
      for t in numbers.policy[i].indices {
        var (up, down) = (numbers.policy, numbers.policy)
        up[i][t] += h
        down[i][t] -= h
        let gradient =
          (reference.value(at: up, stoppedAt: numbers.policy)
            - reference.value(at: down, stoppedAt: numbers.policy)) / (2 * h)
        #expect(
          isClose(result.gradients[i][t], gradient, 1e-7),
          "completion \(i), token \(t), \(settings)")
      }
    }
  }

  @Test("the clamps of ratio and KL have no gradient beyond")
  func clamps() throws {
    let settings = ObjectiveSettings().with {
      $0.logRatioClamp = 0.5
      $0.epsilon = 10
      $0.beta = 0.1
      $0.klInputClamp = 0.5
      $0.correctsSampler = false
    }
    let completion = CompletionInput(
      group: 0, length: 2, advantages: .uniform(1), oldLogProbabilities: [-2, -1.1],
      referenceLogProbabilities: [-3, -1.1])
    let update = try PreparedUpdate(
      completions: [completion], settings: settings,
      context: UpdateContext(maxCompletionLength: 2))
    let result = try update.evaluate(0, logProbabilities: [-1.0, -1.0])
    // Token 0: log-ratio 1 > 0.5 and x = −2 < −0.5, both constant. Token 1: w = exp(0.1), dL = −w.
    let x = -0.1
    let gradient = (-exp(0.1) - 0.1 * (exp(x) - 1)) / 2
    #expect(isClose(result.logProbabilityGradient, [0, gradient]))
    let loss = (-exp(0.5) + 0.1 * (exp(-0.5) + 0.5 - 1) - exp(0.1) + 0.1 * (exp(x) - x - 1)) / 2
    #expect(isClose(result.loss, loss))
  }
}
