import Foundation
import Tensors
import Testing

/// Checks a gradient against central differences of Σ projection ⊙ f(x).
///
/// `evaluate` runs in float32, so the step is wide and the bound loose: an error of the formula shows
/// at 10% and more, rounding at 1e-3.
func expectGradient(
  _ gradient: [Float], of x: [Float], projection: [Float], _ name: Comment,
  evaluate: ([Float]) -> [Float]
) {
  let step: Float = 1.0 / 128
  let size = gradient.map(abs).max() ?? 0
  for index in stride(from: 0, to: x.count, by: max(1, x.count / 40)) {
    func value(_ offset: Float) -> Double {
      var moved = x
      moved[index] += offset
      return zip(evaluate(moved), projection).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }
    let slope = (value(step) - value(-step)) / Double(2 * step)
    #expect(abs(slope - Double(gradient[index])) < 2e-3 * Double(size) + 1e-3, name)
  }
}

@Suite("Row operations")
struct RowsTests {
  static let widths = [1, 7, 16, 33, 64, 576]

  static func norm(_ x: [Float], _ w: [Float], epsilon: Double) -> [Double] {
    let columns = w.count
    return (0..<x.count / columns).flatMap { row -> [Double] in
      let values = x[row * columns..<(row + 1) * columns].map(Double.init)
      let mean = values.reduce(0) { $0 + $1 * $1 } / Double(columns)
      let inverse = 1 / (mean + epsilon).squareRoot()
      return zip(values, w).map { $0 * inverse * Double($1) }
    }
  }

  @Test("RMS norm agrees with double precision", arguments: widths, TestValues.instructionSets)
  func rmsNorm(columns: Int, set: InstructionSet) {
    let rows = 5
    let x = FloatBuffer(TestValues.normal(rows * columns, stream: 30))
    let w = TestValues.normal(columns, stream: 31)
    let y = FloatBuffer(count: rows * columns)
    Compute(threads: 2, instructionSet: set).rmsNorm(
      x.rows(stride: columns), rows: rows, columns: columns, weight: w, epsilon: 1e-5,
      into: y.rows(stride: columns))
    #expect(relativeError(y.values, Self.norm(x.values, w, epsilon: 1e-5)) < 1e-6)
  }

  @Test("RMS norm of heads is that of rows", arguments: [8, 16, 20])
  func segments(columns: Int) {
    let (rows, heads) = (3, 4)
    let compute = Compute(threads: 1)
    let x = FloatBuffer(TestValues.normal(rows * heads * columns, stream: 32))
    let w = TestValues.normal(columns, stream: 33)
    let dy = FloatBuffer(TestValues.normal(rows * heads * columns, stream: 34))
    var results: [[UInt32]] = []
    for (r, s) in [(rows, heads), (rows * heads, 1)] {
      let y = FloatBuffer(count: x.count)
      let dx = FloatBuffer(count: x.count)
      let (inverse, dw) = (FloatBuffer(count: rows * heads), FloatBuffer(count: columns))
      compute.rmsNorm(
        x.rows(stride: s * columns), rows: r, segments: s, columns: columns, weight: w,
        epsilon: 1e-6, into: y.rows(stride: s * columns), inverseRMS: inverse.pointer)
      compute.rmsNormBackward(
        dy.rows(stride: s * columns), x: x.rows(stride: s * columns), rows: r, segments: s,
        columns: columns, weight: w, inverseRMS: inverse.pointer,
        into: dx.rows(stride: s * columns), accumulating: false, dWeight: dw.pointer)
      results.append(y.values.bits + dx.values.bits + dw.values.bits)
    }
    let isSame = results[0] == results[1]
    #expect(isSame)
  }

  @Test(
    "RMS norm has the gradient of its differences", arguments: widths, TestValues.instructionSets)
  func rmsNormGradient(columns: Int, set: InstructionSet) {
    let rows = 3
    let compute = Compute(threads: 2, instructionSet: set)
    let x = TestValues.normal(rows * columns, stream: 35)
    let w = TestValues.normal(columns, stream: 36)
    let dy = TestValues.normal(rows * columns, stream: 37)
    func forward(_ x: [Float], _ w: [Float], _ inverse: FloatBuffer) -> [Float] {
      let (input, y) = (FloatBuffer(x), FloatBuffer(count: x.count))
      compute.rmsNorm(
        input.rows(stride: columns), rows: rows, columns: columns, weight: w, epsilon: 1e-2,
        into: y.rows(stride: columns), inverseRMS: inverse.pointer)
      return y.values
    }
    let inverse = FloatBuffer(count: rows)
    _ = forward(x, w, inverse)
    let (input, dyBuffer) = (FloatBuffer(x), FloatBuffer(dy))
    let (dx, dw) = (FloatBuffer(count: x.count), FloatBuffer(count: columns))
    compute.rmsNormBackward(
      dyBuffer.rows(stride: columns), x: input.rows(stride: columns), rows: rows,
      columns: columns, weight: w, inverseRMS: inverse.pointer, into: dx.rows(stride: columns),
      accumulating: false, dWeight: dw.pointer)
    expectGradient(dx.values, of: x, projection: dy, "x") {
      forward($0, w, FloatBuffer(count: rows))
    }
    expectGradient(dw.values, of: w, projection: dy, "w") {
      forward(x, $0, FloatBuffer(count: rows))
    }

    let added = FloatBuffer(dy)
    compute.rmsNormBackward(
      dyBuffer.rows(stride: columns), x: input.rows(stride: columns), rows: rows,
      columns: columns, weight: w, inverseRMS: inverse.pointer, into: added.rows(stride: columns),
      accumulating: true, dWeight: nil)
    let isSum = added.values == zip(dy, dx.values).map { $0 + $1 }
    #expect(isSum)
  }

