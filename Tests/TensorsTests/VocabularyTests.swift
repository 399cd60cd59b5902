import Foundation
import Rollouts
import Tensors
import Testing

@Suite("The vocabulary: log-probabilities, entropies, gradients, draws")
struct VocabularyTests {
  /// log Σ e^z, log p of the target and the entropy, over the given ids.
  static func reference(
    _ logits: [Float], ids: [Int], inverseTemperature: Double, target: Int
  ) -> (logSumExp: Double, logProbability: Double, entropy: Double) {
    let z = ids.map { Double(logits[$0]) * inverseTemperature }
    let largest = z.max() ?? 0
    let sum = z.reduce(0) { $0 + exp($1 - largest) }
    let lse = largest + log(sum)
    let entropy = lse - z.reduce(0) { $0 + exp($1 - lse) * $1 }
    return (lse, Double(logits[target]) * inverseTemperature - lse, entropy)
  }

  static func kept(_ vocabulary: Int, stream: Int) -> [Int32] {
    (0..<Int32(vocabulary)).filter { ($0 &* 7 &+ Int32(stream)) % 5 < 2 }
  }

  @Test(
    "reduces to what double precision gives", arguments: [1, 2, 17, 1024, 1025, 3001],
    TestValues.instructionSets)
  func reduction(vocabulary: Int, set: InstructionSet) {
    let rows = 4
    let compute = Compute(threads: 2, instructionSet: set)
    let logits = TestValues.normal(rows * vocabulary, stream: 60, scale: 4)
    for inverseTemperature: Float in [1, 1.25] {
      let z = Tensor(rows: rows, columns: vocabulary, values: logits)
      let sets = (0..<rows).map { $0 % 2 == 0 ? [] : Self.kept(vocabulary, stream: $0) }
      for (row, ids) in sets.enumerated() where !ids.isEmpty {
        compute.mask(z, row: row, keeping: .only(ids))
      }
      let targets = sets.map { $0.last ?? Int32(vocabulary / 2) }
      let found = compute.reduceVocabulary(
        z, inverseTemperature: inverseTemperature, targets: targets)
      for row in 0..<rows {
        let expected = Self.reference(
          Array(logits[row * vocabulary..<(row + 1) * vocabulary]),
          ids: sets[row].isEmpty ? Array(0..<vocabulary) : sets[row].map(Int.init),
          inverseTemperature: Double(inverseTemperature), target: Int(targets[row]))
        // Of logits around 10 the last place is 1e-6; sums add about as much.
        #expect(abs(Double(found.logSumExp[row]) - expected.logSumExp) < 2e-6)
        #expect(abs(Double(found.logProbabilities[row]) - expected.logProbability) < 2e-6)
        #expect(abs(Double(found.entropies[row]) - expected.entropy) < 3e-6)
      }
    }
  }

  @Test("gives no log-probability where there is no target")
  func withoutTarget() {
    let found = Compute(threads: 1).reduceVocabulary(
      Tensor(rows: 2, columns: 4, values: [1, 2, 3, 4, 1, 2, 3, 4]), inverseTemperature: 1,
      targets: [1, -1])
    #expect(found.logProbabilities[0] < 0 && found.logProbabilities[1] == 0)
    #expect(found[1..<2].entropies == [found.entropies[0]])
  }

  @Test(
    "has the gradient of its differences", arguments: [3, 40, 1030], TestValues.instructionSets)
  func gradient(vocabulary: Int, set: InstructionSet) {
    let compute = Compute(threads: 2, instructionSet: set)
    let logits = TestValues.normal(vocabulary, stream: 61, scale: 2)
    for ids in [nil, Self.kept(vocabulary, stream: 1)] {
      let target = Int(ids?.first ?? Int32(vocabulary - 1))
      let (dLogProbability, dEntropy, inverseTemperature): (Float, Float, Float) = (0.7, -0.3, 0.8)
      let z = Tensor(logits)
      if let ids { compute.mask(z, row: 0, keeping: .only(ids)) }
      let statistics = compute.reduceVocabulary(z, inverseTemperature: inverseTemperature)
      compute.vocabularyGradient(
        z, inverseTemperature: inverseTemperature, targets: [Int32(target)],
        statistics: statistics, dLogProbability: [dLogProbability], dEntropy: [dEntropy])
      let all = ids?.map(Int.init) ?? Array(0..<vocabulary)
      let base = Self.reference(
        logits, ids: all, inverseTemperature: Double(inverseTemperature), target: target)
      var expected = [Double](repeating: 0, count: vocabulary)
      for id in all {
        let logp = Double(logits[id]) * Double(inverseTemperature) - base.logSumExp
        let p = exp(logp)
        expected[id] =
          Double(inverseTemperature)
          * (Double(dLogProbability) * ((id == target ? 1 : 0) - p)
            - Double(dEntropy) * p * (logp + base.entropy))
      }
      #expect(relativeError(z.values, expected) < 2e-6)
      // And the closed form itself, by differences of the reference.
      for id in all.prefix(5) {
        func loss(_ offset: Float) -> Double {
          var moved = logits
          moved[id] += offset
          let r = Self.reference(
            moved, ids: all, inverseTemperature: Double(inverseTemperature), target: target)
          return Double(dLogProbability) * r.logProbability + Double(dEntropy) * r.entropy
        }
        let derivative = (loss(1.0 / 64) - loss(-1.0 / 64)) * 32
        #expect(abs(derivative - expected[id]) < 1e-4)
      }
    }
  }

