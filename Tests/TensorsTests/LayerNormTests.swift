import Tensors
import Testing

@Suite("Layer norm")
struct LayerNormTests {
  static let widths = [1, 7, 16, 33, 576]

  static func norm(_ x: [Float], _ w: [Float], _ b: [Float]?, epsilon: Double) -> [Double] {
    let columns = w.count
    return (0..<x.count / columns).flatMap { row -> [Double] in
      let values = x[row * columns..<(row + 1) * columns].map(Double.init)
      let mean = values.reduce(0, +) / Double(columns)
      let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(columns)
      let inverse = 1 / (variance + epsilon).squareRoot()
      return values.indices.map {
        (values[$0] - mean) * inverse * Double(w[$0]) + Double(b?[$0] ?? 0)
      }
    }
  }

  @Test(
    "agrees with double precision, with and without a bias", arguments: widths,
    TestValues.instructionSets)
  func forward(columns: Int, set: InstructionSet) {
    let rows = 5
    // A mean far from zero: sums of squares less the square of the mean would lose it.
    let x = TestValues.normal(rows * columns, stream: 70).map { $0 + 30 }
    let w = TestValues.normal(columns, stream: 71)
    for bias in [nil, TestValues.normal(columns, stream: 72)] {
      let y = Tensor(rows: rows, columns: columns)
      Compute(threads: 2, instructionSet: set).layerNorm(
        Tensor(rows: rows, columns: columns, values: x), weight: Tensor(w),
        bias: bias.map { Tensor($0) }, epsilon: 1e-5, into: y)
      #expect(relativeError(y.values, Self.norm(x, w, bias, epsilon: 1e-5)) < 4e-6)
    }
  }

  struct Operands {
    let rows = 3
    let columns: Int
    let x: [Float]
    let w: [Float]
    let b: [Float]
    let dy: [Float]

    init(columns: Int) {
      self.columns = columns
      x = TestValues.normal(3 * columns, stream: 73)
      w = TestValues.normal(columns, stream: 74)
      b = TestValues.normal(columns, stream: 75)
      dy = TestValues.normal(3 * columns, stream: 76)
    }

    func tensor(_ values: [Float]) -> Tensor {
      Tensor(rows: rows, columns: columns, values: values)
    }

    func forward(
      _ x: [Float], _ w: [Float], _ b: [Float], _ compute: Compute
    ) -> (y: Tensor, statistics: Tensor) {
      let (y, kept) = (Tensor(rows: rows, columns: columns), Tensor(rows: rows, columns: 2))
      compute.layerNorm(
        tensor(x), weight: Tensor(w), bias: Tensor(b), epsilon: 1e-2, into: y, statistics: kept)
      return (y, kept)
    }

    func backward(
      _ compute: Compute, onto start: [Float]? = nil
    ) -> (dx: [Float], dw: [Float], db: [Float]) {
      let kept = forward(x, w, b, compute).statistics
      let dx = tensor(start ?? dy)
      let (dw, db) = (Tensor(count: columns), Tensor(count: columns))
      // Without a start dx takes dy's place.
      compute.layerNormBackward(
        start == nil ? dx : tensor(dy), x: tensor(x), weight: Tensor(w), statistics: kept,
        into: dx, accumulating: start != nil, dWeight: dw, dBias: db)
      return (dx.values, dw.values, db.values)
    }
  }

  @Test("has the gradients of its differences", arguments: widths, TestValues.instructionSets)
  func gradient(columns: Int, set: InstructionSet) {
    let o = Operands(columns: columns)
    let compute = Compute(threads: 2, instructionSet: set)
    let d = o.backward(compute)
    expectGradient(d.dx, of: o.x, projection: o.dy, "x") {
      o.forward($0, o.w, o.b, compute).y.values
    }
    expectGradient(d.dw, of: o.w, projection: o.dy, "w") {
      o.forward(o.x, $0, o.b, compute).y.values
    }
    expectGradient(d.db, of: o.b, projection: o.dy, "b") {
      o.forward(o.x, o.w, $0, compute).y.values
    }
    let added = o.backward(compute, onto: [Float](repeating: 2, count: o.x.count)).dx
    #expect(added.bits == d.dx.map { 2 + $0 }.bits)
  }

  @Test("is the same bits on each table and thread count, and of heads that of rows")
  func invariance() {
    for columns in Self.widths {
      let o = Operands(columns: columns)
      var seen: [UInt32]?
      for set in TestValues.instructionSets {
        for threads in [1, 3] {
          let compute = Compute(threads: threads, instructionSet: set)
          let (y, kept) = o.forward(o.x, o.w, o.b, compute)
          let d = o.backward(compute)
          let heads = Tensor(rows: 1, columns: o.x.count)
          compute.layerNorm(
            Tensor(o.x), segments: o.rows, weight: Tensor(o.w), bias: Tensor(o.b), epsilon: 1e-2,
            into: heads)
          #expect(heads.values.bits == y.values.bits)
          let bits = y.values.bits + kept.values.bits + d.dx.bits + d.dw.bits + d.db.bits
          seen = seen ?? bits
          let isSame = bits == seen
          #expect(isSame, "\(set), \(threads) threads")
        }
      }
    }
  }
}
