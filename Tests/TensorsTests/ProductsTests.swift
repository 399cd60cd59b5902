import Tensors
import Testing

@Suite("Products and their gradients")
struct ProductsTests {
  struct Shape: CustomTestStringConvertible, Sendable {
    var rows: Int
    var inputs: Int
    var outputs: Int
    var testDescription: String { "\(rows) rows, \(inputs) → \(outputs)" }
  }

  static let shapes = [
    Shape(rows: 1, inputs: 1, outputs: 1), Shape(rows: 3, inputs: 5, outputs: 7),
    Shape(rows: 2, inputs: 64, outputs: 32), Shape(rows: 13, inputs: 31, outputs: 33),
    Shape(rows: 25, inputs: 40, outputs: 65), Shape(rows: 100, inputs: 17, outputs: 100),
    Shape(rows: 7, inputs: 3, outputs: 1037),
  ]

  static func reference(x: [Float], w: [Float], _ s: Shape) -> [Double] {
    (0..<s.rows * s.outputs).map { index in
      let (row, output) = (index / s.outputs, index % s.outputs)
      return (0..<s.inputs).reduce(0) {
        $0 + Double(x[row * s.inputs + $1]) * Double(w[output * s.inputs + $1])
      }
    }
  }

  @Test(
    "agree with double precision, bias and residual included",
    arguments: shapes, TestValues.instructionSets)
  func forward(shape: Shape, set: InstructionSet) {
    let compute = Compute(threads: 2, instructionSet: set)
    let x = FloatBuffer(TestValues.normal(shape.rows * shape.inputs, stream: 1))
    let w = TestValues.normal(shape.outputs * shape.inputs, stream: 2)
    let bias = TestValues.normal(shape.outputs, stream: 3)
    let residual = TestValues.normal(shape.rows * shape.outputs, stream: 4)
    let y = FloatBuffer(residual)
    compute.multiply(
      x.rows(stride: shape.inputs), rows: shape.rows,
      by: PackedMatrix(rows: shape.outputs, columns: shape.inputs, values: w),
      into: y.rows(stride: shape.outputs), bias: bias, adding: y.rows(stride: shape.outputs))
    let expected = zip(Self.reference(x: x.values, w: w, shape), residual).enumerated().map {
      $1.0 + Double($1.1) + Double(bias[$0 % shape.outputs])
    }
    // A chain of n fused additions errs by about √n half-ulps of its largest partial sum.
    #expect(relativeError(y.values, expected) < 2e-6)
  }

  @Test("are the same bits on each table, thread count and batch", arguments: shapes)
  func invariance(shape: Shape) {
    let x = FloatBuffer(TestValues.normal(shape.rows * shape.inputs, stream: 5))
    let w = PackedMatrix(
      rows: shape.outputs, columns: shape.inputs,
      values: TestValues.normal(shape.outputs * shape.inputs, stream: 6))
    var seen: [UInt32]?
    for set in TestValues.instructionSets {
      for (threads, batch) in [(1, shape.rows), (2, shape.rows), (3, 1), (2, 3), (1, 64)] {
        let compute = Compute(threads: threads, instructionSet: set)
        let y = FloatBuffer(count: shape.rows * shape.outputs)
        for first in stride(from: 0, to: shape.rows, by: batch) {
          compute.multiply(
            x.rows(stride: shape.inputs).from(row: first), rows: min(batch, shape.rows - first),
            by: w, into: y.rows(stride: shape.outputs).from(row: first))
        }
        seen = seen ?? y.values.bits
        let isSame = y.values.bits == seen
        #expect(isSame, "\(set), \(threads) threads, batches of \(batch)")
      }
    }
  }

  @Test("of several weights are those of each", arguments: TestValues.instructionSets)
  func several(set: InstructionSet) {
    let (rows, inputs) = (9, 70)
    let compute = Compute(threads: 2, instructionSet: set)
    let values = FloatBuffer(TestValues.normal(rows * inputs, stream: 7))
    let x = values.rows(stride: inputs)
    let widths = [64, 33, 1, 257]
    let weights = widths.enumerated().map {
      PackedMatrix(
        rows: $1, columns: inputs, values: TestValues.normal($1 * inputs, stream: 8 + $0))
    }
    let outputs = widths.map { FloatBuffer(count: rows * $0) }
    let bias = TestValues.normal(300, stream: 20)
    bias.withUnsafeBufferPointer { bias in
      compute.multiplyMany(
        x, rows: rows,
        by: weights.indices.map {
          Product(weights[$0], into: outputs[$0].rows(stride: widths[$0]), bias: bias.baseAddress)
        })
      for index in weights.indices {
        let alone = FloatBuffer(count: rows * widths[index])
        compute.multiply(
          x, rows: rows, by: weights[index], into: alone.rows(stride: widths[index]),
          bias: bias.baseAddress)
        let isSame = outputs[index].values.bits == alone.values.bits
        #expect(isSame, "width \(widths[index])")
      }
    }
  }

