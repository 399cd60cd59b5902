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
    let derivative = (value(step) - value(-step)) / Double(2 * step)
    #expect(abs(derivative - Double(gradient[index])) < 2e-3 * Double(size) + 1e-3, name)
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
    let x = Tensor(TestValues.normal(rows * columns, stream: 30))
    let w = TestValues.normal(columns, stream: 31)
    let y = Tensor(count: rows * columns)
    Compute(threads: 2, instructionSet: set).rmsNorm(
      x.reshaped(columns: columns), weight: Tensor(w), epsilon: 1e-5,
      into: y.reshaped(columns: columns))
    #expect(relativeError(y.values, Self.norm(x.values, w, epsilon: 1e-5)) < 1e-6)
  }

  @Test("RMS norm of heads is that of rows", arguments: [8, 16, 20])
  func segments(columns: Int) {
    let (rows, heads) = (3, 4)
    let compute = Compute(threads: 1)
    let x = Tensor(TestValues.normal(rows * heads * columns, stream: 32))
    let w = TestValues.normal(columns, stream: 33)
    let dy = Tensor(TestValues.normal(rows * heads * columns, stream: 34))
    var results: [[UInt32]] = []
    for s in [heads, 1] {
      let y = Tensor(count: x.count)
      let dx = Tensor(count: x.count)
      let (inverse, dw) = (Tensor(count: rows * heads), Tensor(count: columns))
      compute.rmsNorm(
        x.reshaped(columns: s * columns), segments: s, weight: Tensor(w),
        epsilon: 1e-6, into: y.reshaped(columns: s * columns), inverseRMS: inverse)
      compute.rmsNormBackward(
        dy.reshaped(columns: s * columns), x: x.reshaped(columns: s * columns), segments: s,
        weight: Tensor(w), inverseRMS: inverse,
        into: dx.reshaped(columns: s * columns), accumulating: false, dWeight: dw)
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
    func forward(_ x: [Float], _ w: [Float], _ inverse: Tensor) -> [Float] {
      let (input, y) = (Tensor(x), Tensor(count: x.count))
      compute.rmsNorm(
        input.reshaped(columns: columns), weight: Tensor(w), epsilon: 1e-2,
        into: y.reshaped(columns: columns), inverseRMS: inverse)
      return y.values
    }
    let inverse = Tensor(count: rows)
    _ = forward(x, w, inverse)
    let (input, dyBuffer) = (Tensor(x), Tensor(dy))
    let (dx, dw) = (Tensor(count: x.count), Tensor(count: columns))
    compute.rmsNormBackward(
      dyBuffer.reshaped(columns: columns), x: input.reshaped(columns: columns), weight: Tensor(w),
      inverseRMS: inverse, into: dx.reshaped(columns: columns),
      accumulating: false, dWeight: dw)
    expectGradient(dx.values, of: x, projection: dy, "x") {
      forward($0, w, Tensor(count: rows))
    }
    expectGradient(dw.values, of: w, projection: dy, "w") {
      forward(x, $0, Tensor(count: rows))
    }

    let added = Tensor(dy)
    compute.rmsNormBackward(
      dyBuffer.reshaped(columns: columns), x: input.reshaped(columns: columns), weight: Tensor(w),
      inverseRMS: inverse, into: added.reshaped(columns: columns),
      accumulating: true, dWeight: nil)
    let isSum = added.values == zip(dy, dx.values).map { $0 + $1 }
    #expect(isSum)
  }

  @Test("the exponential is exact to the last place or so, and right at the ends")
  func exponential() {
    // silu(x) with up = 1 passes through it; softmax shows it bare: log Σ of one logit is itself.
    let compute = Compute(threads: 1, instructionSet: .scalar)
    let x = (0..<20_000).map { Float($0 - 10_000) / 10_000 * 30 }
    let h = Tensor(count: x.count)
    compute.gatedUnit(
      .silu, gate: Tensor(x), up: Tensor([Float](repeating: 1, count: x.count)), into: h)
    var worst = 0.0
    for (z, value) in zip(x, h.values) where z != 0 {
      let expected = Double(z) / (1 + exp(-Double(z)))
      worst = max(worst, abs(Double(value) - expected) / abs(expected))
    }
    // Two divisions, an addition and the exponential, each to about half of 1.2e-7.
    #expect(worst < 3e-7)
    let ends: [Float] = [-200, -89, 89, 200, -.infinity, .infinity, .nan]
    compute.gatedUnit(
      .silu, gate: Tensor(ends), up: Tensor([Float](repeating: 1, count: 7)),
      into: h.elements(0..<7))
    #expect(h.values[0] == 0 && abs(h.values[1]) < 1e-35)
    #expect(h.values[2] == 89 && h.values[3] == 200 && h.values[5] == .infinity)
    #expect(h.values[4].isNaN && h.values[6].isNaN)
  }

  /// φ in double precision.
  private static func activate(_ activation: Activation, _ z: Float) -> Double {
    let z = Double(z)
    return switch activation {
    case .silu: z / (1 + exp(-z))
    case .geluTanh:
      0.5 * z * (1 + tanh((2 / Double.pi).squareRoot() * (z + 0.044715 * z * z * z)))
    }
  }

  @Test(
    "gated units have the gradient of their differences",
    arguments: [Activation.silu, .geluTanh], TestValues.instructionSets)
  func gatedUnit(activation: Activation, set: InstructionSet) {
    let count = 37
    let compute = Compute(threads: 2, instructionSet: set)
    let gate = TestValues.normal(count, stream: 40, scale: 2)
    let up = TestValues.normal(count, stream: 41)
    let dh = TestValues.normal(count, stream: 42)
    func forward(_ gate: [Float], _ up: [Float]) -> [Float] {
      let h = Tensor(count: count)
      compute.gatedUnit(activation, gate: Tensor(gate), up: Tensor(up), into: h)
      return h.values
    }
    let expected = zip(gate, up).map { Self.activate(activation, $0) * Double($1) }
    #expect(relativeError(forward(gate, up), expected) < 4e-7)
    let (dGate, dUp) = (Tensor(count: count), Tensor(count: count))
    compute.gatedUnitBackward(
      activation, Tensor(dh), gate: Tensor(gate), up: Tensor(up), dGate: dGate, dUp: dUp)
    expectGradient(dGate.values, of: gate, projection: dh, "gate") { forward($0, up) }
    expectGradient(dUp.values, of: up, projection: dh, "up") { forward(gate, $0) }
  }

  @Test(
    "gates in columns of one tensor have the bits of tensors of their own", arguments: [5, 16, 45])
  func gatesInColumns(width: Int) {
    let rows = 7
    let compute = Compute(threads: 3)
    let both = Tensor(
      rows: rows, columns: 2 * width, values: TestValues.normal(2 * rows * width, stream: 71))
    func plain(_ x: Tensor) -> Tensor { Tensor(rows: rows, columns: width, values: x.values) }
    let (gate, up) = (both.columns(0..<width), both.columns(width..<2 * width))
    let dh = Tensor(rows: rows, columns: width, values: TestValues.normal(rows * width, stream: 72))
    let (h, other) = (plain(dh), plain(dh))
    compute.gatedUnit(.silu, gate: gate, up: up, into: h)
    compute.gatedUnit(.silu, gate: plain(gate), up: plain(up), into: other)
    #expect(h.values.bits == other.values.bits)
    let d = Tensor(rows: rows, columns: 2 * width)
    compute.gatedUnitBackward(
      .silu, dh, gate: gate, up: up, dGate: d.columns(0..<width), dUp: d.columns(width..<2 * width))
    compute.gatedUnitBackward(
      .silu, dh, gate: plain(gate), up: plain(up), dGate: h, dUp: other)
    #expect(d.columns(0..<width).values.bits == h.values.bits)
    #expect(d.columns(width..<2 * width).values.bits == other.values.bits)
  }

  @Test("a gate's derivative is 0 or 1 far out, and never NaN", arguments: [1, -1] as [Float])
  func farGates(sign: Float) {
    let compute = Compute(threads: 1)
    let gate = [20, 200, 1e20, 3e38].map { sign * $0 } as [Float]
    let one = Tensor([Float](repeating: 1, count: 4))
    let (dGate, dUp) = (Tensor(count: 4), Tensor(count: 4))
    compute.gatedUnitBackward(
      .geluTanh, one, gate: Tensor(gate), up: one, dGate: dGate, dUp: dUp)
    #expect(dGate.values == [Float](repeating: sign > 0 ? 1 : 0, count: 4))
    #expect(dUp.values == (sign > 0 ? gate : [0, 0, 0, 0]))
  }

  @Test("a soft cap is c tanh(x / c), small and large", arguments: TestValues.instructionSets)
  func softCap(set: InstructionSet) {
    let compute = Compute(threads: 2, instructionSet: set)
    let x = (0..<4001).map { Float($0 - 2000) / 10 } + [1e-20, -1e-20, 1e4, 1e-3, 31, 18.75, 18.74]
    let y = Tensor(x)
    compute.softCap(y, at: 30)
    for (found, x) in zip(y.values, x) {
      let expected = 30 * tanh(Double(x) / 30)
      #expect(abs(Double(found) - expected) <= 5e-7 * abs(expected), "\(x)")
    }
    let ends = Tensor([Float.infinity, -.infinity, .nan])
    compute.softCap(ends, at: 30)
    #expect(ends.values[0] == 30 && ends.values[1] == -30 && ends.values[2].isNaN)
  }

  @Test("a soft cap has the gradient of its differences, and none where it is masked")
  func softCapGradient() {
    let compute = Compute(threads: 2)
    let x = TestValues.normal(37, stream: 61, scale: 4)
    let dy = TestValues.normal(37, stream: 62)
    func forward(_ x: [Float]) -> [Float] {
      let y = Tensor(x)
      compute.softCap(y, at: 5)
      return y.values
    }
    let dx = Tensor(dy)
    compute.softCapBackward(dx, capped: Tensor(forward(x)), at: 5)
    expectGradient(dx.values, of: x, projection: dy, "x") { forward($0) }
    let masked = Tensor([Float](repeating: 0, count: 1))
    compute.softCapBackward(masked, capped: Tensor([-.infinity] as [Float]), at: 5)
    #expect(masked.values == [0])
  }

  @Test("embeddings are gathered, and their gradients scattered in order")
  func embedding() {
    let (vocabulary, columns) = (70, 19)
    let compute = Compute(threads: 2)
    let values = TestValues.normal(vocabulary * columns, stream: 44)
    let table = PackedMatrix(rows: vocabulary, columns: columns, values: values)
    let tokens = TestValues.integers(150, below: vocabulary, stream: 45)
    let x = Tensor(count: tokens.count * columns)
    compute.gatherEmbedding(tokens, from: table, into: x.reshaped(columns: columns))
    let isGathered = tokens.enumerated().allSatisfy { row, token in
      (0..<columns).allSatisfy {
        x.values[row * columns + $0] == values[Int(token) * columns + $0]
      }
    }
    #expect(isGathered)

    let gradient = Tensor(count: table.layout.count)
    compute.scatterEmbeddingGradient(
      tokens, x.reshaped(columns: columns), layout: table.layout, into: gradient)
    var expected = [Float](repeating: 0, count: vocabulary * columns)
    for (row, token) in tokens.enumerated() {
      for column in 0..<columns {
        expected[Int(token) * columns + column] += x.values[row * columns + column]
      }
    }
    let isSame = ParameterStorage.matrix(table).values(in: gradient).bits == expected.bits
    #expect(isSame)
  }

  @Test(arguments: [0, 1, 4095, 4096, 4097, 20_000]) func blocksAddUpToTheSquaredNorm(count: Int) {
    let compute = Compute(threads: 2)
    let x = Tensor((0..<count).map { Float(($0 * 7919) % 1013) * 0.37 - 150 })
    let blocks = compute.squaredNorms(x)
    #expect(blocks.count == Compute.sumBlocks(count))
    #expect(blocks.reduce(0, +) == compute.squaredNorm(x))
    for (index, sum) in blocks.enumerated() {
      let start = index * Compute.sumBlock
      #expect(sum == compute.squaredNorm(x.elements(start..<min(count, start + Compute.sumBlock))))
    }
  }

  @Test("sums in double precision do not depend on threads or table")
  func sums() {
    let (a, b) = (TestValues.normal(50_001, stream: 46), TestValues.normal(50_001, stream: 47))
    let expected = zip(a, b).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
    var seen: Double?
    for set in TestValues.instructionSets {
      for threads in [1, 2, 4] {
        let sum = Compute(threads: threads, instructionSet: set).dot(Tensor(a), Tensor(b))
        #expect(abs(sum - expected) < 1e-9)
        seen = seen ?? sum
        #expect(sum == seen)
      }
    }
    #expect(Compute(threads: 2).squaredNorm(Tensor([3, 4])) == 25)
    #expect(Compute(threads: 2).squaredNorm(Tensor(count: 0)) == 0)
  }

  @Test("elementwise operations treat every element", arguments: [0, 1, 15, 16, 17, 100_003])
  func elements(count: Int) {
    let compute = Compute(threads: 2)
    let (a, b) = (TestValues.normal(count, stream: 48), Tensor(count: count))
    compute.fill(b, with: 2)
    compute.add(Tensor(a), to: b)
    compute.scale(b, by: 0.5)
    let isRight = b.values == a.map { (2 + $0) * 0.5 }
    #expect(isRight)
    let start = b.values
    compute.move(b, towards: Tensor(a), share: 0.3)
    let isMoved = b.values.bits == zip(start, a).map { Float(0.7) * $0 + Float(0.3) * $1 }.bits
    #expect(isMoved)
  }

  @Test(
    "a single value that is not finite is found", arguments: [Float.nan, .infinity, -.infinity])
  func finiteness(value: Float) {
    let compute = Compute(threads: 2)
    var values = [Float](repeating: 3e38, count: 10_001)
    #expect(compute.isFinite(Tensor(values)))
    values[7777] = value
    #expect(!compute.isFinite(Tensor(values)))
  }

  @Test("rows are gathered by index, and added back in order")
  func rowsByIndex() {
    let compute = Compute(threads: 2)
    let x = Tensor(rows: 4, columns: 3, values: (0..<12).map(Float.init))
    let y = Tensor(rows: 3, columns: 3)
    compute.gatherRows([2, 0, 2], of: x, into: y)
    #expect(y.values == [6, 7, 8, 0, 1, 2, 6, 7, 8])
    // In float32 the order shows: 1e8 + 1 − 1e8 is 0 and 1e8 − 1e8 + 1 is 1.
    let sums = Tensor(rows: 2, columns: 1)
    compute.addRows(Tensor(rows: 3, columns: 1, values: [1e8, 1, -1e8]), to: [1, 1, 1], of: sums)
    #expect(sums.values == [0, 0])
    compute.addRows(Tensor(rows: 3, columns: 1, values: [1e8, -1e8, 1]), to: [1, 1, 1], of: sums)
    #expect(sums.values == [0, 1])
  }

  @Test("are the same bits on each table", arguments: [1, 16, 45, 200])
  func tables(columns: Int) {
    let rows = 6
    let x = Tensor(TestValues.normal(rows * columns, stream: 49, scale: 3))
    let dy = Tensor(TestValues.normal(rows * columns, stream: 50))
    let w = TestValues.normal(columns, stream: 51)
    var seen: [UInt32]?
    for set in TestValues.instructionSets {
      for threads in [1, 3] {
        let compute = Compute(threads: threads, instructionSet: set)
        let (y, dx, dw) = (
          Tensor(count: x.count), Tensor(count: x.count), Tensor(count: columns)
        )
        let inverse = Tensor(count: rows)
        compute.rmsNorm(
          x.reshaped(columns: columns), weight: Tensor(w), epsilon: 1e-5,
          into: y.reshaped(columns: columns), inverseRMS: inverse)
        compute.rmsNormBackward(
          dy.reshaped(columns: columns), x: x.reshaped(columns: columns),
          weight: Tensor(w), inverseRMS: inverse, into: dx.reshaped(columns: columns),
          accumulating: false, dWeight: dw)
        var bits = y.values.bits + dx.values.bits + dw.values.bits
        for activation in [Activation.silu, .geluTanh] {
          compute.gatedUnit(activation, gate: x, up: dy, into: y)
          bits += y.values.bits
          compute.gatedUnitBackward(activation, dy, gate: x, up: dy, dGate: dx, dUp: y)
          bits += y.values.bits + dx.values.bits
        }
        compute.softCap(dx, at: 2)
        compute.softCapBackward(y, capped: dx, at: 2)
        bits += y.values.bits + dx.values.bits
        seen = seen ?? bits
        let isSame = bits == seen
        #expect(isSame, "\(set), \(threads) threads")
      }
    }
  }
}
