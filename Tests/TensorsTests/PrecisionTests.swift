import CKernels
import Testing

@testable import Tensors

/// Products in two bytes against their definition, written out one multiply-add at a time.
@Suite("Products of rounded operands")
struct PrecisionTests {
  /// Operands rounded and widened as a precision does it.
  static func rounded(_ values: [Float], _ precision: Precision) -> [Float] {
    values.map { value in
      switch precision {
      case .float32: value
      case .bf16: HalfPrecision.float(bfloat16: HalfPrecision.bfloat16(value))
      case .fp16: HalfPrecision.float(float16: HalfPrecision.float16(value))
      }
    }
  }

  static func flushed(_ value: Float) -> Float {
    value.magnitude < .leastNormalMagnitude
      ? Float(sign: value.sign, exponent: 0, significand: 0) : value
  }

  /// A chain over operands that are rounded already, from `start` on.
  static func chain(
    _ x: [Float], _ w: [Float], from start: Float = 0, _ precision: Precision
  ) -> Float {
    var sum = precision == .bf16 ? flushed(start) : start
    guard precision == .bf16 else {
      for (a, b) in zip(x, w) { sum = sum.addingProduct(a, b) }
      return sum
    }
    for first in stride(from: 0, to: x.count, by: 2) {
      let (a, b) = first + 1 < x.count ? (x[first + 1], w[first + 1]) : (0, 0)
      sum = flushed(sum.addingProduct(flushed(a), flushed(b)))
      sum = flushed(sum.addingProduct(flushed(x[first]), flushed(w[first])))
    }
    return sum
  }

  /// Ordinary numbers, and numbers whose products are subnormal.
  static func values(_ count: Int, stream: Int, isTiny: Bool) -> [Float] {
    let values = TestValues.normal(count, stream: stream)
    return isTiny ? values.enumerated().map { $1 * ($0 % 3 == 0 ? 0x1p-64 : 0x1p-70) } : values
  }

  static let halves = [Precision.bf16, .fp16]

  @Test(
    "are the chains of their definition, bit for bit, on each table",
    arguments: ProductsTests.shapes, halves)
  func definition(s: ProductsTests.Shape, precision: Precision) {
    for isTiny in [false, true] {
      let x = Self.values(s.rows * s.inputs, stream: 31, isTiny: isTiny)
      let w = Self.values(s.outputs * s.inputs, stream: 32, isTiny: isTiny)
      let dy = Self.values(s.rows * s.outputs, stream: 33, isTiny: isTiny)
      let (rx, rw, rdy) = (
        Self.rounded(x, precision), Self.rounded(w, precision), Self.rounded(dy, precision)
      )
      func row(_ values: [Float], _ row: Int, _ width: Int) -> [Float] {
        Array(values[row * width..<(row + 1) * width])
      }
      func column(_ values: [Float], _ column: Int, _ width: Int, _ rows: Range<Int>) -> [Float] {
        rows.map { values[$0 * width + column] }
      }
      let y = (0..<s.rows * s.outputs).map {
        Self.chain(
          row(rx, $0 / s.outputs, s.inputs), row(rw, $0 % s.outputs, s.inputs), precision)
      }
      let dx = (0..<s.rows * s.inputs).map {
        Self.chain(
          row(rdy, $0 / s.inputs, s.outputs),
          column(rw, $0 % s.inputs, s.inputs, 0..<s.outputs), precision)
      }
      // Two segments, the first of an odd number of rows where there are enough.
      let cut = s.rows > 3 ? s.rows / 2 / 2 * 2 + 1 : s.rows
      let segments = cut < s.rows ? [0, cut] : [0]
      let dw = (0..<s.outputs * s.inputs).map { index in
        [0..<cut, cut..<s.rows].reduce(Float(0)) { sum, rows in
          Self.chain(
            column(rdy, index / s.inputs, s.outputs, rows),
            column(rx, index % s.inputs, s.inputs, rows), from: sum, precision)
        }
      }
      for set in TestValues.instructionSets {
        let compute = Compute(threads: 2, instructionSet: set, precision: precision)
        let matrix = PackedMatrix(rows: s.outputs, columns: s.inputs, values: w)
        let (xRows, dyRows) = (
          Tensor(rows: s.rows, columns: s.inputs, values: x),
          Tensor(rows: s.rows, columns: s.outputs, values: dy)
        )
        let (product, gradient) = (
          Tensor(rows: s.rows, columns: s.outputs), Tensor(rows: s.rows, columns: s.inputs)
        )
        compute.multiply(xRows, by: matrix, into: product)
        compute.backpropagateInput(dyRows, through: matrix, into: gradient, accumulating: false)
        let weightGradient = Tensor(count: matrix.layout.count)
        compute.accumulateWeightGradient(
          dyRows, xRows, layout: matrix.layout, segments: segments, into: weightGradient)
        let plain = ParameterStorage.matrix(matrix).values(in: weightGradient)
        #expect(product.values.bits == y.bits, "product, \(set)")
        #expect(gradient.values.bits == dx.bits, "input gradient, \(set)")
        #expect(plain.bits == dw.bits, "weight gradient, \(set)")
      }
    }
  }