  @Test("the exponential is exact to the last place or so, and right at the ends")
  func exponential() {
    // silu(x) with up = 1 passes through it; softmax shows it bare: log Σ of one logit is itself.
    let compute = Compute(threads: 1, instructionSet: .scalar)
    let x = (0..<20_000).map { Float($0 - 10_000) / 10_000 * 30 }
    let h = FloatBuffer(count: x.count)
    compute.swiGLU(
      gate: x, up: [Float](repeating: 1, count: x.count), count: x.count, into: h.pointer)
    var worst = 0.0
    for (z, value) in zip(x, h.values) where z != 0 {
      let expected = Double(z) / (1 + exp(-Double(z)))
      worst = max(worst, abs(Double(value) - expected) / abs(expected))
    }
    // Two divisions, an addition and the exponential, each to about half of 1.2e-7.
    #expect(worst < 3e-7)
    let ends: [Float] = [-200, -89, 89, 200, -.infinity, .infinity, .nan]
    compute.swiGLU(
      gate: ends, up: [Float](repeating: 1, count: 7), count: 7, into: h.pointer)
    #expect(h.values[0] == 0 && abs(h.values[1]) < 1e-35)
    #expect(h.values[2] == 89 && h.values[3] == 200 && h.values[5] == .infinity)
    #expect(h.values[4].isNaN && h.values[6].isNaN)
  }

  @Test("SwiGLU has the gradient of its differences", arguments: TestValues.instructionSets)
  func swiGLU(set: InstructionSet) {
    let count = 37
    let compute = Compute(threads: 2, instructionSet: set)
    let gate = TestValues.normal(count, stream: 40, scale: 2)
    let up = TestValues.normal(count, stream: 41)
    let dh = TestValues.normal(count, stream: 42)
    func forward(_ gate: [Float], _ up: [Float]) -> [Float] {
      let h = FloatBuffer(count: count)
      compute.swiGLU(gate: gate, up: up, count: count, into: h.pointer)
      return h.values
    }
    let expected = zip(gate, up).map { Double($0) / (1 + exp(-Double($0))) * Double($1) }
    #expect(relativeError(forward(gate, up), expected) < 4e-7)
    let (dGate, dUp) = (FloatBuffer(count: count), FloatBuffer(count: count))
    compute.swiGLUBackward(
      dh, gate: gate, up: up, count: count, dGate: dGate.pointer, dUp: dUp.pointer)
    expectGradient(dGate.values, of: gate, projection: dh, "gate") { forward($0, up) }
    expectGradient(dUp.values, of: up, projection: dh, "up") { forward(gate, $0) }
  }

  @Test(
    "rotation turns pairs of halves, and back", arguments: [2, 6, 32, 40],
    TestValues.instructionSets)
  func rotation(headSize: Int, set: InstructionSet) {
    let (rows, heads, half) = (4, 3, headSize / 2)
    let compute = Compute(threads: 2, instructionSet: set)
    let positions: [Int32] = [0, 3, 1, 7]
    let angles = (0..<8 * half).map { Float($0 / half) / Float($0 % half + 1) }
    let (cosines, sines) = (angles.map { cos($0) }, angles.map { sin($0) })
    let x = TestValues.normal(rows * heads * headSize, stream: 43)
    let y = FloatBuffer(x)
    compute.rotate(
      y.rows(stride: heads * headSize), rows: rows, heads: heads, headSize: headSize,
      positions: positions, cosines: cosines, sines: sines)
    let expected = x.indices.map { index -> Double in
      let (row, d) = (index / (heads * headSize), index % headSize)
      let at = Int(positions[row]) * half + d % half
      let (c, s) = (Double(cosines[at]), Double(sines[at]))
      return d < half
        ? Double(x[index]) * c - Double(x[index + half]) * s
        : Double(x[index]) * c + Double(x[index - half]) * s
    }
    #expect(relativeError(y.values, expected) < 2e-7)
    compute.rotate(
      y.rows(stride: heads * headSize), rows: rows, heads: heads, headSize: headSize,
      positions: positions, cosines: cosines, sines: sines, inverse: true)
    #expect(relativeError(y.values, x.map(Double.init)) < 5e-7)
  }