  @Test("draws each token as often as its probability says", arguments: [nil, [1, 3, 4, 2900]])
  func frequencies(kept: [Int32]?) {
    // A wide vocabulary of which few ids count: the draw has to find its way over blocks.
    let vocabulary = 3000
    var logits = [Float](repeating: -.infinity, count: vocabulary)
    for (id, p) in [(0, 0.1), (1, 0.4), (3, 0.05), (1500, 0.2), (2900, 0.2), (2999, 0.05)] {
      logits[id] = Float(log(p))
    }
    logits[4] = -200  // of probability 0 in float32
    let compute = Compute(threads: 1)
    let z = Tensor(logits)
    if let kept { compute.mask(z, row: 0, keeping: .only(kept)) }
    let draws = 20_000
    let random = Philox(seed: 3, purpose: .sampling)
    let tokens = compute.drawTokens(
      z, rows: Array(repeating: 0, count: draws),
      uniforms: (0..<draws).map { random.uniform(at: $0) }, inverseTemperature: 1,
      statistics: compute.reduceVocabulary(z, inverseTemperature: 1))
    let counts = Dictionary(grouping: tokens) { $0 }.mapValues(\.count)
    let total = kept.map { $0.reduce(0.0) { $0 + exp(Double(logits[Int($1)])) } } ?? 1
    for (id, count) in counts {
      let p = exp(Double(logits[Int(id)])) / total
      // Five standard deviations of a binomial count.
      #expect(
        abs(Double(count) - p * Double(draws)) < 5 * (p * (1 - p) * Double(draws)).squareRoot())
    }
    #expect(counts.count == (kept == nil ? 6 : 3))
  }

  @Test("draws at the ends of the unit interval stay inside", arguments: TestValues.instructionSets)
  func ends(set: InstructionSet) {
    let compute = Compute(threads: 1, instructionSet: set)
    let logits: [Float] = [-.infinity, 0, 1, -150, 2, -.infinity, -120]
    let z = Tensor(logits)
    let statistics = compute.reduceVocabulary(z, inverseTemperature: 1)
    func draw(_ uniform: Double) -> Int32 {
      compute.drawTokens(
        z, rows: [0], uniforms: [uniform], inverseTemperature: 1, statistics: statistics)[0]
    }
    #expect(draw(0) == 1)
    #expect(draw(1 - 0x1p-53) == 4)
    #expect(draw(1) == 4)
  }

  @Test("is the same bits on each table, whatever the rows and threads")
  func invariance() {
    let (rows, vocabulary) = (7, 2100)
    let logits = TestValues.normal(rows * vocabulary, stream: 62, scale: 3)
    let targets = TestValues.integers(rows, below: vocabulary, stream: 63)
    var seen: [UInt32]?
    for set in TestValues.instructionSets {
      for (threads, batch) in [(1, rows), (2, rows), (2, 1), (3, 4)] {
        let compute = Compute(threads: threads, instructionSet: set)
        let z = Tensor(rows: rows, columns: vocabulary, values: logits)
        var statistics = LogitStatistics()
        for first in stride(from: 0, to: rows, by: batch) {
          let part = first..<min(first + batch, rows)
          statistics.append(
            compute.reduceVocabulary(
              z.rows(part), inverseTemperature: 0.7, targets: Array(targets[part])))
        }
        let uniforms = (0..<rows).map { Double($0) / 7 }
        let together = compute.drawTokens(
          z, rows: Array(0..<rows), uniforms: uniforms, inverseTemperature: 0.7,
          statistics: statistics)
        let alone = (0..<rows).reversed().map {
          compute.drawTokens(
            z, rows: [$0], uniforms: [uniforms[$0]], inverseTemperature: 0.7,
            statistics: statistics)[0]
        }
        #expect(together == alone.reversed())
        compute.vocabularyGradient(
          z, inverseTemperature: 0.7, targets: targets, statistics: statistics,
          dLogProbability: statistics.logProbabilities, dEntropy: statistics.entropies)
        let bits =
          statistics.logSumExp.bits + statistics.logProbabilities.bits
          + statistics.entropies.bits + together.map(UInt32.init) + z.values.bits
        seen = seen ?? bits
        let isSame = bits == seen
        #expect(isSame, "\(set), \(threads) threads, batches of \(batch)")
      }
    }
  }
}