  @Test(
    "do not depend on micro-batches of whole segments, threads or neighbours", arguments: halves)
  func invariance(precision: Precision) {
    let (rows, inputs, outputs) = (41, 19, 70)
    let x = Tensor(
      rows: rows, columns: inputs, values: TestValues.normal(rows * inputs, stream: 34))
    let dy = Tensor(
      rows: rows, columns: outputs, values: TestValues.normal(rows * outputs, stream: 35))
    let matrix = PackedMatrix(
      rows: outputs, columns: inputs, values: TestValues.normal(outputs * inputs, stream: 36))
    let starts = [0, 7, 8, 21]
    var seen: [UInt32]?
    for (threads, batches) in [(1, [0..<4]), (3, [0..<4]), (1, [0..<1, 1..<3, 3..<4])] {
      let compute = Compute(threads: threads, precision: precision)
      let (y, dx) = (Tensor(rows: rows, columns: outputs), Tensor(rows: rows, columns: inputs))
      let dw = Tensor(count: matrix.layout.count)
      for batch in batches {
        let first = starts[batch.lowerBound]
        let end = batch.upperBound < starts.count ? starts[batch.upperBound] : rows
        compute.multiply(x.rows(first..<end), by: matrix, into: y.rows(first..<end))
        compute.backpropagateInput(
          dy.rows(first..<end), through: matrix, into: dx.rows(first..<end), accumulating: false)
        compute.accumulateWeightGradient(
          dy.rows(first..<end), x.rows(first..<end), layout: matrix.layout,
          segments: starts[batch].map { $0 - first }, into: dw)
      }
      let bits = y.values.bits + dx.values.bits + dw.values.bits
      seen = seen ?? bits
      #expect(bits == seen, "\(threads) threads, \(batches.count) batches")
    }
  }

  @Test(
    "of gradients that are spent are those of gradients that are kept", arguments: halves, [70, 71])
  func spending(precision: Precision, outputs: Int) {
    let (rows, inputs) = (23, 40)
    let matrix = PackedMatrix(
      rows: outputs, columns: inputs, values: TestValues.normal(outputs * inputs, stream: 43))
    let gradients = TestValues.normal(rows * outputs, stream: 44)
    for set in TestValues.instructionSets {
      let compute = Compute(threads: 2, instructionSet: set, precision: precision)
      let results = [false, true].map { spends in
        let dx = Tensor(rows: rows, columns: inputs)
        compute.backpropagateInput(
          Tensor(rows: rows, columns: outputs, values: gradients), through: matrix, into: dx,
          accumulating: false, spending: spends)
        return dx.values.bits
      }
      #expect(results[0] == results[1], "\(set)")
    }
  }

  @Test("read a weight anew after it has changed", arguments: halves)
  func changes(precision: Precision) {
    let compute = Compute(threads: 1, precision: precision)
    let matrix = PackedMatrix(rows: 3, columns: 5, values: [Float](repeating: 1, count: 15))
    let x = Tensor(rows: 1, columns: 5, values: [1, 2, 3, 4, 5])
    let y = Tensor(rows: 1, columns: 3)
    compute.multiply(x, by: matrix, into: y)
    #expect(y.values == [15, 15, 15])
    compute.scale(matrix.stored, by: 2)
    compute.multiply(x, by: matrix, into: y)
    #expect(y.values == [30, 30, 30])
    matrix.fill(from: [Float](repeating: -1, count: 15))
    compute.multiply(x, by: matrix, into: y)
    #expect(y.values == [-15, -15, -15])
  }