  @Test(
    "by a bfloat16 weight are those by its widened values", arguments: TestValues.instructionSets)
  func bfloat16(set: InstructionSet) {
    let shape = Shape(rows: 14, inputs: 37, outputs: 75)
    let compute = Compute(threads: 1, instructionSet: set)
    let w = PackedMatrix(
      rows: shape.outputs, columns: shape.inputs,
      values: TestValues.normal(shape.outputs * shape.inputs, stream: 9), format: .bfloat16)
    let widened = FloatBuffer(count: shape.outputs * shape.inputs)
    w.unpack(into: widened.pointer)
    let wide = PackedMatrix(rows: shape.outputs, columns: shape.inputs, values: widened.values)
    let x = FloatBuffer(TestValues.normal(shape.rows * shape.inputs, stream: 10))
    let dy = FloatBuffer(TestValues.normal(shape.rows * shape.outputs, stream: 11))
    var results: [[UInt32]] = []
    for matrix in [w, wide] {
      let y = FloatBuffer(count: shape.rows * shape.outputs)
      let dx = FloatBuffer(count: shape.rows * shape.inputs)
      compute.multiply(
        x.rows(stride: shape.inputs), rows: shape.rows, by: matrix,
        into: y.rows(stride: shape.outputs))
      compute.backpropagateInput(
        dy.rows(stride: shape.outputs), rows: shape.rows, through: matrix,
        into: dx.rows(stride: shape.inputs), accumulating: false)
      results.append(y.values.bits + dx.values.bits)
    }
    let isSame = results[0] == results[1]
    #expect(isSame)
  }

  @Test(
    "have gradients that agree with double precision", arguments: shapes, TestValues.instructionSets
  )
  func gradients(s: Shape, set: InstructionSet) {
    let compute = Compute(threads: 2, instructionSet: set)
    let x = TestValues.normal(s.rows * s.inputs, stream: 12)
    let w = TestValues.normal(s.outputs * s.inputs, stream: 13)
    let dy = TestValues.normal(s.rows * s.outputs, stream: 14)
    let (xBuffer, dyBuffer) = (FloatBuffer(x), FloatBuffer(dy))
    let matrix = PackedMatrix(rows: s.outputs, columns: s.inputs, values: w)
    let before = TestValues.normal(s.rows * s.inputs, stream: 15)
    for accumulating in [false, true] {
      let dx = FloatBuffer(before)
      compute.backpropagateInput(
        dyBuffer.rows(stride: s.outputs), rows: s.rows, through: matrix,
        into: dx.rows(stride: s.inputs), accumulating: accumulating)
      let expected = (0..<s.rows * s.inputs).map { index in
        (0..<s.outputs).reduce(accumulating ? Double(before[index]) : 0) {
          $0 + Double(dy[index / s.inputs * s.outputs + $1])
            * Double(w[$1 * s.inputs + index % s.inputs])
        }
      }
      #expect(relativeError(dx.values, expected) < 5e-6)
    }

    let dw = FloatBuffer(count: matrix.layout.count)
    dw.pointer[0] = 1
    compute.accumulateWeightGradient(
      dyBuffer.rows(stride: s.outputs), xBuffer.rows(stride: s.inputs),
      rows: s.rows, layout: matrix.layout, into: dw.pointer)
    let plain = FloatBuffer(count: s.outputs * s.inputs)
    matrix.layout.unpack(dw.pointer, into: plain.pointer)
    let expected = (0..<s.outputs * s.inputs).map { index in
      (0..<s.rows).reduce(index == 0 ? 1.0 : 0) {
        $0 + Double(dy[$1 * s.outputs + index / s.inputs])
          * Double(x[$1 * s.inputs + index % s.inputs])
      }
    }
    #expect(relativeError(plain.values, expected) < 2e-6)
    let padding = Set(dw.values.indices).subtracting(
      (0..<s.outputs).flatMap { n in
        (0..<s.inputs).map { matrix.layout.offset(row: n, column: $0) }
      })
    #expect(padding.allSatisfy { dw.values[$0] == 0 })

    let db = FloatBuffer(count: s.outputs)
    compute.accumulateBiasGradient(
      dyBuffer.rows(stride: s.outputs), rows: s.rows, columns: s.outputs, into: db.pointer)
    let sums = (0..<s.outputs).map { n in
      (0..<s.rows).reduce(0.0) { $0 + Double(dy[$1 * s.outputs + n]) }
    }
    #expect(relativeError(db.values, sums) < 2e-6)
  }

