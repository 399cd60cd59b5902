import Testing

@testable import Tensors

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
    let x = Tensor(TestValues.normal(shape.rows * shape.inputs, stream: 1))
    let w = TestValues.normal(shape.outputs * shape.inputs, stream: 2)
    let bias = TestValues.normal(shape.outputs, stream: 3)
    let residual = TestValues.normal(shape.rows * shape.outputs, stream: 4)
    let y = Tensor(residual)
    compute.multiply(
      x.reshaped(columns: shape.inputs),
      by: PackedMatrix(rows: shape.outputs, columns: shape.inputs, values: w),
      into: y.reshaped(columns: shape.outputs), bias: Tensor(bias),
      adding: y.reshaped(columns: shape.outputs))
    let expected = zip(Self.reference(x: x.values, w: w, shape), residual).enumerated().map {
      $1.0 + Double($1.1) + Double(bias[$0 % shape.outputs])
    }
    // A chain of n fused additions errs by about √n half-ulps of its largest partial sum.
    #expect(relativeError(y.values, expected) < 2e-6)
  }

  @Test("are the same bits on each table, thread count and batch", arguments: shapes)
  func invariance(shape: Shape) {
    let x = Tensor(TestValues.normal(shape.rows * shape.inputs, stream: 5))
    let w = PackedMatrix(
      rows: shape.outputs, columns: shape.inputs,
      values: TestValues.normal(shape.outputs * shape.inputs, stream: 6))
    var seen: [UInt32]?
    for set in TestValues.instructionSets {
      for (threads, batch) in [(1, shape.rows), (2, shape.rows), (3, 1), (2, 3), (1, 64)] {
        let compute = Compute(threads: threads, instructionSet: set)
        let y = Tensor(count: shape.rows * shape.outputs)
        for first in stride(from: 0, to: shape.rows, by: batch) {
          let last = min(first + batch, shape.rows)
          compute.multiply(
            x.reshaped(columns: shape.inputs).rows(first..<last), by: w,
            into: y.reshaped(columns: shape.outputs).rows(first..<last))
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
    let values = Tensor(TestValues.normal(rows * inputs, stream: 7))
    let x = values.reshaped(columns: inputs)
    let widths = [64, 33, 1, 257]
    let weights = widths.enumerated().map {
      PackedMatrix(
        rows: $1, columns: inputs, values: TestValues.normal($1 * inputs, stream: 8 + $0))
    }
    let outputs = widths.map { Tensor(count: rows * $0) }
    let bias = Tensor(TestValues.normal(300, stream: 20))
    compute.multiplyMany(
      x,
      by: weights.indices.map {
        Product(
          weights[$0], into: outputs[$0].reshaped(columns: widths[$0]),
          bias: bias.elements(0..<widths[$0]))
      })
    for index in weights.indices {
      let alone = Tensor(count: rows * widths[index])
      compute.multiply(
        x, by: weights[index], into: alone.reshaped(columns: widths[index]),
        bias: bias.elements(0..<widths[index]))
      let isSame = outputs[index].values.bits == alone.values.bits
      #expect(isSame, "width \(widths[index])")
    }
  }

  @Test(
    "by a bfloat16 weight are those by its widened values", arguments: TestValues.instructionSets)
  func bfloat16(set: InstructionSet) {
    let shape = Shape(rows: 14, inputs: 37, outputs: 75)
    let compute = Compute(threads: 1, instructionSet: set)
    let w = PackedMatrix(
      rows: shape.outputs, columns: shape.inputs,
      values: TestValues.normal(shape.outputs * shape.inputs, stream: 9), element: .bfloat16)
    let wide = PackedMatrix(rows: shape.outputs, columns: shape.inputs, values: w.values)
    let x = Tensor(TestValues.normal(shape.rows * shape.inputs, stream: 10))
    let dy = Tensor(TestValues.normal(shape.rows * shape.outputs, stream: 11))
    var results: [[UInt32]] = []
    for matrix in [w, wide] {
      let y = Tensor(count: shape.rows * shape.outputs)
      let dx = Tensor(count: shape.rows * shape.inputs)
      compute.multiply(
        x.reshaped(columns: shape.inputs), by: matrix,
        into: y.reshaped(columns: shape.outputs))
      compute.backpropagateInput(
        dy.reshaped(columns: shape.outputs), through: matrix,
        into: dx.reshaped(columns: shape.inputs), accumulating: false)
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
    let (xBuffer, dyBuffer) = (Tensor(x), Tensor(dy))
    let matrix = PackedMatrix(rows: s.outputs, columns: s.inputs, values: w)
    let before = TestValues.normal(s.rows * s.inputs, stream: 15)
    for accumulating in [false, true] {
      let dx = Tensor(before)
      compute.backpropagateInput(
        dyBuffer.reshaped(columns: s.outputs), through: matrix,
        into: dx.reshaped(columns: s.inputs), accumulating: accumulating)
      let expected = (0..<s.rows * s.inputs).map { index in
        (0..<s.outputs).reduce(accumulating ? Double(before[index]) : 0) {
          $0 + Double(dy[index / s.inputs * s.outputs + $1])
            * Double(w[$1 * s.inputs + index % s.inputs])
        }
      }
      #expect(relativeError(dx.values, expected) < 5e-6)
    }

    let dw = Tensor(count: matrix.layout.count)
    dw.elements(0..<1).fill(from: [1])
    compute.accumulateWeightGradient(
      dyBuffer.reshaped(columns: s.outputs), xBuffer.reshaped(columns: s.inputs),
      layout: matrix.layout, into: dw)
    let plain = ParameterStorage.matrix(matrix).values(in: dw)
    let expected = (0..<s.outputs * s.inputs).map { index in
      (0..<s.rows).reduce(index == 0 ? 1.0 : 0) {
        $0 + Double(dy[$1 * s.outputs + index / s.inputs])
          * Double(x[$1 * s.inputs + index % s.inputs])
      }
    }
    #expect(relativeError(plain, expected) < 2e-6)
    let padding = Set(dw.values.indices).subtracting(
      (0..<s.outputs).flatMap { n in
        (0..<s.inputs).map { matrix.layout.offset(row: n, column: $0) }
      })
    #expect(padding.allSatisfy { dw.values[$0] == 0 })

    let db = Tensor(count: s.outputs)
    compute.accumulateBiasGradient(
      dyBuffer.reshaped(columns: s.outputs), into: db)
    let sums = (0..<s.outputs).map { n in
      (0..<s.rows).reduce(0.0) { $0 + Double(dy[$1 * s.outputs + n]) }
    }
    #expect(relativeError(db.values, sums) < 2e-6)
  }

  @Test(
    "have gradients of the same bits on each table, thread count and micro-batch", arguments: shapes
  )
  func gradientInvariance(s: Shape) {
    let xBuffer = Tensor(TestValues.normal(s.rows * s.inputs, stream: 16))
    let dyBuffer = Tensor(TestValues.normal(s.rows * s.outputs, stream: 17))
    let (x, dy) = (xBuffer.reshaped(columns: s.inputs), dyBuffer.reshaped(columns: s.outputs))
    let matrix = PackedMatrix(
      rows: s.outputs, columns: s.inputs,
      values: TestValues.normal(s.outputs * s.inputs, stream: 18))
    var seen: [UInt32]?
    for set in TestValues.instructionSets {
      for (threads, batch) in [(1, s.rows), (2, s.rows), (5, 2), (2, 7)] {
        let compute = Compute(threads: threads, instructionSet: set)
        let dx = Tensor(count: s.rows * s.inputs)
        let dw = Tensor(count: matrix.layout.count)
        let db = Tensor(count: s.outputs)
        for first in stride(from: 0, to: s.rows, by: batch) {
          let part = first..<min(first + batch, s.rows)
          compute.backpropagateInput(
            dy.rows(part), through: matrix,
            into: dx.reshaped(columns: s.inputs).rows(part), accumulating: false)
          compute.accumulateWeightGradient(
            dy.rows(part), x.rows(part), layout: matrix.layout, into: dw)
          compute.accumulateBiasGradient(dy.rows(part), into: db)
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
    let x = Tensor(TestValues.normal(s.rows * s.inputs, stream: 21))
    let w = TestValues.normal(s.outputs * s.inputs, stream: 22)
    let matrix = PackedMatrix(rows: s.outputs, columns: s.inputs, values: w)
    let bias = TestValues.normal(s.outputs, stream: 24)
    let base = TestValues.normal(s.rows * s.outputs, stream: 25)
    let product = Self.reference(x: x.values, w: w, s)
    let compute = Compute(threads: 2, forwardProducts: .openBLAS)
    for (hasBias, hasResidual) in [(false, false), (true, false), (false, true), (true, true)] {
      let y = Tensor(base)
      compute.multiply(
        x.reshaped(columns: s.inputs), by: matrix, into: y.reshaped(columns: s.outputs),
        bias: hasBias ? Tensor(bias) : nil,
        adding: hasResidual ? y.reshaped(columns: s.outputs) : nil)
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
    #expect(matrix.values.bits == values.bits)
    let row = Tensor(count: columns)
    Compute(threads: 1).gatherEmbedding([Int32(rows - 1)], from: matrix, into: row)
    #expect(row.values.bits == Array(values.suffix(columns)).bits)
  }
}