  @Test(
    "by a bfloat16 weight leave its numbers as they are", arguments: [(33, 7), (64, 8), (1, 1)])
  func frozen(rows: Int, columns: Int) {
    let values = Self.rounded(TestValues.normal(rows * columns, stream: 37), .bf16)
    let matrix = PackedMatrix(rows: rows, columns: columns, values: values, element: .bfloat16)
    let wide = PackedMatrix(rows: rows, columns: columns, values: values)
    let x = Tensor(rows: 2, columns: columns, values: TestValues.normal(2 * columns, stream: 38))
    for precision in [Precision.bf16, .float32, .fp16, .bf16] {
      let compute = Compute(threads: 2, precision: precision)
      let (y, expected) = (Tensor(rows: 2, columns: rows), Tensor(rows: 2, columns: rows))
      compute.multiply(x, by: matrix, into: y)
      compute.multiply(x, by: wide, into: expected)
      #expect(y.values.bits == expected.values.bits, "\(precision)")
      let row = Tensor(count: columns)
      compute.gatherEmbedding([Int32(rows - 1)], from: matrix, into: row)
      #expect(row.values.bits == Array(values.suffix(columns)).bits, "\(precision)")
    }
    #expect(matrix.values.bits == values.bits)
  }

  @Test("flush nothing but their own numbers")
  func flushing() {
    let compute = Compute(threads: 2, precision: .bf16)
    let tiny = Tensor([Float](repeating: .leastNonzeroMagnitude, count: 40))
    let matrix = PackedMatrix(rows: 40, columns: 40, values: TestValues.normal(1600, stream: 39))
    compute.multiply(
      tiny.reshaped(columns: 40), by: matrix, into: Tensor(rows: 1, columns: 40))
    compute.add(Tensor([Float](repeating: .leastNonzeroMagnitude, count: 40)), to: tiny)
    #expect(tiny.values.allSatisfy { $0 == 2 * .leastNonzeroMagnitude })
  }

  @Test("round and widen as files do", arguments: TestValues.instructionSets)
  func conversions(set: InstructionSet) {
    let compute = Compute(threads: 1, instructionSet: set)
    var values: [Float] = [
      0, -0.0, 1, 65504, 65519.996, 65520, -65520, 3.4e38, .infinity, -.infinity, .nan,
      .leastNonzeroMagnitude, .leastNormalMagnitude, 0x1p-14, 0x1p-24, 0x1p-25, 0x1.8p-25, 0x1p-26,
      -0x1.ffcp-15,
    ]
    values += (0..<300).map { Float(bitPattern: UInt32($0) &* 14_316_557 &+ 0x3800_0000) }
    values += TestValues.normal(200, stream: 40).map { $0 * 0x1p-16 }
    for element in [ElementType.bfloat16, .float16] {
      let halves = Tensor(rows: 1, columns: values.count, element: element)
      let wide = Tensor(count: values.count)
      compute.narrow(Tensor(values), into: halves)
      compute.widen(halves, into: wide)
      let expected = values.map { value in
        element == .bfloat16
          ? HalfPrecision.float(bfloat16: HalfPrecision.bfloat16(value))
          : HalfPrecision.float(float16: HalfPrecision.float16(value))
      }
      let differing = zip(wide.values, expected).filter {
        $0.bitPattern != $1.bitPattern && !($0.isNaN && $1.isNaN)
      }
      #expect(differing.isEmpty, "\(element) \(differing.prefix(3))")
    }
  }

  @Test("are float32's own where a product asks for it")
  func exactProducts() {
    let w = TestValues.normal(33 * 21, stream: 41)
    let x = Tensor(rows: 4, columns: 21, values: TestValues.normal(4 * 21, stream: 42))
    func product(_ compute: Compute) -> [UInt32] {
      let y = Tensor(rows: 4, columns: 33)
      compute.multiply(
        x, by: PackedMatrix(rows: 33, columns: 21, values: w), into: y, in: .float32)
      return y.values.bits
    }
    #expect(product(Compute(threads: 1, precision: .bf16)) == product(Compute(threads: 1)))
  }
}
