import Foundation
import Tensors
import Testing

@Suite("AdamW")
struct OptimizerTests {
  @Test("follows double precision over many steps", arguments: TestValues.instructionSets)
  func reference(set: InstructionSet) {
    let count = 53
    let compute = Compute(threads: 2, instructionSet: set)
    let start = TestValues.normal(count, stream: 70)
    let (p, m, v) = (Tensor(start), Tensor(count: count), Tensor(count: count))
    var (rp, rm, rv) = (
      start.map(Double.init), [Double](repeating: 0, count: count),
      [Double](repeating: 0, count: count)
    )
    for t in 1...20 {
      let values = TestValues.normal(count, stream: 70 + t)
      let g = Tensor(values)
      let step = AdamWStep(
        learningRate: 1e-2, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1, step: t,
        gradientScale: 0.5, isClearingGradient: t % 2 == 0)
      compute.adamW(
        p, gradient: g, m: m, v: v, step)
      #expect(g.values.allSatisfy { $0 == 0 } == (t % 2 == 0))
      for i in 0..<count {
        let gradient = Double(values[i]) * 0.5
        rp[i] *= 1 - 1e-2 * 0.1
        rm[i] = 0.9 * rm[i] + 0.1 * gradient
        rv[i] = 0.99 * rv[i] + 0.01 * gradient * gradient
        let (c1, c2) = (1 - pow(0.9, Double(t)), 1 - pow(0.99, Double(t)))
        rp[i] -= 1e-2 / c1 * rm[i] / (rv[i].squareRoot() / c2.squareRoot() + 1e-8)
      }
    }
    #expect(relativeError(p.values, rp) < 1e-6)
    #expect(relativeError(m.values, rm) < 1e-6)
    #expect(relativeError(v.values, rv) < 1e-6)
  }

  @Test("moves a packed matrix as it moves its values, on each table and thread count")
  func packed() {
    let (rows, columns) = (45, 130)
    let layout = PackedLayout(rows: rows, columns: columns)
    let values = TestValues.normal(rows * columns, stream: 90)
    let gradient = TestValues.normal(rows * columns, stream: 91)
    let step = AdamWStep(learningRate: 1e-3, weightDecay: 0.01, step: 3)
    let plain = Tensor(values)
    let (m, v) = (Tensor(count: values.count), Tensor(count: values.count))
    let g = Tensor(gradient)
    Compute(threads: 1, instructionSet: .scalar).adamW(
      plain, gradient: g, m: m, v: v, step)
    for set in TestValues.instructionSets {
      for threads in [1, 2] {
        let matrix = PackedMatrix(rows: rows, columns: columns, values: values)
        let packed = Tensor(count: layout.count)
        ParameterStorage.matrix(matrix).fill(from: gradient, in: packed)
        Compute(threads: threads, instructionSet: set).adamW(
          matrix.stored, gradient: packed, m: Tensor(count: layout.count),
          v: Tensor(count: layout.count), step)
        let isSame = matrix.values.bits == plain.values.bits
        #expect(isSame, "\(set), \(threads) threads")
      }
    }
  }
}