  @Test(
    "have gradients of the same bits on each table, thread count and micro-batch", arguments: shapes
  )
  func gradientInvariance(s: Shape) {
    let xBuffer = FloatBuffer(TestValues.normal(s.rows * s.inputs, stream: 16))
    let dyBuffer = FloatBuffer(TestValues.normal(s.rows * s.outputs, stream: 17))
    let (x, dy) = (xBuffer.rows(stride: s.inputs), dyBuffer.rows(stride: s.outputs))
    let matrix = PackedMatrix(
      rows: s.outputs, columns: s.inputs,
      values: TestValues.normal(s.outputs * s.inputs, stream: 18))
    var seen: [UInt32]?
    for set in TestValues.instructionSets {
      for (threads, batch) in [(1, s.rows), (2, s.rows), (5, 2), (2, 7)] {
        let compute = Compute(threads: threads, instructionSet: set)
        let dx = FloatBuffer(count: s.rows * s.inputs)
        let dw = FloatBuffer(count: matrix.layout.count)
        let db = FloatBuffer(count: s.outputs)
        for first in stride(from: 0, to: s.rows, by: batch) {
          let count = min(batch, s.rows - first)
          compute.backpropagateInput(
            dy.from(row: first), rows: count, through: matrix,
            into: dx.rows(stride: s.inputs).from(row: first), accumulating: false)
          compute.accumulateWeightGradient(
            dy.from(row: first), x.from(row: first), rows: count, layout: matrix.layout,
            into: dw.pointer)
          compute.accumulateBiasGradient(
            dy.from(row: first), rows: count, columns: s.outputs, into: db.pointer)
        }
        let bits = dx.values.bits + dw.values.bits + db.values.bits
        seen = seen ?? bits
        let isSame = bits == seen
        #expect(isSame, "\(set), \(threads) threads, batches of \(batch)")
      }
    }
  }

  @Test("by OpenBLAS agree within rounding")
  func openBLAS() {
    let s = Shape(rows: 20, inputs: 48, outputs: 50)
    let x = FloatBuffer(TestValues.normal(s.rows * s.inputs, stream: 21))
    let w = TestValues.normal(s.outputs * s.inputs, stream: 22)
    let matrix = PackedMatrix(rows: s.outputs, columns: s.inputs, values: w)
    let bias = TestValues.normal(s.outputs, stream: 24)
    let base = TestValues.normal(s.rows * s.outputs, stream: 25)
    let product = Self.reference(x: x.values, w: w, s)
    let compute = Compute(threads: 2, forwardProducts: .openBLAS)
    for (hasBias, hasResidual) in [(false, false), (true, false), (false, true), (true, true)] {
      let y = FloatBuffer(base)
      bias.withUnsafeBufferPointer { bias in
        compute.multiply(
          x.rows(stride: s.inputs), rows: s.rows, by: matrix, into: y.rows(stride: s.outputs),
          bias: hasBias ? bias.baseAddress : nil,
          adding: hasResidual ? y.rows(stride: s.outputs) : nil)
      }
      let expected = product.indices.map {
        product[$0] + (hasBias ? Double(bias[$0 % s.outputs]) : 0)
          + (hasResidual ? Double(base[$0]) : 0)
      }
      #expect(relativeError(y.values, expected) < 2e-6)
    }
  }

  @Test("leave a packed matrix as it was packed", arguments: [(1, 1), (33, 5), (64, 7), (100, 3)])
  func packing(rows: Int, columns: Int) {
    let values = TestValues.normal(rows * columns, stream: 23)
    let matrix = PackedMatrix(rows: rows, columns: columns, values: values)
    let plain = FloatBuffer(count: rows * columns)
    matrix.unpack(into: plain.pointer)
    #expect(plain.values.bits == values.bits)
    let row = FloatBuffer(count: columns)
    matrix.row(rows - 1, into: row.pointer)
    #expect(row.values.bits == Array(values.suffix(columns)).bits)
  }
}
