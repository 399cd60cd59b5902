import Foundation
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
    let buffer = FloatBuffer(logits)
    let sets = (0..<rows).map { $0 % 2 == 0 ? nil : Self.kept(vocabulary, stream: $0) }
    let targets = (0..<rows).map { sets[$0]?.last ?? Int32(vocabulary / 2) }
    let kept = KeptSets(sets.map { $0?.isEmpty == true ? nil : $0 })
    for inverseTemperature: Float in [1, 1.25] {
      let (lse, logp, entropy) = (
        FloatBuffer(count: rows), FloatBuffer(count: rows), FloatBuffer(count: rows)
      )
      compute.reduceVocabulary(
        buffer.rows(stride: vocabulary), rows: rows, vocabulary: vocabulary,
        inverseTemperature: inverseTemperature, targets: targets, kept: kept,
        logSumExp: lse.pointer, logProbability: logp.pointer, entropy: entropy.pointer)
      for row in 0..<rows {
        let expected = Self.reference(
          Array(logits[row * vocabulary..<(row + 1) * vocabulary]),
          ids: kept[row].map { $0.map(Int.init) } ?? Array(0..<vocabulary),
          inverseTemperature: Double(inverseTemperature), target: Int(targets[row]))
        // Of logits around 10 the last place is 1e-6; sums add about as much.
        #expect(abs(Double(lse.pointer[row]) - expected.logSumExp) < 2e-6)
        #expect(abs(Double(logp.pointer[row]) - expected.logProbability) < 2e-6)
        #expect(abs(Double(entropy.pointer[row]) - expected.entropy) < 3e-6)
      }
    }
  }

  @Test("gives no probability outside the kept set, and none where there is no target")
  func outside() {
    let logits = FloatBuffer([1, 2, 3, 4, 1, 2, 3, 4])
    let (logp, entropy) = (FloatBuffer(count: 2), FloatBuffer(count: 2))
    Compute(threads: 1).reduceVocabulary(
      logits.rows(stride: 4), rows: 2, vocabulary: 4, inverseTemperature: 1, targets: [1, -1],
      kept: KeptSets([[0, 2], [3]]), logProbability: logp.pointer, entropy: entropy.pointer)
    #expect(logp.values == [-.infinity, 0])
    #expect(entropy.values[1] == 0)
  }

  @Test(
    "has the gradient of its differences", arguments: [3, 40, 1030], TestValues.instructionSets)
  func gradient(vocabulary: Int, set: InstructionSet) {
    let compute = Compute(threads: 2, instructionSet: set)
    let logits = TestValues.normal(vocabulary, stream: 61, scale: 2)
    for ids in [nil, Self.kept(vocabulary, stream: 1)] {
      let target = Int(ids?.first ?? Int32(vocabulary - 1))
      let (dLogProbability, dEntropy, inverseTemperature): (Float, Float, Float) = (0.7, -0.3, 0.8)
      let buffer = FloatBuffer(logits)
      let (lse, entropy) = (FloatBuffer(count: 1), FloatBuffer(count: 1))
      let kept = KeptSets([ids])
      compute.reduceVocabulary(
        buffer.rows(stride: vocabulary), rows: 1, vocabulary: vocabulary,
        inverseTemperature: inverseTemperature, kept: kept, logSumExp: lse.pointer,
        entropy: entropy.pointer)
      compute.vocabularyGradient(
        buffer.rows(stride: vocabulary), rows: 1, vocabulary: vocabulary,
        inverseTemperature: inverseTemperature, targets: [Int32(target)], kept: kept,
        logSumExp: lse.pointer, entropy: entropy.pointer, dLogProbability: [dLogProbability],
        dEntropy: [dEntropy])
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
      #expect(relativeError(buffer.values, expected) < 2e-6)
      // And the closed form itself, by differences of the reference.
      for id in all.prefix(5) {
        func loss(_ offset: Float) -> Double {
          var moved = logits
          moved[id] += offset
          let r = Self.reference(
            moved, ids: all, inverseTemperature: Double(inverseTemperature), target: target)
          return Double(dLogProbability) * r.logProbability + Double(dEntropy) * r.entropy
        }
        let slope = (loss(1.0 / 64) - loss(-1.0 / 64)) * 32
        #expect(abs(slope - expected[id]) < 1e-4)
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
    let (buffer, lse) = (FloatBuffer(logits), FloatBuffer(count: 1))
    compute.reduceVocabulary(
      buffer.rows(stride: vocabulary), rows: 1, vocabulary: vocabulary, inverseTemperature: 1,
      kept: KeptSets([kept]), logSumExp: lse.pointer)
    let draws = 20_000
    var counts: [Int32: Int] = [:]
    let random = Philox(seed: 3, purpose: .sampling)
    for position in 0..<draws {
      let token = compute.drawToken(
        buffer.pointer, vocabulary: vocabulary, inverseTemperature: 1, logSumExp: lse.values[0],
        uniform: random.uniform(at: position), kept: kept)
      counts[token, default: 0] += 1
    }
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
    var lse: Float = 0
    let buffer = FloatBuffer(logits)
    compute.reduceVocabulary(
      buffer.rows(stride: 7), rows: 1, vocabulary: 7, inverseTemperature: 1, logSumExp: &lse)
    func draw(_ uniform: Double) -> Int32 {
      compute.drawToken(
        logits, vocabulary: 7, inverseTemperature: 1, logSumExp: lse, uniform: uniform)
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
        let buffer = FloatBuffer(logits)
        let (lse, logp, entropy) = (
          FloatBuffer(count: rows), FloatBuffer(count: rows), FloatBuffer(count: rows)
        )
        var draws: [UInt32] = []
        for first in stride(from: 0, to: rows, by: batch) {
          let count = min(batch, rows - first)
          compute.reduceVocabulary(
            buffer.rows(stride: vocabulary).from(row: first), rows: count, vocabulary: vocabulary,
            inverseTemperature: 0.7, targets: Array(targets[first...]),
            logSumExp: lse.pointer + first, logProbability: logp.pointer + first,
            entropy: entropy.pointer + first)
        }
        for row in 0..<rows {
          draws.append(
            UInt32(
              compute.drawToken(
                buffer.pointer + row * vocabulary, vocabulary: vocabulary, inverseTemperature: 0.7,
                logSumExp: lse.values[row], uniform: Double(row) / 7)))
        }
        var together = [Int32](repeating: -1, count: rows)
        compute.drawTokens(
          buffer.rows(stride: vocabulary), rows: rows, vocabulary: vocabulary,
          inverseTemperature: 0.7, logSumExp: lse.pointer,
          uniforms: (0..<rows).map { Double($0) / 7 }, into: &together)
        #expect(together.map(UInt32.init) == draws)
        compute.vocabularyGradient(
          buffer.rows(stride: vocabulary), rows: rows, vocabulary: vocabulary,
          inverseTemperature: 0.7, targets: targets, logSumExp: lse.pointer,
          entropy: entropy.pointer, dLogProbability: logp.pointer, dEntropy: entropy.pointer)
        let bits =
          lse.values.bits + logp.values.bits + entropy.values.bits + draws + buffer.values.bits
        seen = seen ?? bits
        let isSame = bits == seen
        #expect(isSame, "\(set), \(threads) threads, batches of \(batch)")
      }
    }
  }
}