  @Test("embeddings are gathered, and their gradients scattered in order")
  func embedding() {
    let (vocabulary, columns) = (70, 19)
    let compute = Compute(threads: 2)
    let values = TestValues.normal(vocabulary * columns, stream: 44)
    let table = PackedMatrix(rows: vocabulary, columns: columns, values: values)
    let tokens = TestValues.integers(150, below: vocabulary, stream: 45)
    let x = FloatBuffer(count: tokens.count * columns)
    compute.gatherEmbedding(tokens, from: table, into: x.rows(stride: columns))
    let isGathered = tokens.enumerated().allSatisfy { row, token in
      (0..<columns).allSatisfy {
        x.pointer[row * columns + $0] == values[Int(token) * columns + $0]
      }
    }
    #expect(isGathered)

    let gradient = FloatBuffer(count: table.layout.count)
    compute.scatterEmbeddingGradient(
      tokens, x.rows(stride: columns), layout: table.layout, into: gradient.pointer)
    var expected = [Float](repeating: 0, count: vocabulary * columns)
    for (row, token) in tokens.enumerated() {
      for column in 0..<columns {
        expected[Int(token) * columns + column] += x.pointer[row * columns + column]
      }
    }
    let plain = FloatBuffer(count: expected.count)
    table.layout.unpack(gradient.pointer, into: plain.pointer)
    let isSame = plain.values.bits == expected.bits
    #expect(isSame)
  }

  @Test("sums in double precision do not depend on threads or table")
  func sums() {
    let (a, b) = (TestValues.normal(50_001, stream: 46), TestValues.normal(50_001, stream: 47))
    let expected = zip(a, b).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
    var seen: Double?
    for set in TestValues.instructionSets {
      for threads in [1, 2, 4] {
        let sum = Compute(threads: threads, instructionSet: set).dot(a, b, count: a.count)
        #expect(abs(sum - expected) < 1e-9)
        seen = seen ?? sum
        #expect(sum == seen)
      }
    }
    #expect(Compute(threads: 2).squaredNorm([3, 4], count: 2) == 25)
    #expect(Compute(threads: 2).squaredNorm([], count: 0) == 0)
  }

  @Test("elementwise operations treat every element", arguments: [0, 1, 15, 16, 17, 100_003])
  func elements(count: Int) {
    let compute = Compute(threads: 2)
    let (a, b) = (TestValues.normal(count, stream: 48), FloatBuffer(count: count))
    compute.fill(b.pointer, with: 2, count: count)
    compute.add(a, to: b.pointer, count: count)
    compute.scale(b.pointer, by: 0.5, count: count)
    let isRight = b.values == a.map { (2 + $0) * 0.5 }
    #expect(isRight)
  }

  @Test("are the same bits on each table", arguments: [1, 16, 45, 200])
  func tables(columns: Int) {
    let rows = 6
    let x = FloatBuffer(TestValues.normal(rows * columns, stream: 49, scale: 3))
    let dy = FloatBuffer(TestValues.normal(rows * columns, stream: 50))
    let w = TestValues.normal(columns, stream: 51)
    var seen: [UInt32]?
    for set in TestValues.instructionSets {
      for threads in [1, 3] {
        let compute = Compute(threads: threads, instructionSet: set)
        let (y, dx, dw) = (
          FloatBuffer(count: x.count), FloatBuffer(count: x.count), FloatBuffer(count: columns)
        )
        let inverse = FloatBuffer(count: rows)
        compute.rmsNorm(
          x.rows(stride: columns), rows: rows, columns: columns, weight: w, epsilon: 1e-5,
          into: y.rows(stride: columns), inverseRMS: inverse.pointer)
        compute.rmsNormBackward(
          dy.rows(stride: columns), x: x.rows(stride: columns), rows: rows, columns: columns,
          weight: w, inverseRMS: inverse.pointer, into: dx.rows(stride: columns),
          accumulating: false, dWeight: dw.pointer)
        var bits = y.values.bits + dx.values.bits + dw.values.bits
        compute.swiGLU(gate: x.pointer, up: dy.pointer, count: x.count, into: y.pointer)
        bits += y.values.bits
        compute.swiGLUBackward(
          dy.pointer, gate: x.pointer, up: dy.pointer, count: x.count, dGate: dx.pointer,
          dUp: y.pointer)
        bits += y.values.bits + dx.values.bits
        seen = seen ?? bits
        let isSame = bits == seen
        #expect(isSame, "\(set), \(threads) threads")
      }
    }
  }
}
